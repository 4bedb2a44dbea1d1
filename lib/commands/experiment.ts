import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { experiment, experiments } from '../experiments';
import type { Experiment, ExperimentResult } from '../experiments/experiment';
import type { Parameter, ParameterValues } from '../experiments/parameters';
import { experimentFigure } from '../figures/experiment-figure';
import { experimentPage } from '../figures/page';
import type { Register } from '.';
import { refusing, wholeNumber } from './options';
import { UsageError } from './usage-error';
import { prepareWrite } from './write-file';

interface Flags {
  readonly list?: boolean;
  readonly seed: number;
  readonly set: readonly string[];
  readonly json?: string;
  readonly html?: string;
}

/** `guardpage experiment`: the figures of the course and the tables behind them. */
export const register: Register = (program) => {
  program
    .command('experiment')
    .description('run an experiment of the course: its table, or a page with its figure')
    .argument('[name]', 'which one; --list shows them')
    .option('--list', 'list the experiments with their questions and parameters')
    .option('--seed <n>', 'seed of everything drawn', wholeNumber('seed', 0), 1)
    .option(
      '--set <parameter=value>',
      'set a parameter; may be repeated',
      (value: string, before: string[]) => [...before, value],
      [],
    )
    .option('--json <file>', 'write parameters and table as JSON')
    .option('--html <file>', 'write a page with figure, caption and table that loads nothing')
    .action((name: string | undefined, flags: Flags) => {
      if (flags.list) process.stdout.write(listText());
      else run(name, flags);
    });
};

function run(name: string | undefined, { seed, set, json, html }: Flags): void {
  if (name === undefined) {
    throw new UsageError('experiment: expected a name; guardpage experiment --list shows them');
  }
  const chosen = refusing(() => experiment(name));
  const writeJson = json === undefined ? null : prepareWrite('json', json);
  const writeHtml = html === undefined ? null : prepareWrite('html', html);
  if (json !== undefined && html !== undefined && realPath(json) === realPath(html)) {
    throw new UsageError(`--html: expected another file than that of --json, got ${html}`);
  }
  const result = refusing(() => chosen.run(valuesFrom(chosen, set), seed));
  writeJson?.(jsonText(result));
  writeHtml?.(experimentPage(result, experimentFigure(result), plotlySource()));
  if (!writeJson && !writeHtml) process.stdout.write(`${result}\n`);
}

/** The path of a file that is there or that can be created. */
function realPath(file: string): string {
  return existsSync(file)
    ? realpathSync(file)
    : join(realpathSync(dirname(resolve(file))), basename(file));
}

/** `threads=500` → a value of the kind that the parameter has. */
function valuesFrom({ parameters }: Experiment, set: readonly string[]): ParameterValues {
  const values = set.map((text): [string, number | string] => {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
    if (name === undefined) {
      throw new UsageError(`--set: expected PARAMETER=VALUE, got ${JSON.stringify(text)}`);
    }
    const isNumber = parameters[name]?.kind === 'number' && /^-?\d+$/.test(value);
    return [name, isNumber ? Number(value) : value];
  });
  return Object.fromEntries(values);
}

function jsonText(result: ExperimentResult): string {
  const { experiment: name, question, notes, params, seed, command, table } = result;
  const { columns, rows } = table;
  return `${JSON.stringify({ experiment: name, question, notes, params, seed, command, columns, rows }, null, 1)}\n`;
}

function plotlySource(): string {
  return readFileSync(require.resolve('plotly.js-dist'), 'utf8');
}

function listText(): string {
  return experiments
    .map(({ name, question, parameters }) =>
      [
        name,
        `  ${question}`,
        ...Object.entries(parameters).map(([key, value]) => `  --set ${key}=${range(value)}`),
      ].join('\n'),
    )
    .join('\n\n')
    .concat('\n');
}

function range(parameter: Parameter): string {
  const { description } = parameter;
  if (parameter.kind === 'choice') {
    return `${parameter.default}  ${description} (${parameter.choices.join(', ')})`;
  }
  const { min, max, default: value } = parameter;
  return `${value}  ${description} (${min} to ${max})`;
}
