import type { ExperimentResult } from '../experiments/experiment';
import type { Figure, PlotlyObject } from './figure';
import { ERA_STYLE, OKABE_ITO } from './palette';
import { axis, categoryAxis, legendBelow, margins, points, resultFigure, rowsWhere } from './parts';

const KINDS = [
  { kind: 'whole trace', color: OKABE_ITO.grey, symbol: 'circle' },
  { kind: 'part of a trace', color: OKABE_ITO.reddishPurple, symbol: 'diamond-open' },
  { kind: 'other architecture', color: OKABE_ITO.orange, symbol: 'x-open' },
] as const;

const LIMITS = [ERA_STYLE['8k'], ERA_STYLE['16k'], ERA_STYLE.vmap];

/** Greatest depth of every published trace, shallowest at the bottom, against the usable sizes. */
export function traceDepthsFigure(result: ExperimentResult): Figure {
  const { table, params } = result;
  const traces = rowsWhere(table, ({ kind }) => kind !== 'limit');
  const limits = rowsWhere(table, ({ kind }) => kind === 'limit');
  const order = [...traces]
    .sort((a, b) => Number(b.row.depth) - Number(a.row.depth))
    .map(({ row }) => String(row.what));
  const data: PlotlyObject[] = KINDS.map(({ kind, color, symbol }) => {
    const rows = rowsWhere(table, (row) => row.kind === kind);
    return {
      type: 'scatter',
      mode: 'markers',
      name: kind,
      marker: { color, symbol, size: 10, line: { width: 2, color } },
      text: rows.map(({ row }) => `${row.left8k} left of 8 KB, ${row.left16k} of 16 KB`),
      hovertemplate: '%{x} bytes deep: %{text}<extra>%{y}</extra>',
      ...points(rows, 'depth', 'what'),
    };
  });
  limits.forEach(({ row, index }, i) => {
    const { color, dash } = LIMITS[i];
    data.push({
      type: 'scatter',
      mode: 'lines',
      name: `limit: ${row.what}, ${row.depth} bytes`,
      line: { color, dash, width: 2 },
      x: [row.depth, row.depth],
      y: [order[0], order[order.length - 1]],
      customdata: [index, index],
      meta: { reference: true },
      hovertemplate: `${row.what}: ${row.depth} usable bytes<extra></extra>`,
    });
  });
  const over = traces.filter(({ row }) => Number(row.left8k) < 0).length;
  const close = traces.filter(
    ({ row }) => Number(row.left8k) >= 0 && Number(row.left8k) < 1000,
  ).length;
  const beyond16k = traces.filter(({ row }) => Number(row.left16k) < 0).length;
  const deepest = traces.reduce((a, b) => (Number(b.row.depth) > Number(a.row.depth) ? b : a));
  const extra = Number(params.extra) > 0 ? ` with ${params.extra} bytes more each` : '';
  return resultFigure(result, {
    caption:
      `Every mark is a stack that somebody posted${extra}. ${over} of ${traces.length} are deeper than an 8 KB stack allows, ${close} more end within 1000 bytes of its limit; ` +
      `a 16 KB stack leaves the deepest of them ${deepest.row.left16k} bytes.`,
    alt:
      `Dot plot. Vertical: ${traces.length} published stack traces, deepest on top. Horizontal: depth in bytes, from ${order.length > 0 ? Math.min(...traces.map(({ row }) => Number(row.depth))) : 0} to ${deepest.row.depth}. ` +
      `Vertical lines: usable ${limits.map(({ row }) => `${row.depth} (${row.what})`).join(', ')}. ${over} marks lie beyond the first line, ${beyond16k} beyond the second.`,
    data,
    layout: {
      height: 620,
      xaxis: axis('greatest depth (bytes)', { rangemode: 'tozero' }),
      yaxis: categoryAxis(order),
      legend: legendBelow(-0.13),
      margin: margins({ b: 140 }),
    },
  });
}
