import type { ExperimentResult } from '../experiments/experiment';
import type { ResultTable } from '../experiments/table';
import type { Figure, PlotlyObject } from './figure';
import { ERA_STYLE, OKABE_ITO, SERIES, type Style } from './palette';
import {
  axis,
  distinct,
  legendBelow,
  margins,
  marker,
  points,
  resultFigure,
  rowsWhere,
  shareAxis,
  type NumberedRow,
} from './parts';

const LAYOUT_STYLE: Readonly<Record<string, Style>> = {
  '8 KB, direct map': ERA_STYLE['8k'],
  '16 KB, direct map': ERA_STYLE['16k'],
  '16 KB, vmalloc': ERA_STYLE.vmap,
  '8 KB + guard in the direct map': SERIES[3],
  '16 KB + guard in the direct map': SERIES[4],
};

/** Lines that lie on one another are drawn the first one widest, so that all are seen. */
const WIDTHS = [2, 8, 5, 2, 2];

/** Memory and direct-map leaves against the number of threads, for every way to lay out a stack. */
export function stackMemoryFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const layouts = distinct(table, 'layout');
  const panels = [
    { key: 'totalMb', y: 'y', unit: 'MB', showlegend: true },
    { key: 'leaves', y: 'y2', unit: 'leaves', showlegend: false },
  ] as const;
  const data = panels.flatMap(({ key, y, unit, showlegend }) =>
    layouts.map((layout, i): PlotlyObject => {
      const style = LAYOUT_STYLE[layout] ?? SERIES[5];
      const rows = rowsWhere(table, (row) => row.evidence === 'model' && row.layout === layout);
      return {
        type: 'scatter',
        mode: 'lines+markers',
        name: layout,
        legendgroup: layout,
        showlegend,
        yaxis: y,
        line: { color: style.color, dash: style.dash, width: WIDTHS[i] ?? 2 },
        marker: marker(style, false, 6 + (WIDTHS[i] ?? 2)),
        hovertemplate: `%{x} threads: %{y} ${unit}<extra>${layout}</extra>`,
        ...points(rows, 'threads', key),
      };
    }),
  );
  const real = rowsWhere(table, ({ evidence }) => evidence === 'recorded');
  data.push({
    type: 'scatter',
    mode: 'markers',
    name: '16 KB, vmalloc (recorded)',
    marker: { color: OKABE_ITO.grey, symbol: 'star-open', size: 13, line: { width: 2 } },
    hovertemplate: '%{x} threads: %{y} MB, recorded<extra></extra>',
    ...points(real, 'threads', 'totalMb'),
  });
  const last = (layout: string) => {
    const rows = table.rows.filter((row) => row.evidence === 'model' && row.layout === layout);
    return rows[rows.length - 1];
  };
  const leaves = (layout: string) => Number(last(layout).leaves);
  const most = last(layouts[0]);
  const decade = Math.ceil(Math.log10(leaves('16 KB + guard in the direct map')) + 0.05);
  return resultFigure(result, {
    caption: `Above: a vmalloc’ed stack with its guard costs hardly more than the same stack in the direct map, for the guard is an address without memory. A guard page in the direct map is a real page, and with the next order the block doubles. Below: each such guard also splits the large page that mapped it; the direct map then takes ${Math.round(leaves('16 KB + guard in the direct map') / leaves('16 KB, vmalloc'))} times as many entries.`,
    alt: `Two line charts, one above the other. Horizontal: threads, up to ${most.threads}. Vertical above: memory in MB, rising in straight lines to ${layouts
      .map((layout) => `${last(layout).totalMb} (${layout})`)
      .join(
        ', ',
      )}. Vertical below, logarithmic: leaves of the direct map, ${leaves('16 KB, vmalloc')} for all without a guard there, up to ${leaves('16 KB + guard in the direct map')} with guards.`,
    data,
    layout: {
      height: 720,
      grid: { rows: 2, columns: 1 },
      xaxis: axis('threads (number)', { rangemode: 'tozero', anchor: 'y2' }),
      yaxis: axis('memory (MB)', { rangemode: 'tozero', domain: [0.42, 1] }),
      yaxis2: axis('direct-map leaves (number)', {
        type: 'log',
        dtick: 1,
        range: [2.8, decade],
        domain: [0, 0.34],
      }),
      legend: legendBelow(-0.12),
      margin: margins({ b: 140 }),
    },
  });
}

const ORDER2_SERIES = [
  { request: '8 KB, order 1', pages: 'user', compaction: 'no', name: '8 KB: order 1' },
  { request: '16 KB, order 2', pages: 'user', compaction: 'no', name: '16 KB: order 2' },
  {
    request: '16 KB, order 2',
    pages: 'user',
    compaction: 'yes',
    name: '16 KB: order 2, compaction, user pages between',
  },
  {
    request: '16 KB, order 2',
    pages: 'kernel',
    compaction: 'yes',
    name: '16 KB: order 2, compaction, kernel pages between',
  },
  {
    request: '16 KB, 4 × order 0 (vmalloc)',
    pages: 'user',
    compaction: 'no',
    name: '16 KB: vmalloc',
  },
] as const;

type Order2Series = (typeof ORDER2_SERIES)[number];

/** The points of one line, least scattered memory first. */
function modelRows(
  table: ResultTable,
  { request, pages, compaction }: Order2Series,
): NumberedRow[] {
  const wanted = rowsWhere(
    table,
    (row) =>
      row.evidence === 'model' &&
      row.request === request &&
      row.pages === pages &&
      row.compaction === compaction,
  );
  return wanted.sort((a, b) => Number(a.row.unusable) - Number(b.row.unusable));
}

/** Recorded free lists after which the kernel did or did not have to kill. */
const recordedRows = (table: ResultTable, failed: boolean): NumberedRow[] =>
  rowsWhere(
    table,
    (row) =>
      row.evidence === 'recorded' && /OOM|panic|not all/.test(String(row.happened)) === failed,
  );

/** The lowest and the highest share of some points. */
function ends(rows: readonly NumberedRow[]): string {
  const shares = rows.map(({ row }) => Math.round(100 * Number(row.share)));
  return `${Math.min(...shares)} to ${Math.max(...shares)} %`;
}

/** Threads that got a stack against how scattered free memory is. */
export function order2Figure(result: ExperimentResult): Figure {
  const { table, params } = result;
  const data: PlotlyObject[] = ORDER2_SERIES.map((series, i) => {
    const rows = modelRows(table, series);
    const { color, dash } = SERIES[i];
    return {
      type: 'scatter',
      mode: 'lines+markers',
      name: series.name,
      line: { color, dash, width: 2 },
      marker: marker(SERIES[i], false, 8),
      hovertemplate: '%{x:.1%} unusable: %{y:.0%} got a stack<extra>%{fullData.name}</extra>',
      ...points(rows, 'unusable', 'share'),
    };
  });
  for (const [name, wanted, symbol, color] of [
    ['recorded free list: all threads made', false, 'circle-open', OKABE_ITO.grey],
    ['recorded free list: OOM killer or panic', true, 'x-thin-open', OKABE_ITO.grey],
  ] as const) {
    const rows = recordedRows(table, wanted);
    data.push({
      type: 'scatter',
      mode: 'markers',
      name,
      marker: { color, symbol, size: 11, line: { width: 2, color } },
      text: rows.map(({ row }) => `${row.case}: ${row.happened}; asked as ${row.request}`),
      hovertemplate: '%{text}<br>%{x:.1%} unusable: %{y:.0%} in the model<extra></extra>',
      ...points(rows, 'unusable', 'share'),
    });
  }
  return resultFigure(result, {
    caption: `The more of free memory lies in single pages, the fewer of ${params.threads} threads get four pages that lie together. Compaction helps where the pages between can be moved, not where they are the kernel’s. Four single pages are to be had as long as there is memory. Grey marks: the same requests made of free lists that real kernels printed; a cross where the OOM killer or a panic followed there.`,
    alt:
      `Line chart. Horizontal: part of free memory unusable for order 2, 0 to 100 %. Vertical: share of ${params.threads} threads that got a stack, 0 to 100 %. ` +
      `${ORDER2_SERIES.map((series) => `${series.name}: ${ends(modelRows(table, series))}`).join('; ')}. Recorded lists where the OOM killer or a panic followed: ${ends(recordedRows(table, true))}; where all threads were made: ${ends(recordedRows(table, false))}.`,
    data,
    layout: {
      height: 560,
      xaxis: shareAxis('free memory unusable for order 2 (%)'),
      yaxis: shareAxis('threads that got a stack (%)'),
      legend: legendBelow(-0.17),
      margin: margins({ b: 190 }),
    },
  });
}
