import type { ReplayReport } from '../stack/replay';
import { Figure, type PlotlyObject } from './figure';
import { ERA_NAME, ERA_STYLE, OKABE_ITO } from './palette';
import { axis, legendBelow, margins } from './parts';

/** The mark says what came of it, without the colour. */
const SYMBOL = {
  none: 'circle',
  silent: 'triangle-down',
  delayed: 'diamond',
  immediate: 'x',
} as const;

/**
 * Stack depth along a trace against the limits of the stacks it was replayed in, the outcome of each marked.
 *
 * @param reports one trace replayed in one or more eras; the depths are those of the deepest replay
 * @throws RangeError without a report
 */
export function depthFigure(reports: readonly ReplayReport[]): Figure {
  if (reports.length === 0) throw new RangeError('reports: expected at least one replay, got none');
  const longest = reports.reduce((a, b) => (b.steps.length > a.steps.length ? b : a));
  const { steps } = longest;
  const x = steps.map((_, i) => i + 1);
  const data: PlotlyObject[] = [
    {
      type: 'scatter',
      mode: 'lines',
      name: 'stack in use',
      line: { shape: 'hv', color: OKABE_ITO.grey, width: 2, dash: 'solid' },
      fill: 'tozeroy',
      x,
      y: steps.map(({ depth }) => depth),
      customdata: x.map((call) => call - 1),
      text: steps.map(({ fn }) => fn),
      hovertemplate: 'call %{x}: %{text}<br>%{y} bytes deep<extra></extra>',
    },
  ];
  reports.forEach((report, i) => data.push(...limitTraces(report, i, steps.length)));
  return new Figure({
    title: `${longest.deeper ? 'At least ' : ''}${longest.maxDepth} bytes of stack against ${reports.length === 1 ? 'one limit' : `${reports.length} limits`}`,
    caption:
      'Each step is one call. Where the grey line crosses a dashed one, the calls have run out of that stack; ' +
      'the mark at its right end says what came of it: ' +
      'a circle where they fit, a triangle for silence, a diamond for a late discovery, a cross for an end at once.',
    alt:
      `Step chart. Horizontal: number of the call, 1 to ${x.length}. Vertical: bytes of stack in use, rising to ` +
      `${longest.maxDepth}. Horizontal lines: ${reports.map(limitText).join('; ')}.`,
    data,
    layout: {
      xaxis: axis('call, outermost first (number)', { rangemode: 'tozero' }),
      yaxis: axis('stack in use (bytes)', { rangemode: 'tozero' }),
      legend: legendBelow(-0.2),
      margin: margins({ b: 110 }),
      height: 480,
    },
    table: {
      columns: ['call', 'function or limit', 'bytes deep'],
      rows: [
        ...steps.map(({ fn, depth }, n) => [n + 1, fn, depth]),
        ...reports.map((report) => ['–', `limit: ${limitText(report)}`, report.usable]),
      ],
    },
    command: `npx guardpage replay --trace FILE --era ${reports.map(({ era }) => era).join('|')} --seed ${longest.seed} --json`,
  });
}

function limitTraces(report: ReplayReport, nth: number, calls: number): PlotlyObject[] {
  const { color, dash } = ERA_STYLE[report.era];
  const name = `${ERA_NAME[report.era]}: ${verdict(report)}`;
  const legendgroup = `${report.era} ${nth}`;
  const row = calls + nth;
  return [
    {
      type: 'scatter',
      mode: 'lines',
      name,
      legendgroup,
      line: { color, dash, width: 2 },
      x: [0, calls + 1 + nth],
      y: [report.usable, report.usable],
      customdata: [row, row],
      meta: { reference: true },
      hovertemplate: `${ERA_NAME[report.era]}: ${report.usable} usable bytes<extra></extra>`,
    },
    {
      type: 'scatter',
      mode: 'markers',
      name,
      legendgroup,
      showlegend: false,
      marker: { color, symbol: SYMBOL[report.outcome], size: 13 },
      x: [calls + 1 + nth],
      y: [report.usable],
      customdata: [row],
      meta: { reference: true },
      hovertemplate: `${verdict(report)}<extra></extra>`,
    },
  ];
}

const limitText = (report: ReplayReport) =>
  `${ERA_NAME[report.era]} at ${report.usable} bytes, ${verdict(report)}`;

/** What came of a replay, in a few words. */
export function verdict({ outcome, headroom, deeper, detector, machine }: ReplayReport): string {
  if (outcome === 'none')
    return deeper
      ? `what is listed fits, at most ${headroom} bytes left`
      : `fits, ${headroom} bytes left`;
  if (outcome === 'silent') return `${-headroom} bytes over, nothing noticed`;
  const who = detector ?? 'nobody';
  return `${-headroom} bytes over, ${outcome === 'immediate' ? 'stopped by' : 'found later by'} ${who}, machine ${machine}`;
}
