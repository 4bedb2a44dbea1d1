import type { Agreement } from '../experiments/agreement';
import { round } from '../experiments/table';
import { Figure, type PlotlyObject } from './figure';
import { OKABE_ITO, SERIES } from './palette';
import { legendBelow, margins, marker, shareAxis } from './parts';

const ENDINGS = [
  { ending: 'immediate', name: 'stopped at once', style: SERIES[2] },
  { ending: 'delayed', name: 'noticed later', style: SERIES[3] },
  { ending: 'silent', name: 'never noticed', style: SERIES[1] },
] as const;

/**
 * Recorded overruns against simulated ones: each mark one kernel, kind of overrun and ending.
 *
 * @param command what makes the agreement again
 */
export function agreementFigure(
  { rows, runs, trials }: Agreement,
  command: string = 'npx guardpage agreement',
): Figure {
  const marks = rows.flatMap(({ kernel, mode, runs: n, real, interval, simulated }) =>
    ENDINGS.map(({ ending }) => ({
      kernel,
      mode,
      n,
      ending,
      real: round(real[ending]),
      low: round(interval[ending].low),
      high: round(interval[ending].high),
      simulated: round(simulated[ending]),
    })),
  );
  const inside = marks.filter((mark) => mark.low <= mark.simulated && mark.simulated <= mark.high);
  const data = ENDINGS.map(({ ending, name, style }): PlotlyObject => {
    const own = marks.filter((mark) => mark.ending === ending);
    return {
      type: 'scatter',
      mode: 'markers',
      name,
      marker: marker(style, false, 9),
      error_x: {
        type: 'data',
        symmetric: false,
        array: own.map(({ real, high }) => round(high - real)),
        arrayminus: own.map(({ real, low }) => round(real - low)),
        thickness: 0.7,
        width: 2,
        color: style.color,
      },
      x: own.map(({ real }) => real),
      y: own.map(({ simulated }) => simulated),
      customdata: own.map((mark) => marks.indexOf(mark)),
      text: own.map(({ kernel, mode, n }) => `${kernel}, ${mode}, ${n} runs`),
      hovertemplate:
        '%{text}: recorded %{x:.0%}, simulated %{y:.0%}<extra>%{fullData.name}</extra>',
    };
  });
  data.push({
    type: 'scatter',
    mode: 'lines',
    name: 'the same',
    line: { color: OKABE_ITO.grey, width: 1.5, dash: 'dash' },
    x: [0, 1],
    y: [0, 1],
    meta: { reference: true },
    hoverinfo: 'skip',
  });
  return new Figure({
    title: 'Recorded and simulated overruns',
    caption:
      `Each mark is one ending of one kind of overrun on one kernel: its share on the real machine, with its 95 % interval, against its share in the simulation of the same runs. ` +
      `Whiskers that cross the dashed line agree: ${inside.length} of ${marks.length}.`,
    alt:
      `Scatter plot. Horizontal: recorded share, 0 to 100 %, of ${runs} runs. Vertical: simulated share, 0 to 100 %, of ${trials} trials. ` +
      `${inside.length} of ${marks.length} intervals hold the simulated share.`,
    data,
    layout: {
      height: 620,
      xaxis: shareAxis('recorded share (%)'),
      yaxis: shareAxis('simulated share (%)'),
      legend: legendBelow(-0.13),
      margin: margins({ b: 100 }),
    },
    table: {
      columns: ['kernel', 'overrun', 'runs', 'ending', 'recorded', 'from', 'to', 'simulated'],
      rows: marks.map(({ kernel, mode, n, ending, real, low, high, simulated }) => [
        kernel,
        mode,
        n,
        ending,
        real,
        low,
        high,
        simulated,
      ]),
    },
    command,
  });
}
