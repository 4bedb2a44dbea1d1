import { stripVTControlCharacters } from 'node:util';
import type { Output } from '../outputs';
import { hasTag, isAborted, textOf, type CellRun, type NotebookRun } from '../run-notebook';
import { compareOutputs } from './compare/outputs';
import type { Finding, FindingKind } from './finding';
import type { StoredCell, StoredNotebook } from './notebook-file';
import type { Sanitiser } from './sanitise';
import { rulesFor } from './settings';

/** Cells with one of these tags are run, their outputs are not compared (the second is nbval's). */
export const NO_COMPARE = ['no-compare', 'nbval-ignore-output'];

/** Lines of a traceback or of stderr that a finding shows. */
const SHOWN = 25;

export interface JudgeOptions {
  /** Applied to every cell, beside those that the notebook declares. */
  readonly sanitisers?: readonly Sanitiser[];
  /** Why the run was broken off, if it was. */
  readonly stopped?: Finding;
}

/** What a run showed to be wrong with a notebook: the cell that failed, outputs that came out differently. */
export function judge(
  { cells, metadata }: StoredNotebook,
  run: NotebookRun,
  options: JudgeOptions = {},
): Finding[] {
  const { sanitisers, stopped } = options;
  return run.cells.flatMap((cell): Finding[] => {
    if (!cell.passed) return [failure(cell, stopped)];
    const stored = cells[cell.index];
    if (!isCompared(stored)) return [];
    const rules = rulesFor(metadata.guardpage, stored.metadata.guardpage, sanitisers);
    const differences = compareOutputs(stored.outputs ?? [], cell.outputs, rules);
    return differences.map((difference) => ({ ...difference, cell: cell.index }));
  });
}

export function isCompared(cell: Pick<StoredCell, 'metadata'>): boolean {
  return !NO_COMPARE.some((tag) => hasTag(cell, tag));
}

/** The cell that ended a run. */
function failure(run: CellRun, stopped: Finding | undefined): Finding {
  const { index, status } = run;
  if (status === 'stopped' && stopped) return { ...stopped, cell: index };
  const stderr = streamText(run.outputs, 'stderr');
  const kind = kindOf(run, stderr);
  const details = traceback(run.outputs) ?? lines(stderr);
  return { kind, cell: index, message: messageOf(run, kind, stderr), details };
}

function messageOf({ error, status }: CellRun, kind: FindingKind, stderr: string): string {
  if (!error) return status;
  if (kind === 'aborted')
    return `the kernel passed over the cell without running it (${error.name})`;
  if (status !== 'error' || kind === 'kernel-died') return firstLine(error.value);
  // tslab replies without a name: what was thrown stands in its text on stderr.
  const said = /^(?:\w*Error\b.*|\d+:\d+ - .*)$/m.exec(stripVTControlCharacters(stderr))?.[0];
  return error.name === UNNAMED && said !== undefined
    ? said
    : `${error.name}: ${firstLine(error.value)}`;
}

/** What an error reply without a name is called. */
const UNNAMED = 'error';

/** Our kernel replies by itself if the process that runs the cells has ended. */
const PROCESS_DIED = 'ProcessDied';

/** How kernels name what the type checker refused: ours by TypeScript's code, tslab as text on stderr. */
const TYPE_ERROR = { name: /^TS\d+$/, stderr: /^\d+:\d+ - /m };

function kindOf(run: CellRun, stderr: string): FindingKind {
  const { status, error } = run;
  if (status === 'timeout') return 'timeout';
  if (status === 'died') return 'kernel-died';
  if (isAborted(run)) return 'aborted';
  if (error?.name === PROCESS_DIED) return 'kernel-died';
  if (TYPE_ERROR.name.test(error?.name ?? '')) return 'type-error';
  return error?.name === UNNAMED && TYPE_ERROR.stderr.test(stderr) ? 'type-error' : 'error';
}

function traceback(outputs: readonly Output[]): string[] | undefined {
  const last = outputs.filter(({ output_type: type }) => type === 'error').at(-1);
  if (last?.output_type !== 'error' || last.traceback.length === 0) return undefined;
  return lines(last.traceback.join('\n'));
}

/** All that a cell wrote to one stream. */
export function streamText(outputs: readonly Output[], name: string): string {
  const of = (output: Output) =>
    output.output_type === 'stream' && output.name === name ? textOf(output.text) : '';
  return outputs.map(of).join('');
}

function lines(text: string): string[] {
  const all = stripVTControlCharacters(text).trimEnd().split('\n');
  if (all.length === 1 && all[0] === '') return [];
  return all.length <= SHOWN ? all : [...all.slice(0, SHOWN), `… and ${all.length - SHOWN} more`];
}

const firstLine = (text: string) => stripVTControlCharacters(text).split('\n', 1)[0];
