import { hex, tableIndex } from '../x86/addr';
import { flagNames, levelName } from '../x86/pte';
import type { WalkResult } from '../x86/walk';
import { Figure, type PlotlyObject } from './figure';
import { OKABE_ITO, SERIES } from './palette';
import { axis, legendBelow, margins } from './parts';

/** Entries of a table; a page is cut into as many parts. */
const ENTRIES = 512;
const PAGE_COLUMN = 'page';

const FAULT_TEXT: Readonly<Record<string, string>> = {
  'not-present': 'not present',
  'reserved-bit': 'reserved bit set',
  'missing-table': 'table is not in memory',
  'non-canonical': 'not canonical',
};

interface Step {
  readonly walk: number;
  readonly column: string;
  /** Index in the table; in the page, the 512th part that holds the byte. */
  readonly place: number;
  readonly text: string;
  readonly hover: string;
  readonly row: readonly (string | number)[];
}

/**
 * The way of one or more addresses through the page tables: one column a table, from the first (CR3) to the
 * page, a mark at the entry that each walk reads.
 *
 * @param walks of one machine; up to four
 * @throws RangeError for no walk, more than four, or tables of different depths
 */
export function walkFigure(walks: readonly WalkResult[]): Figure {
  if (walks.length === 0 || walks.length > 4) {
    throw new RangeError(`walks: expected one to four, got ${walks.length}`);
  }
  const [{ levels }] = walks;
  if (walks.some((walk) => walk.levels !== levels)) {
    throw new RangeError('walks: expected all with the same number of levels');
  }
  const columns = Array.from({ length: levels }, (_, i) => levelName(levels - i, levels));
  columns.push(PAGE_COLUMN);
  const steps = walks.flatMap((walk, i) => stepsOf(walk, i));
  const data: PlotlyObject[] = columns.map((column) => ({
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
  walks.forEach((walk, i) => data.push(walkTrace(walk, i, steps)));
  return new Figure({
    title:
      walks.length === 1
        ? `The walk of ${hex(walks[0].va)}`
        : `The walks of ${walks.length} addresses`,
    caption:
      'Each column is a table of 512 entries, the first the one that CR3 points to; a mark is the entry that the walk reads, and the line leads on to the table or page that this entry names. A cross is where a walk ends in a fault.',
    alt: `Diagram. Horizontal: ${columns.join(', ')}. Vertical: index of the entry, 0 to 511. ${walks.map(inWords).join(' ')}`,
    data,
    layout: {
      height: 480,
      xaxis: {
        type: 'category',
        categoryarray: columns,
        categoryorder: 'array',
        range: [-0.4, columns.length - 0.35],
        automargin: true,
        title: { text: 'table (level)' },
      },
      yaxis: axis('entry (index, 0–511)', { range: [-45, 545], dtick: 64, zeroline: false }),
      legend: legendBelow(-0.2),
      margin: margins({ b: 110 }),
    },
    table: {
      columns: ['address', 'table', 'index', 'entry at', 'entry', 'flags'],
      rows: steps.map(({ row }) => row),
    },
    command: `npx guardpage walk --tables DIR ${walks.map(({ va }) => `--va ${hex(va)}`).join(' ')} --explain`,
  });
}

function stepsOf(walk: WalkResult, nth: number): Step[] {
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

function walkTrace(walk: WalkResult, nth: number, steps: readonly Step[]): PlotlyObject {
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

function inWords({ va, levels, entries, fault, pa, pageSize }: WalkResult): string {
  const indexes = entries.map(
    ({ level }) => `${levelName(level, levels)} ${tableIndex(va, level)}`,
  );
  const end =
    pa === null
      ? `ends there: ${FAULT_TEXT[fault ?? ''] ?? fault}`
      : `then ${hex(pa)} in a ${pageSize / 1024} KiB page`;
  return `${hex(va)}: ${[...indexes, end].join(', ')}.`;
}
