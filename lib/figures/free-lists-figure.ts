import type { ExperimentResult } from '../experiments/experiment';
import { FREE_PARTS } from '../experiments/free-lists';
import type { Figure, PlotlyObject } from './figure';
import { SERIES, type Style } from './palette';
import {
  categoryAxis,
  distinct,
  legendBelow,
  margins,
  points,
  resultFigure,
  rowsWhere,
  shareAxis,
} from './parts';

const STYLES: readonly Style[] = [SERIES[1], SERIES[3], SERIES[4], SERIES[2]];

/** Free memory of recorded machines by the size of the blocks that it lies in: one bar a zone. */
export function freeListsFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const zones = distinct(table, 'label');
  const data = FREE_PARTS.map((part, i): PlotlyObject => {
    const { color, pattern } = STYLES[i];
    const rows = rowsWhere(table, (row) => row.part === part);
    return {
      type: 'bar',
      orientation: 'h',
      name: part,
      marker: { color, pattern: { shape: pattern, solidity: 0.25 } },
      text: rows.map(({ row }) => `${row.blocks} blocks, ${row.kb} kB`),
      textposition: 'none',
      hovertemplate: '%{y}: %{x:.1%} of free memory, %{text}<extra>%{fullData.name}</extra>',
      ...points(rows, 'share', 'label'),
    };
  });
  const total = (label: string) =>
    rowsWhere(table, (row) => row.label === label).reduce(
      (sum, { row }) => sum + Number(row.kb),
      0,
    );
  const unusable = zones.map((label) => {
    const usable = rowsWhere(
      table,
      (row) => row.label === label && row.part === FREE_PARTS[FREE_PARTS.length - 1],
    );
    return 1 - usable.reduce((sum, { row }) => sum + Number(row.share), 0);
  });
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  return resultFigure(result, {
    caption: `One bar is the free memory of a zone, ${Math.min(...zones.map(total))} to ${Math.max(...zones.map(total))} kB: in the logs of 2016 when a request of order 2 was refused, in the two guests before 400 threads were asked for. Only the part with crosses can hold a stack of four pages in a row; ${percent(Math.min(...unusable))} to ${percent(Math.max(...unusable))} of a zone’s free memory lies outside it.`,
    alt: `Stacked bar chart. Vertical: ${zones.length} zones of recorded machines. Horizontal: share of free memory, 0 to 100 %, by the size of the blocks. ${zones.map((label, i) => `${label}: ${percent(unusable[i])} useless for order 2`).join('; ')}.`,
    data,
    layout: {
      height: 470,
      barmode: 'stack',
      bargap: 0.3,
      xaxis: shareAxis('share of the zone’s free memory (%)', { range: [0, 1] }),
      yaxis: categoryAxis(zones),
      legend: legendBelow(-0.17, { traceorder: 'normal' }),
      margin: margins({ b: 120 }),
    },
  });
}
