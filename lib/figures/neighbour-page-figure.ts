import { hex } from '../x86/addr';
import type { OverrunReport } from '../stack/aftermath';
import { Figure, type PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import { axis, buttonsAbove, flatColors, legendBelow, margins } from './parts';

const PAGE = 4096;
/** Bytes of one row of the picture. */
const WIDTH = 64;

/** What a byte of the page is, in the order of its number in the heat map. */
const STATES = ['zero', 'data', 'changed'] as const;
type State = (typeof STATES)[number] | 'not mapped';

const COLORS: Readonly<Record<(typeof STATES)[number], string>> = {
  zero: OKABE_ITO.grey,
  data: OKABE_ITO.skyBlue,
  changed: OKABE_ITO.vermillion,
};

const CLASS_NAME: Readonly<Record<string, string>> = {
  stack: 'another stack',
  slab: 'slab objects',
  free: 'nobody: a free page',
  pcp: 'nobody: a free page',
  anon: 'a user program',
  file: 'the page cache',
  pagetable: 'a page table',
  kernel: 'the kernel',
  percpu: 'per-CPU data',
};

/** Neighbouring bytes of one state. */
interface Run {
  readonly from: number;
  readonly to: number;
  readonly state: State;
}

/**
 * The page below a stack, byte by byte, before and after an overrun: who owns it and what was changed.
 *
 * @param command what makes the report again; `npx guardpage overrun …` with its options
 */
export function neighbourPageFigure(
  report: OverrunReport,
  command: string = `npx guardpage overrun --seed ${report.seed} --kernel ${report.kernel}`,
): Figure {
  const { before, after, class: pageClass, address } = report.neighbour;
  const states = Array.from({ length: PAGE }, (_, i) => stateOf(before, after, i));
  const runs = runsOf(states);
  const changed = states.filter((state) => state === 'changed').length;
  const owner = pageClass === null ? 'nobody' : (CLASS_NAME[pageClass] ?? pageClass);
  const mapped = before !== null && after !== null;
  return new Figure({
    title: mapped
      ? `The page below the stack belongs to ${owner}: ${changed} bytes changed`
      : 'Below the stack no page is mapped',
    caption: caption(report, changed, mapped),
    alt:
      `Picture of the 4096 bytes below the stack at ${hex(report.stackBase)}, 64 a row, the highest addresses on top, where an overrun comes first. ` +
      (mapped
        ? `It belongs to ${owner}. ${changed} bytes differ after the overrun${changed > 0 ? `, from offset ${states.indexOf('changed')} to ${states.lastIndexOf('changed')}` : ''}.`
        : 'All of it is unmapped.'),
    data: mapped ? pictures(before, after, states, runs) : [nothing()],
    layout: {
      height: 620,
      xaxis: axis('byte of the row (number)', {
        range: [-0.7, WIDTH - 0.3],
        dtick: 8,
        zeroline: false,
      }),
      yaxis: axis('offset in the page (bytes)', {
        range: [-WIDTH, PAGE],
        dtick: 512,
        zeroline: false,
      }),
      legend: legendBelow(-0.14),
      margin: margins({ t: mapped ? 104 : 56, b: 90 }),
      updatemenus: !mapped
        ? []
        : [
            buttonsAbove({
              y: 1.02,
              active: 1,
              buttons: [
                { method: 'restyle', label: 'before', args: [{ visible: [true, false, false] }] },
                { method: 'restyle', label: 'after', args: [{ visible: [false, true, true] }] },
              ],
            }),
          ],
      annotations: [mapped ? legendText() : nothingText()],
    },
    table: {
      columns: ['from offset', 'to offset', 'bytes', 'state', 'was', 'is'],
      rows: runs.map(({ from, to, state }) => [
        from,
        to,
        to - from + 1,
        state,
        excerpt(before, from, to),
        excerpt(after, from, to),
      ]),
    },
    command: `${command} (page at ${hex(address)})`,
  });
}

function caption(report: OverrunReport, changed: number, mapped: boolean): string {
  const { endMagic, threadInfo } = report.ownDamage;
  const own = [
    endMagic ? 'the end magic' : '',
    threadInfo.length > 0 ? `thread_info (${threadInfo.join(', ')})` : '',
  ].filter(Boolean);
  const bottom =
    own.length > 0 ? ` At the bottom of its own stack it overwrote ${own.join(' and ')}.` : '';
  if (!mapped) {
    return `The addresses just below this stack have no memory behind them: a store there can’t change anything, it faults.${bottom}`;
  }
  if (changed === 0) return `Nothing in the page below the stack was changed.${bottom}`;
  return `Each cell is a byte. Grey bytes are zero, blue ones hold data, red ones with a cross differ after the overrun. The buttons show the page before and after.${bottom}`;
}

function stateOf(before: Uint8Array | null, after: Uint8Array | null, i: number): State {
  if (before === null || after === null) return 'not mapped';
  if (before[i] !== after[i]) return 'changed';
  return before[i] === 0 ? 'zero' : 'data';
}

const plainState = (bytes: Uint8Array | null, i: number): State =>
  bytes?.[i] === 0 ? 'zero' : 'data';

function runsOf(states: readonly State[]): Run[] {
  const runs: Run[] = [];
  let from = 0;
  for (let i = 1; i <= states.length; i++) {
    if (i < states.length && states[i] === states[from]) continue;
    runs.push({ from, to: i - 1, state: states[from] });
    from = i;
  }
  return runs;
}

const hexByte = (byte: number) => byte.toString(16).padStart(2, '0');

/** The first bytes of a run. */
function excerpt(bytes: Uint8Array | null, from: number, to: number): string {
  if (bytes === null) return '–';
  const shown = Array.from(bytes.subarray(from, Math.min(to + 1, from + 8)), hexByte).join(' ');
  return to - from >= 8 ? `${shown} …` : shown;
}

function picture(
  name: string,
  states: readonly State[],
  bytes: Uint8Array,
  visible: boolean,
  was?: Uint8Array,
): PlotlyObject {
  const rows = Array.from({ length: PAGE / WIDTH }, (_, row) => row * WIDTH);
  const text = (at: number) => {
    const changed = was && was[at] !== bytes[at];
    return changed ? `${hexByte(bytes[at])}, was ${hexByte(was[at])}` : hexByte(bytes[at]);
  };
  const cells = <T>(cell: (at: number) => T) =>
    rows.map((start) => Array.from({ length: WIDTH }, (_, i) => cell(start + i)));
  return {
    type: 'heatmap',
    name,
    visible,
    showscale: false,
    xgap: 1,
    ygap: 1,
    ...flatColors(STATES.map((state) => COLORS[state])),
    x: Array.from({ length: WIDTH }, (_, i) => i),
    y: rows,
    z: cells((at) => STATES.findIndex((state) => state === states[at]) + 0.5),
    text: cells(text),
    hovertemplate: `offset %{y} + %{x}: %{text}<extra>${name}</extra>`,
  };
}

/** The page before, the page after, and a cross on every changed byte. */
function pictures(
  before: Uint8Array,
  after: Uint8Array,
  states: readonly State[],
  runs: readonly Run[],
): PlotlyObject[] {
  const earlier = states.map((state, i) => (state === 'changed' ? plainState(before, i) : state));
  return [
    picture('before', earlier, before, false),
    picture('after', states, after, true, before),
    crosses(states, runs),
  ];
}

/** An empty frame where there is no page. */
function nothing(): PlotlyObject {
  const [right, top] = [WIDTH - 0.5, PAGE - WIDTH / 2];
  return {
    type: 'scatter',
    mode: 'lines',
    name: 'not mapped',
    showlegend: false,
    line: { color: OKABE_ITO.reddishPurple, width: 2, dash: 'dash' },
    fill: 'toself',
    fillpattern: { shape: '/', fgcolor: OKABE_ITO.reddishPurple, solidity: 0.05, size: 14 },
    x: [-0.5, right, right, -0.5, -0.5],
    y: [-WIDTH / 2, -WIDTH / 2, top, top, -WIDTH / 2],
    meta: { reference: true },
    hoverinfo: 'name',
  };
}

function nothingText(): PlotlyObject {
  return {
    text: 'no page is mapped here: a store faults',
    x: WIDTH / 2,
    y: PAGE / 2,
    showarrow: false,
    font: { size: 18 },
  };
}

/** A cross on every changed byte: the cue besides the colour. */
function crosses(states: readonly State[], runs: readonly Run[]): PlotlyObject {
  const changed = states.flatMap((state, at) => (state === 'changed' ? [at] : []));
  return {
    type: 'scatter',
    mode: 'markers',
    name: 'changed byte',
    showlegend: false,
    hoverinfo: 'skip',
    marker: { color: OKABE_ITO.yellow, symbol: 'x-thin-open', size: 5, line: { width: 1 } },
    x: changed.map((at) => at % WIDTH),
    y: changed.map((at) => at - (at % WIDTH)),
    customdata: changed.map((at) => runs.findIndex(({ from, to }) => from <= at && at <= to)),
  };
}

/** What the colours mean, in words below the axis: a heat map has no legend of its own. */
function legendText(): PlotlyObject {
  const swatch = (state: (typeof STATES)[number], sign: string) =>
    `<span style="color:${COLORS[state]}">${sign}</span> ${state}`;
  return {
    text: [swatch('zero', '■'), swatch('data', '■'), swatch('changed', '✕')].join('   '),
    x: 0,
    y: -0.13,
    xref: 'paper',
    yref: 'paper',
    xanchor: 'left',
    yanchor: 'top',
    showarrow: false,
  };
}
