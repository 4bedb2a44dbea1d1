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
  marker,
  panelTitle,
  points,
  REVERSED,
  resultFigure,
  rowsWhere,
  type NumberedRow,
} from './parts';

const PANELS = [
  { evidence: 'model', unit: 'context switches', x: 'x', y: 'y' },
  { evidence: 'recorded', unit: 's', x: 'x2', y: 'y2' },
] as const;

/** Whiskers from the earliest to the latest sighting. */
function range(rows: readonly NumberedRow[], color: string): PlotlyObject {
  const difference = (a: string, b: string) =>
    rows.map(({ row }) => Number((Number(row[a]) - Number(row[b])).toFixed(6)));
  return {
    type: 'data',
    symmetric: false,
    array: difference('last', 'median'),
    arrayminus: difference('median', 'first'),
    thickness: 1.2,
    width: 3,
    color,
  };
}

/** Who noticed, and when: median and range of each detector, model and recording side by side. */
export function detectionFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const kernels = distinct(table, 'kernel');
  const earliest = (detector: string) =>
    Math.min(
      ...table.rows
        .filter((row) => row.detector === detector && row.evidence === 'model')
        .map((row) => Number(row.median)),
    );
  const detectors = distinct(table, 'detector')
    .filter((name) => name !== 'nobody')
    .sort((a, b) => earliest(a) - earliest(b));
  const traces = PANELS.flatMap(({ evidence, unit, x, y }) =>
    kernels.map((kernel, i): PlotlyObject => {
      const rows = rowsWhere(
        table,
        (row) => row.evidence === evidence && row.kernel === kernel && row.median !== null,
      );
      return {
        type: 'scatter',
        mode: 'markers',
        orientation: 'h',
        name: `${kernel}, ${evidence}: ${never(result, evidence, kernel)} never`,
        offsetgroup: kernel,
        xaxis: x,
        yaxis: y,
        marker: marker(SERIES[i], evidence === 'recorded'),
        error_x: range(rows, SERIES[i].color),
        text: rows.map(({ row }) => `${row.count} of ${row.n}, ${row.first} to ${row.last}`),
        hovertemplate: `median %{x} ${unit} (%{text})<extra>${kernel}</extra>`,
        ...points(rows, 'median', 'detector'),
      };
    }),
  );
  const logAxis = { type: 'log', dtick: 1, exponentformat: 'none' };
  return resultFigure(result, {
    caption:
      'A mark is the median time until something noticed, its whiskers reach from the earliest to the latest. A guard page and the check of the stack’s end speak in the same time slice; in the direct map without them it takes until somebody uses what was damaged. The legend says how many were never noticed.',
    alt:
      `Two dot plots side by side. Vertical: ${detectors.length} ways to notice an overrun. Horizontal, logarithmic: left context switches of the model, right seconds of recorded kernels. ` +
      `Medians in switches and seconds: ${detectors.map((name) => `${name} ${medians(result, name)}`).join('; ')}. Never noticed: ${kernels
        .map((kernel) => `${kernel} ${never(result, 'model', kernel)} in the model`)
        .join(', ')}.`,
    data: firstOnTop(traces),
    layout: {
      scattermode: 'group',
      scattergap: 0.3,
      height: 640,
      xaxis: axis('time until noticed (context switches)', { ...logAxis, domain: [0, 0.47] }),
      xaxis2: axis('time until noticed (s)', { ...logAxis, domain: [0.53, 1], anchor: 'y2' }),
      yaxis: categoryAxis(detectors),
      yaxis2: { ...categoryAxis(detectors), anchor: 'x2', showticklabels: false },
      annotations: [panelTitle('model', 0, 1), panelTitle('recorded', 0.53, 1)],
      legend: legendBelow(-0.13, REVERSED),
      margin: margins({ b: 170 }),
    },
  });
}

/** Medians of a detector over the kernels, model and recorded. */
function medians({ table }: ExperimentResult, detector: string): string {
  const of = (evidence: string) => {
    const found = table.rows.filter(
      (row) => row.evidence === evidence && row.detector === detector && row.median !== null,
    );
    return found.length > 0 ? found.map(({ median }) => median).join(' or ') : 'none';
  };
  return `${of('model')} and ${of('recorded')}`;
}

function never({ table }: ExperimentResult, evidence: string, kernel: string): string {
  const row = table.rows.find(
    (one) => one.evidence === evidence && one.kernel === kernel && one.detector === 'nobody',
  );
  return `${row ? Math.round(Number(row.share)) : 0} %`;
}
