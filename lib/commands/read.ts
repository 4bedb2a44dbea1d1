import { readFileSync } from 'node:fs';
import { readMachineText, type MachineReading } from '../experiments/own-machine/read-machine-text';
import { sample, SAMPLES } from '../experiments/own-machine/samples';
import { machineFigure } from '../figures/machine-figure';
import { figurePage } from '../figures/page';
import type { Register } from '.';
import { refusing } from './options';
import { readTextFile } from './read-file';
import { UsageError } from './usage-error';
import { prepareWrite } from './write-file';

interface Flags {
  readonly sample?: string;
  readonly list?: boolean;
  readonly json?: boolean;
  readonly html?: string;
}

/** `guardpage read`: what a text of one's own machine says of its kernel stacks. */
export const register: Register = (program) => {
  program
    .command('read')
    .description("read a stack_trace, oops, vmallocinfo or buddyinfo of one's own machine")
    .argument('[file]', 'the text (- for standard input); which of the four it is shows itself')
    .option('--sample <name>', 'read a sample instead; --list shows them')
    .option('--list', 'list the samples')
    .option('--json', 'one line of JSON')
    .option('--html <file>', 'write a page with explanation and figure that loads nothing')
    .action((file: string | undefined, flags: Flags) => {
      if (flags.list) process.stdout.write(listText());
      else run(file, flags);
    });
};

function run(file: string | undefined, flags: Flags): void {
  if ((file === undefined) === (flags.sample === undefined)) {
    throw new UsageError(
      'read: expected a file (- for standard input) or --sample NAME; guardpage read --list shows the samples',
    );
  }
  const writeHtml = flags.html === undefined ? null : prepareWrite('html', flags.html);
  const reading = refusing(() =>
    readMachineText(file === undefined ? sample(flags.sample!) : readTextFile('read', file)),
  );
  writeHtml?.(pageOf(reading));
  if (flags.json) process.stdout.write(`${jsonText(reading)}\n`);
  else if (!writeHtml) process.stdout.write(`${reading}\n`);
}

function jsonText(reading: MachineReading): string {
  return JSON.stringify(reading, (_key, value: unknown) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
  );
}

function pageOf(reading: MachineReading): string {
  const plotly = readFileSync(require.resolve('plotly.js-dist'), 'utf8');
  return figurePage(
    { lead: reading.explanation },
    refusing(() => machineFigure(reading)),
    plotly,
  );
}

function listText(): string {
  const width = Math.max(...SAMPLES.map((name) => name.length));
  return SAMPLES.map((name) => `${name.padEnd(width)}  ${sample(name).title}\n`).join('');
}
