import type { ExperimentResult } from '../experiments/experiment';
import type { Figure, PlotlyObject } from './figure';
import { SERIES } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  firstOnTop,
  legendBelow,
  margins,
  panelTitle,
  points,
  REVERSED,
  resultFigure,
  rowsWhere,
} from './parts';

const PANELS = [
  { key: 'pagesTaken', title: 'from the allocator', unit: 'pages (per fork)' },
  { key: 'entries', title: 'page tables written', unit: 'entries (per fork)' },
  { key: 'pagesWritten', title: 'memory written', unit: 'pages (per fork)' },
  { key: 'flushes', title: 'TLB flushes', unit: 'flushes (per 1000 forks)' },
  { key: 'fromCache', title: 'from the cache', unit: 'stacks (%)' },
  { key: 'relative', title: 'published benchmark', unit: 'iterations (% of VMAP_STACK=n)' },
] as const;

/** Counted operations of a fork for its stack, one panel a kind of operation. */
export function forkCostFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const kernels = distinct(table, 'kernel');
  const patterns = [
    ...new Set(
      rowsWhere(table, ({ evidence }) => evidence === 'model').map(({ row }) =>
        String(row.pattern),
      ),
    ),
  ];
  const data: PlotlyObject[] = [];
  const layout: Record<string, PlotlyObject> = {};
  const annotations: PlotlyObject[] = [];
  PANELS.forEach(({ key, title, unit }, i) => {
    const suffix = i === 0 ? '' : String(i + 1);
    const [left, low] = [i % 2 === 0 ? 0 : 0.54, [0.74, 0.37, 0][Math.floor(i / 2)]];
    layout[`yaxis${suffix}`] = {
      ...categoryAxis(kernels),
      domain: [low, low + 0.22],
      anchor: `x${suffix}`,
      showticklabels: left === 0,
    };
    annotations.push(panelTitle(title, left, low + 0.225));
    const series: [string, string][] =
      key === 'relative'
        ? [['recorded', 'one after the other']]
        : patterns.map((pattern) => ['model', pattern]);
    const most = Math.max(...table.rows.map((row) => Number(row[key] ?? 0)));
    layout[`xaxis${suffix}`] = axis(unit, {
      domain: [left, left + 0.46],
      anchor: `y${suffix}`,
      range: [0, most === 0 ? 1 : 1.08 * most],
      nticks: 5,
    });
    series.forEach(([evidence, pattern], j) => {
      const { color, pattern: shape } = SERIES[key === 'relative' ? 2 : j];
      const rows = rowsWhere(
        table,
        (row) => row.evidence === evidence && row.pattern === pattern && row[key] !== null,
      );
      const name = evidence === 'recorded' ? 'recorded' : `model, ${pattern}`;
      data.push({
        type: 'bar',
        orientation: 'h',
        name,
        legendgroup: name,
        showlegend: i === 0 || key === 'relative',
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        marker: { color, pattern: { shape, fillmode: 'overlay', solidity: 0.35 } },
        hovertemplate: `%{y}: %{x} ${unit}<extra>${title}</extra>`,
        ...points(rows, key, 'kernel'),
      });
    });
  });
  const row = (kernel: string, key: string) =>
    table.rows.find((one) => one.kernel === kernel && one.evidence === 'model')?.[key];
  return resultFigure(result, {
    caption:
      'Without a cache every fork writes page-table entries for its stack and every exit clears them, and freed addresses pile up until one flush. Two cached stacks take all that away where threads come one after the other, less of it where they come in bursts. The last panel is a published benchmark, on one CPU of three: it loses a fifth without a cache and nothing with two cached stacks.',
    alt: `Six bar charts. Vertical in each: ${kernels.join('; ')}. Horizontal: counted operations per fork. Page-table entries one after the other: ${row('16 KB, direct map', 'entries')} in the direct map, ${row('vmalloc, no cache', 'entries')} without a cache, ${row('vmalloc, 2 cached', 'entries')} with two cached stacks; in bursts in between. The recorded benchmark: ${rowsWhere(
      table,
      ({ evidence }) => evidence === 'recorded',
    )
      .map(({ row: real }) => `${real.kernel} ${real.relative} %`)
      .join(', ')}.`,
    data: firstOnTop(data),
    layout: {
      ...layout,
      annotations,
      barmode: 'group',
      bargap: 0.25,
      height: 860,
      legend: legendBelow(-0.09, REVERSED),
      margin: margins({ t: 80, b: 100 }),
    },
  });
}
