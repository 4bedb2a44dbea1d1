import type { ExperimentResult } from '../experiments/experiment';
import { kernelConfig } from '../stack/config';
import { PARTS } from '../stack/trace-parts';
import type { Figure, PlotlyObject } from './figure';
import { ERA_STYLE } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  folded,
  legendBelow,
  margins,
  points,
  resultFigure,
  rowsWhere,
} from './parts';
import { PART_STYLE } from './trace-parts-figure';

const USABLE_8K = kernelConfig('8k').usable;

/** Storage stacks as bars of their layers, the fewest layers on top. */
export function storageLayersFigure(result: ExperimentResult): Figure {
  const { table, params } = result;
  const storages = distinct(table, 'what');
  const depthOf = (what: string) => Number(table.rows.find((row) => row.what === what)!.depth);
  const parts = PARTS.filter((part) => table.rows.some((row) => row.part === part));
  const data = parts.map((part): PlotlyObject => {
    const [color, shape] = PART_STYLE[part];
    const rows = rowsWhere(table, (row) => row.part === part);
    return {
      type: 'bar',
      orientation: 'h',
      name: part,
      marker: { color, pattern: { shape, fillmode: 'overlay', solidity: 0.25 } },
      text: rows.map(({ row }) => `${row.evidence}; all parts ${row.depth} bytes`),
      textposition: 'none',
      hovertemplate: `${part}: %{x} bytes (%{text})<extra>%{y}</extra>`,
      ...points(rows, 'bytes', 'what', (text) => folded(text)),
    };
  });
  const { color, dash } = ERA_STYLE['8k'];
  const ends = [storages[0], storages[storages.length - 1]];
  data.push({
    type: 'scatter',
    mode: 'lines',
    name: `usable in 8 KB: ${USABLE_8K} bytes`,
    line: { color, dash, width: 3 },
    x: [USABLE_8K, USABLE_8K],
    y: ends.map((what) => folded(what)),
    customdata: ends.map((what) => table.rows.findIndex((row) => row.what === what)),
    meta: { reference: true },
    hovertemplate: `${USABLE_8K} usable bytes of 8 KB<extra></extra>`,
  });
  const over = storages.filter((what) => depthOf(what) > USABLE_8K);
  return resultFigure(result, {
    caption:
      `Each bar is what one thread needs to write a page, from writeback down to the disk. Only the second bar is a stack as it was posted; the others put runs of recorded frames together, an estimate. ` +
      `${over.length} of ${storages.length} are deeper than 8 KB. One more block device costs ${params.layer} bytes here.`,
    alt:
      `Stacked bar chart. Vertical: ${storages.length} ways to store a page, the fewest layers on top. Horizontal: bytes of stack. ` +
      `${storages.map((what) => `${what}: ${depthOf(what)}`).join('; ')}. A dashed line at ${USABLE_8K} bytes.`,
    data,
    layout: {
      barmode: 'stack',
      height: 520,
      xaxis: axis('stack in use (bytes)', { rangemode: 'tozero' }),
      yaxis: categoryAxis(storages.map((what) => folded(what))),
      legend: legendBelow(-0.16, { traceorder: 'normal' }),
      margin: margins({ b: 150 }),
    },
  });
}
