import { textOf, type CellRun, type NotebookRun } from '../run-notebook';
import type { Output } from '../outputs';
import { compareOutputs } from './compare/outputs';
import { isRun } from '../run-notebook';
import { isCompared } from './judge';
import type { StoredCell, StoredNotebook } from './notebook-file';
import { sourceHash } from './order';
import { rulesFor } from './settings';
import type { Sanitiser } from './sanitise';

/** What made the outputs: names and versions. */
export type Produced = Readonly<Record<string, string | number>>;

/**
 * The notebook with the outputs of a run in it, as nbformat 4.5. Outputs that mean the same as the stored ones
 * stay as they are, so that only what changed differs; what made them is written anew only then.
 *
 * @returns undefined if nothing has changed
 */
export function withOutputs(
  notebook: StoredNotebook,
  run: NotebookRun,
  produced: Produced,
  sanitisers: readonly Sanitiser[],
): StoredNotebook | undefined {
  const runs = new Map(run.cells.map((cell) => [cell.index, cell]));
  const ids = new Set(notebook.cells.map(({ id }) => id));
  let changed = notebook.nbformat_minor < 5;
  const cells = notebook.cells.map((cell, index): StoredCell => {
    const named = withId(cell, index, ids);
    const done = runs.get(index);
    const next = done ? withRun(named, done, notebook, sanitisers) : emptied(named);
    if (next !== cell) changed = true;
    return next;
  });
  const sources = Object.fromEntries(
    cells.filter(isRun).map((cell) => [cell.id ?? '', sourceHash(cell)]),
  );
  const settings = notebook.metadata.guardpage;
  if (!sameEntries(settings?.sources ?? {}, sources)) changed = true;
  if (!changed) return undefined;
  const guardpage = { ...settings, produced, sources };
  return {
    ...notebook,
    nbformat_minor: Math.max(5, notebook.nbformat_minor),
    metadata: { ...notebook.metadata, guardpage },
    cells,
  };
}

/** Cells have ids since nbformat 4.5: `cell-7` for the one that comes seventh, if none has that. */
function withId(cell: StoredCell, index: number, ids: Set<string | undefined>): StoredCell {
  if (cell.id !== undefined) return cell;
  let id = `cell-${index + 1}`;
  for (let n = 2; ids.has(id); n += 1) id = `cell-${index + 1}-${n}`;
  ids.add(id);
  return { ...cell, id };
}

function withRun(
  cell: StoredCell,
  run: CellRun,
  { metadata }: StoredNotebook,
  sanitisers: readonly Sanitiser[],
): StoredCell {
  const stored = cell.outputs ?? [];
  const rules = rulesFor(metadata.guardpage, cell.metadata.guardpage, sanitisers);
  const same =
    !isCompared(cell) && stored.length > 0
      ? true // exempt: any outputs are as good
      : compareOutputs(stored, run.outputs, rules).length === 0;
  const counted = cell.execution_count === run.executionCount;
  if (
    same &&
    counted &&
    stored.every(
      (output) => countOf(output) === undefined || countOf(output) === run.executionCount,
    )
  )
    return cell;
  const outputs = (same ? stored : run.outputs).map((output) =>
    counting(output, run.executionCount),
  );
  return { ...cell, execution_count: run.executionCount, outputs };
}

const countOf = (output: Output) =>
  output.output_type === 'execute_result' ? (output.execution_count ?? null) : undefined;

function counting(output: Output, count: number | null): Output {
  return output.output_type === 'execute_result' ? { ...output, execution_count: count } : output;
}

/** A code cell that is not run has no outputs, unless it is skipped: then they are its author's. */
function emptied(cell: StoredCell): StoredCell {
  if (cell.cell_type !== 'code' || textOf(cell.source).trim() !== '') return cell;
  if ((cell.execution_count ?? null) === null && (cell.outputs ?? []).length === 0) return cell;
  return { ...cell, execution_count: null, outputs: [] };
}

function sameEntries(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
