import type { ExperimentResult } from '../experiments/experiment';
import type { Figure, PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import { axis, legendBelow, margins, points, resultFigure, rowsWhere } from './parts';

const BANDS = [
  { color: OKABE_ITO.orange, shape: '/' },
  { color: OKABE_ITO.reddishPurple, shape: '\\' },
] as const;

/** Memory saved by stacks that grow on a fault, against how many threads ever go deep. */
export function dynamicFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const model = rowsWhere(table, ({ evidence }) => evidence === 'model');
  const dots = rowsWhere(table, (row) => row.evidence === 'recorded' && row.deep !== null);
  const bands = rowsWhere(table, (row) => row.evidence === 'recorded' && row.deep === null);
  const data: PlotlyObject[] = [
    {
      type: 'scatter',
      mode: 'lines+markers',
      name: 'model',
      line: { color: OKABE_ITO.blue, width: 2, dash: 'solid' },
      marker: { color: OKABE_ITO.blue, symbol: 'circle', size: 8 },
      text: model.map(({ row }) => `${row.dynamicKb} of ${row.staticKb} kB, ${row.faults} faults`),
      hovertemplate: '%{x} % ever deep: %{y} % saved (%{text})<extra></extra>',
      ...points(model, 'deep', 'saved'),
    },
    {
      type: 'scatter',
      mode: 'markers',
      name: 'reported: one host, 2024',
      marker: {
        color: OKABE_ITO.vermillion,
        symbol: 'diamond-open',
        size: 13,
        line: { width: 2 },
      },
      hovertemplate: '%{y} % saved on one host<extra></extra>',
      ...points(dots, 'deep', 'saved'),
    },
  ];
  bands.forEach(({ row, index }, i) => {
    const { color, shape } = BANDS[i % BANDS.length];
    const [low, high] = [row.saved, row.savedHigh];
    data.push({
      type: 'scatter',
      mode: 'lines',
      name: `reported: ${row.what}`,
      line: { color, width: 1, dash: 'dot' },
      fill: 'toself',
      fillpattern: { shape, fgcolor: color, fgopacity: 0.7, solidity: 0.2 },
      x: [0, 100, 100, 0, 0],
      y: [low, low, high, high, low],
      customdata: [index, index, index, index, index],
      meta: { reference: true },
      hoverinfo: 'name',
    });
  });
  const [first, last] = [model[0], model[model.length - 1]];
  return resultFigure(result, {
    caption: `If no thread ever leaves its first page, ${first.row.saved} % of all stack memory is saved; every thread that goes deep once takes its pages for good. If all of them ran calls as deep as those that people posted, ${last.row.saved} % would still be saved. Hatched: what the proposals report.`,
    alt: `Line chart. Horizontal: threads that ever went deep, 0 to 100 %. Vertical: stack memory saved, falling from ${first.row.saved} % to ${last.row.saved} %. Reported: ${[...dots, ...bands].map(({ row }) => `${row.saved} to ${row.savedHigh} % (${row.what})`).join(', ')}.`,
    data,
    layout: {
      height: 500,
      xaxis: axis('threads that ever went deep (%)', { range: [-2, 102], zeroline: false }),
      yaxis: axis('stack memory saved (%)', { range: [0, 100] }),
      legend: legendBelow(-0.2),
      margin: margins({ b: 150 }),
    },
  });
}
