import { createHash } from 'node:crypto';
import { isRun, textOf } from '../run-notebook';
import type { Finding } from './finding';
import type { StoredCell, StoredNotebook } from './notebook-file';

/** A hash of a cell's code, as the notebook's metadata keep it. */
export function sourceHash({ source }: Pick<StoredCell, 'source'>): string {
  return createHash('sha256').update(textOf(source)).digest('hex').slice(0, 12);
}

/**
 * Whether the stored outputs are those of one run from top to bottom: execution counts 1, 2, 3, …, the
 * source that they were made from. A notebook without any execution count says nothing about order.
 */
export function checkOrder({ cells, metadata }: StoredNotebook): Finding[] {
  const findings: Finding[] = [];
  const sources = metadata.guardpage?.sources ?? {};
  const counted = cells.some(({ execution_count: count }) => typeof count === 'number');
  const misplaced: Finding[] = [];
  let expected = 0;
  for (const [index, cell] of cells.entries()) {
    if (cell.cell_type !== 'code' || !isRun(cell)) continue;
    expected += 1;
    const count = cell.execution_count ?? null;
    if (counted && count !== expected) {
      const got = count === null ? 'none' : `${count}`;
      const message = `expected execution count ${expected}, got ${got}`;
      misplaced.push({ kind: 'order', cell: index, message });
    }
    const kept = cell.id === undefined ? undefined : sources[cell.id];
    if (kept !== undefined && kept !== sourceHash(cell)) {
      const message = 'the cell was changed after its outputs were stored';
      findings.push({ kind: 'stale', cell: index, message });
    }
  }
  return [...firstOf(misplaced), ...findings];
}

/** After one cell out of order all those that follow are: the first is told, the others are counted. */
function firstOf([first, ...others]: readonly Finding[]): Finding[] {
  if (first === undefined) return [];
  const more =
    others.length === 0 ? '' : `; cells that follow are out of order too: ${others.length}`;
  return [{ ...first, message: `${first.message}${more}` }];
}
