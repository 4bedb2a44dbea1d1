import type { ExperimentResult } from '../experiments/experiment';
import type { Figure, PlotlyObject } from './figure';
import { SERIES } from './palette';
import {
  categoryAxis,
  distinct,
  firstOnTop,
  legendBelow,
  margins,
  marker,
  points,
  REVERSED,
  resultFigure,
  rowsWhere,
  shareAxis,
  whiskers,
} from './parts';

/** By memory, and by size of the stack. */
const SYMBOLS = [
  ['square', 'circle'],
  ['diamond', 'triangle-up'],
] as const;

/** Who lies below a stack: one colour a memory, filled for the model. */
export function nextDoorFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const memories = distinct(table, 'memory');
  const stacks = distinct(table, 'stack');
  const series = memories.flatMap((memory, i) =>
    stacks.flatMap((stack, j) =>
      distinct(table, 'evidence').map((evidence) => ({ memory, i, stack, j, evidence })),
    ),
  );
  const traces = series.map(({ memory, i, stack, j, evidence }): PlotlyObject => {
    const rows = rowsWhere(
      table,
      (row) => row.memory === memory && row.stack === stack && row.evidence === evidence,
    );
    const style = { ...SERIES[i], symbol: SYMBOLS[i % SYMBOLS.length][j] };
    const name = `${stack}, ${memory} (${evidence})`;
    return {
      type: 'scatter',
      mode: 'markers',
      orientation: 'h',
      name,
      offsetgroup: name,
      marker: marker(style, evidence === 'recorded'),
      error_x: { ...whiskers(rows), color: style.color },
      text: rows.map(({ row }) => `${row.count} of ${row.n}`),
      hovertemplate: '%{x:.2%} (%{text})<extra>%{fullData.name}</extra>',
      ...points(rows, 'share', 'neighbour'),
    };
  });
  const shares = (evidence: string, neighbour: string) => {
    const percent = table.rows
      .filter((row) => row.evidence === evidence && row.neighbour === neighbour)
      .map((row) => Math.round(100 * Number(row.share)));
    return `${Math.min(...percent)} to ${Math.max(...percent)} %`;
  };
  return resultFigure(result, {
    caption:
      'Below a stack lies most often another stack, then a slab page; everything else is rare. Filled marks: stacks of the simulated machine; open ones: stacks of real kernels.',
    alt:
      'Dot plot. Vertical: class of the page just below a stack, seven of them. Horizontal: share of stacks, 0 to 100 %. ' +
      `Another stack ${shares('model', 'another stack')} in the model, ${shares('recorded', 'another stack')} recorded; slab ${shares('model', 'slab')} and ${shares('recorded', 'slab')}.`,
    data: firstOnTop(traces),
    layout: {
      scattermode: 'group',
      scattergap: 0.2,
      height: 620,
      xaxis: shareAxis('stacks with such a page below (%)'),
      yaxis: categoryAxis(distinct(table, 'neighbour')),
      legend: legendBelow(-0.13, REVERSED),
      margin: margins({ b: 150 }),
    },
  });
}
