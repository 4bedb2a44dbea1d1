import type { NamedBytes } from '../stack/byte-names';
import type { OverrunPicture } from '../stack/overrun-picture';
import { Figure, type PlotlyObject, type Table } from './figure';
import { OKABE_ITO } from './palette';
import { axis, buttonsAbove, flatColors, legendBelow, margins, panelTitle } from './parts';

const PAGE = 4096;
/** Bytes of one row of the picture. */
const WIDTH = 32;
/** Rows of the stack's own bottom that are drawn. */
const ABOVE = 128;

const STATES = ['zero', 'data', 'bottom', 'unmapped', 'changed'] as const;
type State = (typeof STATES)[number];

const COLORS: Readonly<Record<State, string>> = {
  zero: OKABE_ITO.grey,
  data: OKABE_ITO.skyBlue,
  bottom: OKABE_ITO.reddishPurple,
  unmapped: OKABE_ITO.bluishGreen,
  changed: OKABE_ITO.vermillion,
};

const SIGNS: Readonly<Partial<Record<State, string>>> = { changed: '×', unmapped: '·' };

/** One byte of the picture. */
interface Cell {
  /** Distance from the base of the stack; negative: below. */
  readonly at: number;
  readonly was: number | null;
  readonly is: number | null;
  readonly owner: string;
  readonly name: string;
}

const PANELS = [
  { title: 'before', domain: [0, 0.31], axis: 'x' },
  { title: 'after', domain: [0.33, 0.64], axis: 'x2' },
] as const;
const LABELS_FROM = 0.65;

/**
 * Memory around the base of an overrun stack, byte by byte, before and just after: the end of the page below,
 * and above it the end marker and thread_info. Several pictures are told apart by buttons.
 *
 * @param below bytes below the base that are drawn, a multiple of 32 up to 4096
 * @throws RangeError without pictures, or for another `below`
 */
export function stackBaseFigure(
  pictures: OverrunPicture | readonly OverrunPicture[],
  below: number = 576,
): Figure {
  const all = 'report' in pictures ? [pictures] : pictures;
  if (all.length === 0) throw new RangeError('pictures: expected at least one, got none');
  if (!Number.isInteger(below / WIDTH) || below < WIDTH || below > PAGE) {
    throw new RangeError(`below: expected a multiple of 32 from 32 to 4096, got ${below}`);
  }
  const cells = all.map((picture) => cellsOf(picture, below));
  const headings = all.map((picture, i) => heading(picture, cells[i]));
  const annotations = cells.map((own) => [...rowLabels(own), ...fixedLabels(own)]);
  return new Figure({
    title: headings[0],
    caption:
      'Each cell is a byte, 32 a row, the highest addresses on top; an overrun comes from above. The dashed line is the base of the stack: above it the stack’s own lowest bytes, below it the page of somebody else. ' +
      `Crosses mark bytes that differ after the overrun; hover one to read what it is, was and became.${all.length > 1 ? ' The buttons choose the neighbour.' : ''}`,
    alt:
      `Picture of memory from ${below} bytes below the base of a stack to ${ABOVE} above it, 32 bytes a row, the highest addresses on top, before and after an overrun. ` +
      headings.map((text, i) => `${text}${span(cells[i])}.`).join(' '),
    data: cells.flatMap((own, i) => [panel(own, 0, i === 0), panel(own, 1, i === 0)]),
    layout: {
      height: 130 + ((below + ABOVE) / WIDTH) * 17 + (all.length > 1 ? 40 : 0),
      xaxis: byteAxis(0),
      xaxis2: byteAxis(1),
      yaxis: axis('distance from the base of the stack (bytes)', {
        range: [-below - WIDTH / 2, ABOVE - WIDTH / 2],
        dtick: 128,
        zeroline: false,
      }),
      legend: legendBelow(-0.14),
      margin: margins({ t: all.length > 1 ? 116 : 72, b: 84 }),
      shapes: [baseLine()],
      annotations: annotations[0],
      updatemenus: all.length > 1 ? [menu(all, headings, annotations)] : [],
    },
    table: tableOf(all, cells),
    command: [...new Set(all.map(({ command }) => command))].join('; '),
  });
}

function cellsOf({ report, names }: OverrunPicture, below: number): Cell[] {
  const { ownDamage, neighbour, stackBase } = report;
  const cells: Cell[] = [];
  let next = 0;
  for (let at = -below; at < ABOVE; at++) {
    const address = stackBase + BigInt(at);
    while (next < names.length && address >= endOf(names[next])) next++;
    const named = next < names.length && address >= names[next].address ? names[next] : null;
    const [before, after] =
      at < 0 ? [neighbour.before, neighbour.after] : [ownDamage.before, ownDamage.after];
    const offset = at < 0 ? PAGE + at : at;
    cells.push({
      at,
      was: before ? before[offset] : null,
      is: after ? after[offset] : null,
      owner: named?.owner ?? (before ? 'thread_info' : 'guard page'),
      name: named?.name ?? (before ? 'padding' : 'not mapped'),
    });
  }
  return cells;
}

const endOf = ({ address, size }: NamedBytes) => address + BigInt(size);

const isBottom = ({ owner }: Cell) => owner === 'thread_info' || owner === 'end marker';

function stateOf(cell: Cell, after: boolean): State {
  if (cell.was === null) return 'unmapped';
  if (after && cell.was !== cell.is) return 'changed';
  if (isBottom(cell)) return 'bottom';
  return cell.was === 0 ? 'zero' : 'data';
}

const hexByte = (byte: number | null) =>
  byte === null ? 'nothing' : byte.toString(16).padStart(2, '0');
const signed = (n: number) => (n < 0 ? `−${-n}` : `+${n}`);

function panel(cells: readonly Cell[], side: 0 | 1, visible: boolean): PlotlyObject {
  const rows = rowsOf(cells);
  const after = side === 1;
  const states = rows.map((row) => row.map((cell) => stateOf(cell, after)));
  const hover = (cell: Cell) => {
    const value =
      after && cell.was !== cell.is
        ? `${hexByte(cell.is)}, was ${hexByte(cell.was)}`
        : hexByte(cell.was);
    const place = `base ${signed(cell.at)}: ${value}`;
    return after ? `${place}<br>${cell.owner}<br>${cell.name}` : place;
  };
  return {
    type: 'heatmap',
    name: PANELS[side].title,
    visible,
    xaxis: PANELS[side].axis,
    yaxis: 'y',
    showscale: false,
    xgap: 1,
    ygap: 1,
    ...flatColors(STATES.map((state) => COLORS[state])),
    x: Array.from({ length: WIDTH }, (_, i) => i),
    y: rows.map(([first]) => first.at),
    z: states.map((row) => row.map((state) => STATES.indexOf(state) + 0.5)),
    text: states.map((row) => row.map((state) => SIGNS[state] ?? '')),
    texttemplate: '%{text}',
    textfont: { size: 8, color: OKABE_ITO.yellow },
    hovertext: rows.map((row) => row.map(hover)),
    hovertemplate: '%{hovertext}<extra>%{fullData.name}</extra>',
  };
}

function rowsOf(cells: readonly Cell[]): Cell[][] {
  return Array.from({ length: cells.length / WIDTH }, (_, i) =>
    cells.slice(i * WIDTH, (i + 1) * WIDTH),
  );
}

/** What begins in a row, said at its right: the highest address, which an overrun reaches first, comes first. */
function rowLabels(cells: readonly Cell[]): PlotlyObject[] {
  const labels: PlotlyObject[] = [];
  let above: readonly string[] = [];
  for (const row of rowsOf(cells).reverse()) {
    const all = [...new Set(row.map(labelOf).reverse())].filter((name) => name !== 'padding');
    const names = all.length > 1 ? all.filter((name) => name !== FRAMES) : all;
    const fresh = names.filter((name) => !above.includes(name));
    if (fresh.length > 0) labels.push(label(shortened(fresh.join(', ')), row[0].at));
    above = names;
  }
  return labels;
}

const labelOf = (cell: Cell) => (cell.at < 0 ? cell.owner : isBottom(cell) ? cell.name : FRAMES);
const FRAMES = 'room for frames';

const MOST_LETTERS = 36;
const shortened = (text: string) =>
  text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;

const label = (text: string, y: number): PlotlyObject => ({
  text,
  x: LABELS_FROM,
  y,
  xref: 'paper',
  yref: 'y',
  xanchor: 'left',
  yanchor: 'middle',
  showarrow: false,
  font: { size: 10 },
});

/** Headings of the panels, and what the colours mean. */
function fixedLabels(cells: readonly Cell[]): PlotlyObject[] {
  const states: readonly State[] = cells.some(({ was }) => was === null)
    ? ['unmapped', 'bottom', 'changed']
    : ['zero', 'data', 'bottom', 'changed'];
  const words: Readonly<Record<State, string>> = {
    zero: '■ zero',
    data: '■ data',
    bottom: cells.some(({ owner }) => owner === 'thread_info')
      ? '■ thread_info, end marker'
      : '■ end marker',
    unmapped: '■ not mapped',
    changed: '× changed',
  };
  const text = states
    .map(
      (state) =>
        `<span style="color:${COLORS[state]}">${words[state].slice(0, 1)}</span>${words[state].slice(1)}`,
    )
    .join('   ');
  return [
    ...PANELS.map(({ title, domain }) => panelTitle(title, domain[0], 1.005)),
    {
      text,
      x: 0,
      y: 0,
      yshift: -46,
      xref: 'paper',
      yref: 'paper',
      xanchor: 'left',
      yanchor: 'top',
      showarrow: false,
    },
  ];
}

const byteAxis = (side: 0 | 1) =>
  axis('byte of the row (number)', {
    domain: PANELS[side].domain,
    range: [-0.6, WIDTH - 0.4],
    dtick: 8,
    zeroline: false,
    ...(side === 1 ? { anchor: 'y' } : {}),
  });

const baseLine = (): PlotlyObject => ({
  type: 'line',
  xref: 'paper',
  x0: 0,
  x1: PANELS[1].domain[1],
  yref: 'y',
  y0: -WIDTH / 2,
  y1: -WIDTH / 2,
  line: { color: OKABE_ITO.vermillion, width: 1.5, dash: 'dash' },
});

function menu(
  pictures: readonly OverrunPicture[],
  headings: readonly string[],
  annotations: readonly (readonly PlotlyObject[])[],
): PlotlyObject {
  return buttonsAbove({
    y: 1,
    pad: { b: 26 },
    active: 0,
    buttons: pictures.map((picture, i) => ({
      method: 'update',
      label: buttonOf(picture),
      args: [
        { visible: pictures.flatMap((_, other) => [other === i, other === i]) },
        { 'title.text': headings[i], annotations: annotations[i] },
      ],
    })),
  });
}

/** Class of the page below → what a button and what a heading calls it. */
const CLASS_WORDS: Readonly<Record<string, readonly [button: string, heading: string]>> = {
  stack: ['stack', 'another stack'],
  slab: ['slab', 'slab objects'],
  free: ['free page', 'a free page'],
  pcp: ['free page', 'a free page'],
  anon: ['user memory', 'memory of a program'],
  file: ['page cache', 'the page cache'],
  pagetable: ['page table', 'a page table'],
};
const OTHER = ['other kernel', 'memory of the kernel'] as const;
const GUARD = ['guard page', 'no page'] as const;

function wordsOf({ report }: OverrunPicture): readonly [button: string, heading: string] {
  const { class: pageClass } = report.neighbour;
  return pageClass === null ? GUARD : (CLASS_WORDS[pageClass] ?? OTHER);
}

const buttonOf = (picture: OverrunPicture): string => wordsOf(picture)[0];

const changedOf = (cells: readonly Cell[]) => cells.filter(({ was, is }) => was !== is);

function heading(picture: OverrunPicture, cells: readonly Cell[]): string {
  const changed = changedOf(cells);
  const below = changed.filter(({ at }) => at < 0).length;
  return `Below lies ${wordsOf(picture)[1]}: ${below} bytes changed there, ${changed.length - below} at the stack’s own bottom`;
}

function span(cells: readonly Cell[]): string {
  const changed = changedOf(cells);
  if (changed.length === 0) return '';
  return `, from ${signed(changed[0].at)} to ${signed(changed[changed.length - 1].at)} of the base`;
}

/** What was changed, by what it was called, lowest first. */
function tableOf(pictures: readonly OverrunPicture[], cells: readonly (readonly Cell[])[]): Table {
  const rows = cells.flatMap((own, i) =>
    fieldsOf(own).flatMap((field) => {
      const changed = changedOf(field);
      if (changed.length === 0) return [];
      const [{ at, owner, name }] = changed;
      const excerpt = (key: 'was' | 'is') =>
        changed
          .slice(0, 8)
          .map((cell) => hexByte(cell[key]))
          .join(' ') + (changed.length > 8 ? ' …' : '');
      return [
        [buttonOf(pictures[i]), at, changed.length, owner, name, excerpt('was'), excerpt('is')],
      ];
    }),
  );
  const columns = ['page below', 'from the base', 'changed bytes', 'whose', 'what', 'was', 'is'];
  return { columns, rows };
}

/** Neighbouring bytes of one name. */
function fieldsOf(cells: readonly Cell[]): Cell[][] {
  const fields: Cell[][] = [];
  for (const cell of cells) {
    const last = fields[fields.length - 1];
    if (last && last[0].name === cell.name && last[0].owner === cell.owner) last.push(cell);
    else fields.push([cell]);
  }
  return fields;
}
