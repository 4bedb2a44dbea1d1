import type { StackItem, StackItemKind } from '../stack/stack-contents';
import { Figure, type PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import { axis, buttonsAbove, legendBelow, margins } from './parts';

/** One stack of the picture. */
export interface StackColumn {
  readonly name: string;
  /** From the top down, as stackContents() and traceContents() give them. */
  readonly items: readonly StackItem[];
}

const KINDS: readonly (readonly [StackItemKind, color: string, pattern: string])[] = [
  ['pt_regs', OKABE_ITO.orange, '/'],
  ['frame', OKABE_ITO.skyBlue, ''],
  ['switched registers', OKABE_ITO.reddishPurple, '\\'],
  ['unused', OKABE_ITO.grey, '.'],
  ['end magic', OKABE_ITO.vermillion, 'x'],
  ['thread_info', OKABE_ITO.bluishGreen, '|'],
];

/** What one button shows: offsets from the base, and from which size on an item is labelled. */
interface View {
  readonly label: string;
  readonly range: readonly [low: number, high: number];
  readonly least: number;
  readonly dtick: number;
}

function viewsOf(size: number, lowest: number): View[] {
  const low = Math.min(0, lowest);
  return [
    { label: 'whole stack', range: [low, size], least: 330, dtick: 1024 },
    { label: 'top 512 bytes', range: [size - 512, size], least: 24, dtick: 64 },
    { label: 'bottom 128 bytes', range: [0, 128], least: 4, dtick: 16 },
  ];
}

/**
 * One or two stacks drawn to scale, byte offsets from the base upwards: what lies where.
 *
 * @param size THREAD_SIZE, bytes
 * @param command what gives the contents again
 * @throws RangeError without a stack
 */
export function stackMapFigure(
  columns: readonly StackColumn[],
  size: number,
  command: string,
): Figure {
  if (columns.length === 0) throw new RangeError('columns: expected at least one stack, got none');
  const rows = columns.flatMap(({ name, items }) => items.map((item) => ({ column: name, item })));
  const lowest = Math.min(...rows.map(({ item }) => item.offset));
  const views = viewsOf(size, lowest);
  const kinds = KINDS.filter(([kind]) => rows.some(({ item }) => item.kind === kind));
  const indices = kinds.map(([kind]) =>
    rows.flatMap((row, i) => (row.item.kind === kind ? i : [])),
  );
  const labels = (view: View) =>
    indices.map((list) => list.map((index) => label(rows[index].item, view)));
  const data = kinds.map(([kind, color, shape], i): PlotlyObject => {
    const own = indices[i].map((index) => rows[index]);
    return {
      type: 'bar',
      name: kind === 'switched registers' ? 'registers of the switch' : kind,
      marker: {
        color,
        pattern: { shape, fillmode: 'overlay', solidity: 0.08, size: 12 },
        line: { color: OKABE_ITO.grey, width: 1 },
      },
      width: 0.7,
      x: own.map(({ column }) => column),
      y: own.map(({ item }) => item.bytes),
      base: own.map(({ item }) => item.offset),
      customdata: indices[i],
      text: labels(views[0])[i],
      hovertext: own.map(({ item }) => nameOf(item)),
      textposition: 'inside',
      insidetextanchor: 'middle',
      textangle: 0,
      constraintext: 'none',
      hovertemplate: '%{hovertext}: %{y} bytes from base + %{base}<extra></extra>',
    };
  });
  return new Figure({
    title: columns.length === 1 ? `The stack of ${columns[0].name}` : 'What lies on a kernel stack',
    caption: `Drawn to scale, high addresses on top, where a stack begins. In use: ${columns.map(inWords).join('; ')}. The buttons show its two ends larger.`,
    alt:
      `Stacked bar chart of ${columns.length} stack${columns.length > 1 ? 's' : ''} of ${size} bytes. Vertical: offset from the base, ${Math.min(0, lowest)} to ${size} bytes. ` +
      `Columns: ${columns.map(({ name, items }) => `${name} (${itemsInWords(items)})`).join('; ')}.`,
    data,
    layout: {
      barmode: 'overlay',
      height: 700,
      xaxis: {
        type: 'category',
        categoryorder: 'array',
        categoryarray: columns.map(({ name }) => name),
        automargin: true,
      },
      yaxis: axis('offset from the base (bytes)', {
        range: views[0].range,
        dtick: views[0].dtick,
        tickformat: 'd',
        zeroline: false,
      }),
      legend: legendBelow(-0.08),
      margin: margins({ t: 104, b: 80 }),
      updatemenus: [
        buttonsAbove({
          y: 1.02,
          active: 0,
          buttons: views.map((view) => ({
            method: 'update',
            label: view.label,
            args: [
              { visible: data.map(() => true), text: labels(view) },
              { 'yaxis.range': view.range, 'yaxis.dtick': view.dtick },
            ],
          })),
        }),
      ],
    },
    table: {
      columns: ['stack', 'kind', 'what', 'lowest byte (offset from the base)', 'bytes'],
      rows: rows.map(({ column, item }) => [column, item.kind, item.name, item.offset, item.bytes]),
    },
    command,
  });
}

const nameOf = ({ kind, name }: StackItem) =>
  kind === 'frame' ? `frame of ${name}()` : kind === 'thread_info' ? `thread_info.${name}` : name;

/** Nothing for what lies outside the view or has no room for a line of text there. */
function label(item: StackItem, { range: [low, high], least }: View): string {
  const end = item.offset + item.bytes;
  const shown = Math.min(end, high) - Math.max(item.offset, low);
  if (shown < least || shown < item.bytes) return '';
  const name = item.kind === 'frame' ? `${item.name}()` : item.name;
  return item.kind === 'unused' ? `unused: ${item.bytes}` : name;
}

function inWords({ name, items }: StackColumn): string {
  const frames = items.filter(({ kind }) => kind === 'frame');
  const used = Math.max(...items.map(({ offset, bytes }) => offset + bytes)) - lowestInUse(items);
  const unused = items.find(({ kind }) => kind === 'unused')?.bytes ?? 0;
  return `${name}, ${used} bytes (${frames.length} frames, ${unused} bytes free)`;
}

function lowestInUse(items: readonly StackItem[]): number {
  const used = items.filter(({ kind }) => !['unused', 'end magic', 'thread_info'].includes(kind));
  return Math.min(...used.map(({ offset }) => offset));
}

function itemsInWords(items: readonly StackItem[]): string {
  const bytes = (wanted: StackItemKind) =>
    items.filter(({ kind }) => kind === wanted).reduce((sum, item) => sum + item.bytes, 0);
  return KINDS.filter(([kind]) => bytes(kind) > 0)
    .map(([kind]) => `${kind} ${bytes(kind)}`)
    .join(', ');
}
