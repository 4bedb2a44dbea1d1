import type { NotebookRun } from '../run-notebook';
import type { Output } from '../outputs';
import { joinStreams } from './compare/outputs';
import type { Finding } from './finding';
import { isCompared } from './judge';
import type { StoredNotebook } from './notebook-file';
import { diffLines } from './diff';
import { sanitise, type Sanitiser } from './sanitise';
import { rulesFor } from './settings';

/**
 * The cells whose outputs differ in any byte between two runs in fresh kernels, after the sanitisers that the
 * notebook declares. In which order stdout and stderr reached the front end does not count.
 */
export function compareRuns(
  { cells, metadata }: StoredNotebook,
  first: NotebookRun,
  second: NotebookRun,
  sanitisers: readonly Sanitiser[] = [],
): Finding[] {
  return first.cells.flatMap((cell): Finding[] => {
    const stored = cells[cell.index];
    const other = second.cells.find(({ index }) => index === cell.index);
    if (!cell.passed || !other || !isCompared(stored)) return [];
    if (!other.passed) {
      const told = `${other.error?.name ?? other.status}: ${other.error?.value ?? ''}`;
      const message = `the first run passed this cell, the second did not: ${told}`;
      return [{ kind: 'not-deterministic', cell: cell.index, message }];
    }
    const rules = rulesFor(metadata.guardpage, stored.metadata.guardpage, sanitisers);
    const [a, b] = [cell, other].map(({ outputs }) => bytes(outputs, rules.sanitisers));
    if (a.join('\n') === b.join('\n')) return [];
    const message = 'two runs in fresh kernels gave different outputs';
    const details = diffLines(a, b);
    return [{ kind: 'not-deterministic', cell: cell.index, message, details }];
  });
}

/** All of the outputs as lines that differ if any byte does. */
function bytes(outputs: readonly Output[], sanitisers: readonly Sanitiser[]): string[] {
  const clean = (_key: string, value: unknown) =>
    typeof value === 'string' ? sanitise(value, sanitisers) : value;
  return joinStreams(outputs).flatMap((output) => {
    if (output.output_type === 'stream') {
      const text = clean('', output.text) as string;
      return [output.name, ...text.split('\n').map((line) => JSON.stringify(line).slice(1, -1))];
    }
    return JSON.stringify(output, clean, 1).split('\n');
  });
}
