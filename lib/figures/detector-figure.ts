import type { ExperimentResult } from '../experiments/experiment';
import type { Row } from '../experiments/table';
import type { Figure, PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  folded,
  legendBelow,
  margins,
  panelTitle,
  points,
  resultFigure,
  rowsWhere,
} from './parts';

/** What became of the trials of one cell. */
const MARKS: readonly (readonly [
  name: string,
  holds: (share: number) => boolean,
  color: string,
  symbol: string,
])[] = [
  ['noticed in every trial', (share) => share === 1, OKABE_ITO.bluishGreen, 'circle'],
  ['in some', (share) => share > 0 && share < 1, OKABE_ITO.orange, 'diamond'],
  ['in none', (share) => share === 0, OKABE_ITO.vermillion, 'x-thin-open'],
];

/** The kind of overrun that no check ends early, so that the costs can be compared. */
const COMPARED = 'one store, RSP inside';

/** Which check notices which overrun, and how many bytes each check reads and writes in a trial. */
export function detectorMatrixFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const detectors = distinct(table, 'detector');
  const kinds = distinct(table, 'kind');
  const data = MARKS.flatMap(([name, holds, color, symbol]): PlotlyObject[] => {
    const rows = rowsWhere(table, ({ share }) => holds(Number(share)));
    if (rows.length === 0) return [];
    return [
      {
        type: 'scatter',
        mode: 'markers',
        name,
        marker: { color, symbol, size: 15, line: { width: 3, color } },
        text: rows.map(({ row }) => `${row.noticed} of ${row.n}; looks ${row.moment}`),
        hovertemplate: '%{y}, %{x}: %{text}<extra></extra>',
        ...points(rows, 'kind', 'detector', (text) =>
          kinds.includes(text) ? folded(text, 10) : text,
        ),
      },
    ];
  });
  const costs = rowsWhere(table, ({ kind, bytes }) => kind === COMPARED && Number(bytes) > 0);
  data.push({
    type: 'bar',
    orientation: 'h',
    name: 'bytes moved by the checks of a trial',
    xaxis: 'x2',
    yaxis: 'y2',
    marker: {
      color: OKABE_ITO.skyBlue,
      pattern: { shape: '/', fillmode: 'overlay', solidity: 0.3 },
    },
    text: costs.map(({ row }) => `${row.checks} checks`),
    textposition: 'none',
    hovertemplate: '%{y}: %{x} bytes in %{text}<extra></extra>',
    ...points(costs, 'bytes', 'detector'),
  });
  const ofKind = (kind: string) =>
    `${kind}: ${noticing(table.rows, kind).join(', ') || 'none of them'}`;
  const most = costs
    .map(({ row }) => row)
    .reduce((a, b) => (Number(b.bytes) > Number(a.bytes) ? b : a));
  return resultFigure(result, {
    caption:
      `Left: a circle where a check noticed that overrun by itself in all trials, a thin cross where in none. Only the guard page sees all of them; ${kinds.filter((kind) => noticing(table.rows, kind).length === 1).length} of ${kinds.length} kinds nothing else sees. ` +
      `Right: what the checks read and wrote in the same stretch of work, on a logarithmic scale; the most costly, ${most.detector}, moves ${most.bytes} bytes, a guard page none.`,
    alt:
      `Dot plot and bar chart side by side. Vertical: ${detectors.length} checks. Horizontal left: ${kinds.length} kinds of overrun, with who notices each: ${kinds.map(ofKind).join('; ')}. ` +
      `Horizontal right, logarithmic: bytes moved in a trial, ${costs.map(({ row }) => `${row.detector} ${row.bytes}`).join(', ')}.`,
    data,
    layout: {
      height: 520,
      xaxis: {
        ...categoryAxis(kinds.map((kind) => folded(kind, 10)).reverse()),
        domain: [0, 0.6],
        tickangle: -35,
      },
      xaxis2: axis('moved in a trial (bytes)', {
        type: 'log',
        // Every second power of ten: over more than five of them the labels would touch.
        dtick: 2,
        domain: [0.67, 1],
        anchor: 'y2',
        exponentformat: 'none',
        range: [2, Math.ceil(Math.log10(Number(most.bytes)))],
      }),
      yaxis: categoryAxis(detectors),
      yaxis2: { ...categoryAxis(detectors), anchor: 'x2', showticklabels: false },
      annotations: [panelTitle('notices', 0, 1), panelTitle('costs', 0.67, 1)],
      legend: legendBelow(-0.36),
      margin: margins({ b: 150 }),
    },
  });
}

const noticing = (rows: readonly Row[], kind: string): string[] =>
  rows
    .filter((row) => row.kind === kind && Number(row.share) > 0)
    .map(({ detector }) => String(detector));
