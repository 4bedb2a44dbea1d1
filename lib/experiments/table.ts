/**
 * Whence a row comes: computed by this simulation, measured on a real machine (by this project or as
 * published), or reckoned from such numbers.
 */
export type Evidence = 'model' | 'recorded' | 'estimate';

/** What a cell may hold; null: does not apply. */
export type Cell = string | number | null;

export type Row = Readonly<Record<string, Cell>>;

export interface Column {
  readonly key: string;
  /** For a reader; the unit apart. */
  readonly label: string;
  readonly unit?: string;
}

/** The outcome of an experiment: rows with named cells, and what the names mean. */
export interface ResultTable {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

/** Every table has this column. */
export const EVIDENCE: Column = { key: 'evidence', label: 'from' };

/** `n` rounded to `digits` decimals, so that a table and what is drawn from it say the same. */
export function round(n: number, digits = 4): number {
  return Number(n.toFixed(digits));
}

/** Heading of a column: `memory (kB)`. */
export function heading({ label, unit }: Column): string {
  return unit === undefined ? label : `${label} (${unit})`;
}

export function cellText(cell: Cell | undefined): string {
  return cell === null || cell === undefined ? '–' : String(cell);
}

/** The table in columns for a terminal: numbers to the right, text to the left. */
export function tableText({ columns, rows }: ResultTable): string {
  const texts = [
    columns.map(heading),
    ...rows.map((row) => columns.map((c) => cellText(row[c.key]))),
  ];
  const widths = columns.map((_, i) => Math.max(...texts.map((line) => line[i].length)));
  const isNumber = columns.map(({ key }) => rows.some((row) => typeof row[key] === 'number'));
  return texts
    .map((line) =>
      line
        .map((text, i) => (isNumber[i] ? text.padStart(widths[i]) : text.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
