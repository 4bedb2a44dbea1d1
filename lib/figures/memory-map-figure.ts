import type { ExperimentResult } from '../experiments/experiment';
import type { Figure, PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  legendBelow,
  margins,
  resultFigure,
  rowsWhere,
} from './parts';

const FREE = 'free';
const FREE_OPACITY = 0.5;

/** Name in the legend, colour, hatching. */
const STYLES: Readonly<Record<string, readonly [string, string, string]>> = {
  [FREE]: ['free', OKABE_ITO.grey, ''],
  stack: ['stack', OKABE_ITO.vermillion, '/'],
  slab: ['slab', OKABE_ITO.skyBlue, '.'],
};

/** Which page frames belong to what, moment by moment from top to bottom. */
export function memoryMapFigure(result: ExperimentResult): Figure {
  const { table, params } = result;
  const moments = distinct(table, 'moment');
  const frames = Number(params.frames);
  const data = distinct(table, 'class').map((used): PlotlyObject => {
    const [name, color, shape] = STYLES[used];
    const rows = rowsWhere(table, (row) => row.class === used);
    return {
      type: 'bar',
      orientation: 'h',
      name,
      opacity: used === FREE ? FREE_OPACITY : 1,
      marker: {
        color,
        pattern: { shape, fillmode: 'overlay', size: 8, solidity: 0.12 },
        line: { color: used === FREE ? OKABE_ITO.blue : OKABE_ITO.grey, width: 2 },
      },
      width: 0.8,
      text: rows.map(({ row }) => (used === 'stack' ? String(row.whose) : '')),
      textposition: 'inside',
      insidetextanchor: 'middle',
      textangle: 0,
      base: rows.map(({ row }) => row.pfn),
      x: rows.map(({ row }) => row.pages),
      y: rows.map(({ row }) => row.moment),
      customdata: rows.map(({ index }) => index),
      hovertext: rows.map(
        ({ row }) =>
          `${name}${row.whose === null ? '' : ` ${row.whose}`}: page frames ${row.pfn} to ${Number(row.pfn) + Number(row.pages) - 1}, order ${row.order}`,
      ),
      hovertemplate: '%{hovertext}<extra></extra>',
    };
  });
  const stacks = rowsWhere(table, (row) => row.class === 'stack' && row.moment === moments[5]);
  return resultFigure(result, {
    caption:
      'Memory after each step; every box is one block of the allocator, the lowest page frames left. A free block is halved until a piece fits; two halves of one block that are both free are put together again.',
    alt:
      `Bar chart. Horizontal: page frame, 0 to ${frames - 1}. Vertical: ${moments.length} moments from top to bottom. ` +
      `The stacks of four threads begin at page frames ${stacks.map(({ row }) => row.pfn).join(', ')}; at the end all is one free block again.`,
    data,
    layout: {
      barmode: 'overlay',
      height: 150 + 34 * moments.length,
      xaxis: axis('page frame (number)', {
        range: [0, frames],
        dtick: Math.max(4, 2 ** Math.ceil(Math.log2(frames / 16))),
        zeroline: false,
        showgrid: false,
      }),
      yaxis: categoryAxis(moments),
      legend: legendBelow(-0.14),
      margin: margins({ b: 90 }),
    },
  });
}
