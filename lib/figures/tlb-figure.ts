import type { ExperimentResult } from '../experiments/experiment';
import type { Row } from '../experiments/table';
import type { Figure, PlotlyObject } from './figure';
import { ERA_STYLE } from './palette';
import { axis, legendBelow, margins, marker, points, resultFigure, rowsWhere } from './parts';

/** Misses of the TLB on the stacks of threads that take turns, against their number. */
export function tlbReachFigure(result: ExperimentResult): Figure {
  const { table, params } = result;
  const tlbs = [...new Set(table.rows.map(({ tlb }) => String(tlb)))];
  const layouts = [
    { layout: 'direct map', style: ERA_STYLE['16k'], name: 'direct map, 2 MiB leaves' },
    { layout: 'vmalloc', style: ERA_STYLE.vmap, name: 'vmalloc, 4 KiB leaves' },
  ] as const;
  const data = layouts.flatMap(({ layout, style, name }) =>
    tlbs.map((tlb, i): PlotlyObject => {
      const rows = rowsWhere(table, (row) => row.layout === layout && row.tlb === tlb);
      return {
        type: 'scatter',
        mode: 'lines+markers',
        name: `${name}; TLB of ${tlb}`,
        line: {
          color: style.color,
          dash: i === 0 ? 'solid' : 'dot',
          width: layout === 'vmalloc' ? 2 : 5 - 3 * i,
        },
        marker: marker(
          { ...style, symbol: `${style.symbol}` },
          i === 1,
          layout === 'vmalloc' ? 8 : 11 - 3 * i,
        ),
        text: rows.map(
          ({ row }) => `${row.entries} entries wanted, ${row.reads} reads of page tables`,
        ),
        hovertemplate: '%{x} threads: %{y} misses a turn (%{text})<extra>%{fullData.name}</extra>',
        ...points(rows, 'threads', 'misses'),
      };
    }),
  );
  const at = (layout: string, tlb: string, threads: number) =>
    table.rows.find(
      (row: Row) => row.layout === layout && row.tlb === tlb && row.threads === threads,
    );
  const most = Math.max(...table.rows.map(({ threads }) => Number(threads)));
  const [first, second] = tlbs;
  const needed = (layout: string) => at(layout, first, most)?.entries;
  return resultFigure(result, {
    caption:
      `${most} stacks, ${params.pages} pages of each in use, take ${needed('direct map')} entries of a TLB in the direct map and ${needed('vmalloc')} in the vmalloc area. ` +
      'Misses begin before the entries run out: vmalloc’ed stacks start every eight pages, so that the same page of each falls into an eighth of the TLB’s sets.',
    alt:
      `Line chart. Horizontal, logarithmic: threads that take turns, 1 to ${most}. Vertical: TLB misses on the stack for each turn, 0 to ${params.pages}. ` +
      `In the direct map ${at('direct map', first, most)?.misses} at ${most} threads; in the vmalloc area ${at('vmalloc', first, 64)?.misses} at 64 threads and ${at('vmalloc', first, most)?.misses} at ${most} with ${first}, ${at('vmalloc', second, 64)?.misses} and ${at('vmalloc', second, most)?.misses} with ${second}.`,
    data,
    layout: {
      height: 480,
      xaxis: axis('threads that take turns (number)', {
        type: 'log',
        tickvals: [1, 4, 16, 64, 256, 1024],
      }),
      yaxis: axis('TLB misses (per turn)', { range: [-0.08, Number(params.pages) + 0.2] }),
      legend: legendBelow(-0.2, { orientation: 'v' }),
      margin: margins({ b: 170 }),
    },
  });
}
