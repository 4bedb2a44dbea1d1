import { textOf } from '../../run-notebook';
import type { StoredNotebook } from '../notebook-file';

/** Where a cell is, in words that help to find it. */
export interface Place {
  /** Counted from 1 over all cells. */
  readonly number: number;
  readonly id: string | undefined;
  /** The nearest heading above it. */
  readonly heading: string | undefined;
  readonly source: string;
}

/** @param index counted from 0 over all cells */
export function placeOf({ cells }: StoredNotebook, index: number): Place {
  const { id, source } = cells[index];
  return { number: index + 1, id, heading: headingAbove(cells, index), source: textOf(source) };
}

function headingAbove(cells: StoredNotebook['cells'], index: number): string | undefined {
  for (let i = index - 1; i >= 0; i -= 1) {
    if (cells[i].cell_type !== 'markdown') continue;
    const headings = textOf(cells[i].source)
      .replace(/^```[\s\S]*?^```/gm, '')
      .match(/^#{1,6} .*$/gm);
    const last = headings?.at(-1);
    if (last !== undefined) return last.replace(/^#+ /, '').trim();
  }
  return undefined;
}

/** `cell 7 (three), under "Three stacks"`. */
export function placeText({ number, id, heading }: Place): string {
  const named = id === undefined || id === `cell-${number}` ? '' : ` (${id})`;
  return `cell ${number}${named}${heading === undefined ? '' : `, under "${heading}"`}`;
}
