import type { ExperimentResult } from '../experiments/experiment';
import { kernelConfig } from '../stack/config';
import { PARTS, type Part } from '../stack/trace-parts';
import type { Figure, PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  legendBelow,
  margins,
  points,
  resultFigure,
  rowsWhere,
} from './parts';

/** Each part of the kernel looks the same in every figure. */
export const PART_STYLE: Readonly<Record<Part, readonly [color: string, pattern: string]>> = {
  'entry and VFS': [OKABE_ITO.orange, '/'],
  writeback: [OKABE_ITO.skyBlue, ''],
  'file system': [OKABE_ITO.bluishGreen, '\\'],
  'memory management': [OKABE_ITO.vermillion, 'x'],
  'block layer': [OKABE_ITO.blue, '-'],
  drivers: [OKABE_ITO.reddishPurple, '|'],
  'scheduler, interrupts, debugging': [OKABE_ITO.yellow, '+'],
  'not listed': [OKABE_ITO.grey, '.'],
};

/** Above end magic and thread_info. */
const USABLE_8K = kernelConfig('8k').usable;

/** Every published trace as a bar of its parts, deepest on top. */
export function tracePartsFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const depthOf = (what: string) =>
    table.rows
      .filter((row) => row.what === what)
      .reduce((sum, { bytes }) => sum + Number(bytes), 0);
  const order = distinct(table, 'what').sort((a, b) => depthOf(b) - depthOf(a));
  const parts = PARTS.filter((part) => table.rows.some((row) => row.part === part));
  const data = parts.map((part): PlotlyObject => {
    const [color, shape] = PART_STYLE[part];
    const rows = rowsWhere(table, (row) => row.part === part);
    return {
      type: 'bar',
      orientation: 'h',
      name: part,
      marker: { color, pattern: { shape, fillmode: 'overlay', solidity: 0.25 } },
      text: rows.map(({ row }) => `${row.share} %`),
      textposition: 'none',
      hovertemplate: `${part}: %{x} bytes, %{text} of %{y}<extra></extra>`,
      ...points(rows, 'bytes', 'what'),
    };
  });
  data.push({
    type: 'scatter',
    mode: 'lines',
    name: `usable in 8 KB: ${USABLE_8K} bytes`,
    line: { color: OKABE_ITO.grey, dash: 'dash', width: 2 },
    x: [USABLE_8K, USABLE_8K],
    y: [order[0], order[order.length - 1]],
    customdata: [0, order.length - 1].map((i) =>
      table.rows.findIndex(({ what }) => what === order[i]),
    ),
    meta: { reference: true },
    hovertemplate: `${USABLE_8K} usable bytes of 8 KB<extra></extra>`,
  });
  const largest = (part: Part) =>
    rowsWhere(table, (row) => row.part === part)
      .map(({ row }) => row)
      .reduce((a, b) => (Number(b.bytes) > Number(a.bytes) ? b : a));
  const fs = largest('file system');
  const mm = largest('memory management');
  const drivers = largest('drivers');
  return resultFigure(result, {
    caption: `Each bar is one thread’s stack, divided by whose frames lie on it, wherever in the chain they come. No part fills a stack by itself: the file system takes ${fs.bytes} bytes at most (${String(fs.what).slice(3)}), memory management ${mm.bytes} (${String(mm.what).slice(3)}), drivers ${drivers.bytes} (${String(drivers.what).slice(3)}). The dashed line is what an 8 KB stack holds.`,
    alt:
      `Stacked bar chart. Vertical: ${order.length} published stack traces, deepest on top. Horizontal: bytes of stack, up to ${depthOf(order[0])}, divided among ${parts.length} parts of the kernel. ` +
      `Largest part of each: ${order.map((what) => `${what}: ${largestOf(result, what)}`).join('; ')}.`,
    data,
    layout: {
      barmode: 'stack',
      height: 640,
      xaxis: axis('stack in use (bytes)', { rangemode: 'tozero' }),
      yaxis: categoryAxis(order),
      legend: legendBelow(-0.12, { traceorder: 'normal' }),
      margin: margins({ b: 140 }),
    },
  });
}

function largestOf({ table }: ExperimentResult, what: string): string {
  const rows = table.rows.filter((row) => row.what === what);
  const most = rows.reduce((a, b) => (Number(b.bytes) > Number(a.bytes) ? b : a));
  return `${most.part} ${most.bytes}`;
}
