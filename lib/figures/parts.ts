import type { ExperimentResult } from '../experiments/experiment';
import { cellText, heading, type ResultTable, type Row } from '../experiments/table';
import { Figure, type PlotlyObject, type Table } from './figure';
import type { Style } from './palette';

/** Axis titles, tick labels and legends keep their room, however long they get. */
export function axis(title: string, more: PlotlyObject = {}): PlotlyObject {
  return { title: { text: title, standoff: 8 }, ticklabelstandoff: 3, automargin: true, ...more };
}

/** A share from 0 to 1, shown in per cent. */
export function shareAxis(title: string, more: PlotlyObject = {}): PlotlyObject {
  return axis(title, { tickformat: '.0%', range: [-0.03, 1.03], zeroline: false, ...more });
}

/** Categories from top to bottom in the order given. */
export function categoryAxis(categories: readonly string[], more: PlotlyObject = {}): PlotlyObject {
  return {
    type: 'category',
    categoryorder: 'array',
    categoryarray: [...categories].reverse(),
    range: [-0.5, categories.length - 0.5],
    ticklabelstandoff: 3,
    automargin: true,
    ...more,
  };
}

/** A legend below the plot, out of the way of what is drawn. */
export function legendBelow(y: number, more: PlotlyObject = {}): PlotlyObject {
  return { orientation: 'h', x: 0, xanchor: 'left', y, yanchor: 'top', ...more };
}

/** A row of buttons above the plot, on the left. `more`: `y`, where its lower edge lies, and the buttons. */
export function buttonsAbove(more: PlotlyObject): PlotlyObject {
  return { type: 'buttons', direction: 'right', x: 0, xanchor: 'left', yanchor: 'bottom', ...more };
}

/** A heatmap's colours for states that are drawn as their number + 0.5: one flat band each. */
export function flatColors(colors: readonly string[]): PlotlyObject {
  return {
    zmin: 0,
    zmax: colors.length,
    colorscale: colors.flatMap((color, i) => [
      [i / colors.length, color],
      [(i + 1) / colors.length, color],
    ]),
  };
}

/** Traces side by side on a category axis are drawn from the bottom up: turned round, the first is on top. */
export function firstOnTop(traces: readonly PlotlyObject[]): PlotlyObject[] {
  return [...traces].reverse();
}

export const REVERSED: PlotlyObject = { traceorder: 'reversed' };

export function margins(more: PlotlyObject = {}): PlotlyObject {
  return { l: 60, r: 25, t: 60, b: 60, ...more };
}

/** A heading above one of several panels. */
export function panelTitle(text: string, x: number, y: number): PlotlyObject {
  return {
    text,
    x,
    y,
    xref: 'paper',
    yref: 'paper',
    xanchor: 'left',
    yanchor: 'bottom',
    showarrow: false,
  };
}

export const marker = (
  { color, symbol }: Style,
  open: boolean = false,
  size: number = 9,
): PlotlyObject => ({
  color,
  symbol: open ? `${symbol}-open` : symbol,
  size,
  ...(open ? { line: { width: 2 } } : {}),
});

/** A row of the table with its number. */
export interface NumberedRow {
  readonly row: Row;
  readonly index: number;
}

/** The rows that `wanted` accepts, with their numbers in the table. */
export function rowsWhere({ rows }: ResultTable, wanted: (row: Row) => boolean): NumberedRow[] {
  return rows.map((row, index) => ({ row, index })).filter(({ row }) => wanted(row));
}

/** x, y and the table's row numbers of the points that `rows` give. */
export function points(
  rows: readonly NumberedRow[],
  x: string,
  y: string,
  labels: (text: string) => string = (text) => text,
): { x: unknown[]; y: unknown[]; customdata: number[] } {
  const value = (cell: unknown) => (typeof cell === 'string' ? labels(cell) : cell);
  return {
    x: rows.map(({ row }) => value(row[x])),
    y: rows.map(({ row }) => value(row[y])),
    customdata: rows.map(({ index }) => index),
  };
}

/** Whiskers from `low` to `high` around `share`. */
export function whiskers(rows: readonly NumberedRow[]): PlotlyObject {
  const difference = (a: string, b: string) =>
    rows.map(({ row }) => Number((Number(row[a]) - Number(row[b])).toFixed(6)));
  return {
    type: 'data',
    symmetric: false,
    array: difference('high', 'share'),
    arrayminus: difference('share', 'low'),
    thickness: 1.2,
    width: 3,
  };
}

/** Different cells of a column, in the order in which they first come. */
export function distinct({ rows }: ResultTable, key: string): string[] {
  return [...new Set(rows.map((row) => cellText(row[key])))];
}

/** Breaks a long label at a space near its middle. */
export function folded(text: string, width = 26): string {
  if (text.length <= width) return text;
  const middle = text.length / 2;
  const spaces = [...text.matchAll(/ /g)].map(({ index }) => index);
  if (spaces.length === 0) return text;
  const at = spaces.reduce((a, b) => (Math.abs(b - middle) < Math.abs(a - middle) ? b : a));
  return `${text.slice(0, at)}<br>${text.slice(at + 1)}`;
}

/** The table as a figure carries it. */
export function plainTable({ columns, rows }: ResultTable): Table {
  return {
    columns: columns.map(heading),
    rows: rows.map((row) =>
      columns.map(({ key }) => {
        const cell = row[key];
        return typeof cell === 'number' ? cell : cellText(cell);
      }),
    ),
  };
}

/** A figure of an experiment's result: its table, its command. */
export function resultFigure(
  result: ExperimentResult,
  parts: {
    readonly title?: string;
    readonly caption: string;
    readonly alt: string;
    readonly data: readonly PlotlyObject[];
    readonly layout: PlotlyObject;
  },
): Figure {
  return new Figure({
    title: result.title,
    table: plainTable(result.table),
    command: result.command,
    ...parts,
  });
}
