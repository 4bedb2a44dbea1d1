import type { ReplayReport } from '../stack/replay';
import { Figure, type PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';

const STYLE = [
  { color: OKABE_ITO.vermillion, dash: 'dash' },
  { color: OKABE_ITO.blue, dash: 'dot' },
  { color: OKABE_ITO.bluishGreen, dash: 'dashdot' },
] as const;

/** The mark says what came of it, without the colour. */
const SYMBOL = {
  none: 'circle',
  silent: 'triangle-down',
  delayed: 'diamond',
  immediate: 'x',
} as const;

const ERA_NAME = {
  '8k': '8 KB, direct map',
  '16k': '16 KB, direct map',
  vmap: '16 KB, vmalloc’ed',
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
      line: { shape: 'hv', color: OKABE_ITO.grey, width: 2 },
      fill: 'tozeroy',
      x,
      y: steps.map(({ depth }) => depth),
      text: steps.map(({ fn }) => fn),
      hovertemplate: 'call %{x}: %{text}<br>%{y} bytes deep<extra></extra>',
    },
  ];
  reports.forEach((report, i) => data.push(...limitTraces(report, i, x.length)));
  return new Figure({
    title: `${longest.maxDepth} bytes of stack against ${reports.length === 1 ? 'one limit' : `${reports.length} limits`}`,
    caption:
      'Each step is one call. Where the grey line crosses a dashed one, the calls have run out of that stack; ' +
      'the mark at its right end says what came of it: ' +
      'a circle where they fit, a triangle for silence, a diamond for a late discovery, a cross for an end at once.',
    alt:
      `Step chart. Horizontal: number of the call, 1 to ${x.length}. Vertical: bytes of stack in use, rising to ` +
      `${longest.maxDepth}. Horizontal lines: ${reports.map(limitText).join('; ')}.`,
    data,
    layout: {
      xaxis: { title: { text: 'call, outermost first' }, rangemode: 'tozero' },
      yaxis: { title: { text: 'stack in use (bytes)' }, rangemode: 'tozero' },
      legend: { orientation: 'h', y: -0.25 },
      margin: { l: 70, r: 30, t: 50, b: 110 },
      height: 480,
    },
    table: {
      columns: ['call', 'function', 'bytes deep'],
      rows: steps.map(({ fn, depth }, n) => [n + 1, fn, depth]),
    },
    command: `npx guardpage replay --trace FILE --era ${reports.map(({ era }) => era).join('|')} --seed ${longest.seed} --json`,
  });
}

function limitTraces(report: ReplayReport, nth: number, calls: number): PlotlyObject[] {
  const { color, dash } = STYLE[nth % STYLE.length];
  const name = `${ERA_NAME[report.era]}: ${verdict(report)}`;
  return [
    {
      type: 'scatter',
      mode: 'lines',
      name,
      legendgroup: report.era,
      line: { color, dash, width: 2 },
      x: [0, calls + 1 + nth],
      y: [report.usable, report.usable],
      hovertemplate: `${ERA_NAME[report.era]}: ${report.usable} usable bytes<extra></extra>`,
    },
    {
      type: 'scatter',
      mode: 'markers',
      name,
      legendgroup: report.era,
      showlegend: false,
      marker: { color, symbol: SYMBOL[report.outcome], size: 13 },
      x: [calls + 1 + nth],
      y: [report.usable],
      hovertemplate: `${verdict(report)}<extra></extra>`,
    },
  ];
}

const limitText = (report: ReplayReport) =>
  `${ERA_NAME[report.era]} at ${report.usable} bytes, ${verdict(report)}`;

/** What came of a replay, in a few words. */
export function verdict({ outcome, headroom, detector, machine }: ReplayReport): string {
  if (outcome === 'none') return `fits, ${headroom} bytes left`;
  if (outcome === 'silent') return `${-headroom} bytes over, nothing noticed`;
  const who = detector ?? 'nobody';
  return `${-headroom} bytes over, ${outcome === 'immediate' ? 'stopped by' : 'found later by'} ${who}, machine ${machine}`;
}
