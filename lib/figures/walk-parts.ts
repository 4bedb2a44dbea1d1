import { hex, tableIndex } from '../x86/addr';
import { flagNames, levelName } from '../x86/pte';
import type { WalkResult } from '../x86/walk';
import type { PlotlyObject } from './figure';
import { OKABE_ITO, SERIES } from './palette';
import { axis } from './parts';

/** Entries of a table; a page is cut into as many parts. */
const ENTRIES = 512;
const PAGE_COLUMN = 'page';

/** Why a walk ended. */
export const FAULT_TEXT: Readonly<Record<string, string>> = {
  'not-present': 'not present',
  'reserved-bit': 'reserved bit set',
  'missing-table': 'table is not in memory',
  'non-canonical': 'not canonical',
};

/** One entry that a walk reads, or the byte that it ends at. */
export interface Step {
  readonly walk: number;
  readonly column: string;
  /** Index in the table; in the page, the 512th part that holds the byte. */
  readonly place: number;
  readonly text: string;
  readonly hover: string;
  readonly row: readonly (string | number)[];
}

/** Names of the tables from the first to the last, and the page. */
export function columnsOf(levels: number): string[] {
  const tables = Array.from({ length: levels }, (_, i) => levelName(levels - i, levels));
  return [...tables, PAGE_COLUMN];
}

/** The columns: what all walks go through. */
export function columnTraces(columns: readonly string[]): PlotlyObject[] {
  return columns.map((column) => ({
    type: 'scatter',
    mode: 'lines',
    name: column,
    showlegend: false,
    line: { color: OKABE_ITO.grey, width: 14, dash: 'solid' },
    opacity: 0.35,
    x: [column, column],
    y: [0, ENTRIES - 1],
    meta: { reference: true },
    hoverinfo: 'skip',
  }));
}

export function columnAxes(columns: readonly string[]): {
  xaxis: PlotlyObject;
  yaxis: PlotlyObject;
} {
  return {
    xaxis: {
      type: 'category',
      categoryarray: columns,
      categoryorder: 'array',
      range: [-0.4, columns.length - 0.35],
      automargin: true,
      title: { text: 'table (level)' },
    },
    yaxis: axis('entry (index, 0–511)', { range: [-45, 545], dtick: 64, zeroline: false }),
  };
}

/** Heads of the table that `Step.row` fills. */
export const STEP_COLUMNS: readonly string[] = [
  'address',
  'table',
  'index',
  'entry at',
  'entry',
  'flags',
];

/** What a walk reads, from the first table down to the byte. */
export function stepsOf(walk: WalkResult, nth: number): Step[] {
  const { va, levels, entries, fault, pa, pageSize } = walk;
  const steps = entries.map(({ level, address, raw }, i): Step => {
    const column = levelName(level, levels);
    const place = tableIndex(va, level);
    const stopped = fault !== null && i === entries.length - 1;
    const flags = stopped ? (FAULT_TEXT[fault] ?? fault) : flagNames(raw, level).join(' ');
    return {
      walk: nth,
      column,
      place,
      text: `[${place}]`,
      hover: `${column}[${place}] = ${hex(raw)}<br>${flags}`,
      row: [hex(va), column, place, hex(address), hex(raw), flags],
    };
  });
  if (pa === null) return steps;
  const offset = Number(pa % BigInt(pageSize));
  const place = Math.floor(offset / (pageSize / ENTRIES));
  steps.push({
    walk: nth,
    column: PAGE_COLUMN,
    place,
    text: `+${offset.toString(16)}`,
    hover: `${hex(pa)}: byte ${offset} of a ${pageSize / 1024} KiB page`,
    row: [hex(va), PAGE_COLUMN, place, hex(pa), '–', `byte ${offset} of ${pageSize / 1024} KiB`],
  });
  return steps;
}

/** One walk as a line with a mark at each step; what lies on an earlier walk has no text again. */
export function walkTrace(walk: WalkResult, nth: number, steps: readonly Step[]): PlotlyObject {
  const { color, dash, symbol } = SERIES[nth];
  const own = steps.filter((step) => step.walk === nth);
  const before = steps.filter((step) => step.walk < nth);
  const last = own.length - 1;
  const isNew = (step: Step) =>
    !before.some(({ column, place }) => column === step.column && place === step.place);
  return {
    type: 'scatter',
    mode: 'lines+markers+text',
    name: `${hex(walk.va)}${walk.fault === null ? '' : `: ${FAULT_TEXT[walk.fault] ?? walk.fault}`}`,
    line: { color, dash, width: 2 },
    marker: {
      color,
      size: own.map((_, i) => (walk.fault !== null && i === last ? 14 : 10)),
      symbol: own.map((_, i) => (walk.fault !== null && i === last ? 'x' : symbol)),
      opacity: 1,
    },
    text: own.map((step) => (isNew(step) ? step.text : '')),
    textposition: ['top right', 'bottom right', 'top left', 'bottom left'][nth],
    cliponaxis: false,
    hovertext: own.map(({ hover }) => hover),
    hovertemplate: '%{hovertext}<extra></extra>',
    x: own.map(({ column }) => column),
    y: own.map(({ place }) => place),
    customdata: own.map((step) => steps.indexOf(step)),
  };
}

/** A walk in a sentence. */
export function inWords({ va, levels, entries, fault, pa, pageSize }: WalkResult): string {
  const indexes = entries.map(
    ({ level }) => `${levelName(level, levels)} ${tableIndex(va, level)}`,
  );
  const end =
    pa === null
      ? `ends there: ${FAULT_TEXT[fault ?? ''] ?? fault}`
      : `then ${hex(pa)} in a ${pageSize / 1024} KiB page`;
  return `${hex(va)}: ${[...indexes, end].join(', ')}.`;
}
