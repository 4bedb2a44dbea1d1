import type { PlotlyObject } from '../figure';
import { coordinate, pixel } from './axis';
import { contrasting } from './colours';
import type { Definitions } from './definitions';
import { axesOf, panelOf, type Axes } from './panels';
import { at, list, num, part, str, traceColour } from './read';
import { element, text, textWidth } from './svg';

/** Draws the bars of all traces: stacked, side by side or over each other. */
export function drawBars(
  traces: readonly PlotlyObject[],
  layout: PlotlyObject,
  axes: Axes,
  definitions: Definitions,
): string {
  const bars = traces.filter(({ type }) => type === 'bar');
  const sums = new Map<string, number>();
  return bars.map((trace) => drawTrace(trace, bars, layout, axes, definitions, sums)).join('');
}

function drawTrace(
  trace: PlotlyObject,
  bars: readonly PlotlyObject[],
  layout: PlotlyObject,
  axes: Axes,
  definitions: Definitions,
  sums: Map<string, number>,
): string {
  const { x, y } = axesOf(trace, axes);
  const horizontal = trace.orientation === 'h';
  const [along, across] = horizontal ? [x, y] : [y, x];
  const lengths = list(horizontal ? trace.x : trace.y);
  const places = list(horizontal ? trace.y : trace.x);
  const marker = part(trace, 'marker');
  const stacked = layout.barmode === 'stack' || layout.barmode === 'relative';
  const { shift, width } = slot(trace, bars, layout, across.type === 'category');
  const drawn = lengths.map((length, i) => {
    if (typeof length !== 'number') return '';
    const key = `${x.id} ${y.id} ${places[i]} ${length < 0}`;
    const base = num(at(trace.base, i), stacked ? (sums.get(key) ?? 0) : 0);
    if (stacked && trace.base === undefined) sums.set(key, base + length);
    const wide = num(at(trace.width, i), width);
    const middle = coordinate(across, places[i]) + shift;
    const floor = along.type === 'log' && base <= 0 ? along.range[0] : coordinate(along, base);
    const [a, b] = [pixel(along, floor), pixel(along, coordinate(along, base + length))].sort(
      (p, q) => p - q,
    );
    const [c, d] = [pixel(across, middle - wide / 2), pixel(across, middle + wide / 2)].sort(
      (p, q) => p - q,
    );
    if (![a, b, c, d].every(Number.isFinite)) return '';
    const box = horizontal
      ? { x: a, y: c, width: b - a, height: d - c }
      : { x: c, y: a, width: d - c, height: b - a };
    const colour = str(at(marker.color, i), traceColour(trace, bars.indexOf(trace)));
    return bar(trace, i, box, colour, definitions);
  });
  return definitions.clip(drawn.join(''), panelOf({ x, y }));
}

/**
 * What a bar is filled with: its colour, hatched in a contrasting one (`fillmode` overlay), or the hatching
 * alone in its colour (replace, plotly's default).
 */
export function barPaint(
  trace: PlotlyObject,
  i: number,
  colour: string,
  definitions: Definitions,
): string {
  const pattern = part(part(trace, 'marker'), 'pattern');
  const overlay = pattern.fillmode === 'overlay';
  const ground = overlay ? colour : str(pattern.bgcolor, 'none');
  const line = str(pattern.fgcolor, overlay ? contrasting(colour) : colour);
  const shape = str(at(pattern.shape, i), '');
  return shape === '' ? colour : definitions.paint(shape, ground, line, num(pattern.size, 8));
}

interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function bar(
  trace: PlotlyObject,
  i: number,
  box: Rect,
  colour: string,
  definitions: Definitions,
): string {
  const marker = part(trace, 'marker');
  const fill = barPaint(trace, i, colour, definitions);
  const outline = part(marker, 'line');
  const rect = element('rect', {
    ...box,
    fill,
    'fill-opacity': num(trace.opacity, 1) === 1 ? undefined : String(trace.opacity),
    stroke: num(at(outline.width, i), 0) > 0 ? str(at(outline.color, i), '#444') : undefined,
    'stroke-width': num(at(outline.width, i), 0) > 0 ? num(at(outline.width, i), 1) : undefined,
  });
  return rect + label(trace, i, box, colour);
}

function label(trace: PlotlyObject, i: number, box: Rect, colour: string): string {
  const content = at(trace.text, i);
  const position = at(trace.textposition, i);
  if (content === undefined || content === null || content === '' || position === 'none') return '';
  const font = part(trace, 'textfont');
  const size = num(font.size, 12);
  const told = String(content);
  const fits = textWidth(told, size) <= box.width + 2 && size <= box.height + 2;
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const inside = fits || trace.constraintext === 'none';
  if (position !== 'outside' && inside) {
    const color = str(font.color, contrasting(colour));
    return text(told, middle.x, middle.y, { anchor: 'middle', size, color });
  }
  if (position === 'inside') return '';
  return trace.orientation === 'h'
    ? text(told, box.x + box.width + 4, middle.y, { size })
    : text(told, middle.x, box.y - 4, { anchor: 'middle', vertical: 'bottom', size });
}

/** Where in its category a bar stands and how wide it is, in categories. */
function slot(
  trace: PlotlyObject,
  bars: readonly PlotlyObject[],
  layout: PlotlyObject,
  categories: boolean,
): { shift: number; width: number } {
  const room = (1 - num(layout.bargap, 0.2)) * (categories ? 1 : spacing(trace));
  if (str(layout.barmode, 'group') !== 'group') return { shift: 0, width: room };
  const beside = bars.filter((other) => other.xaxis === trace.xaxis && other.yaxis === trace.yaxis);
  const groups = [...new Set(beside.map((other, i) => str(other.offsetgroup, `#${i}`)))];
  const own = groups.indexOf(str(trace.offsetgroup, `#${beside.indexOf(trace)}`));
  const width = room / groups.length;
  return {
    shift: (own - (groups.length - 1) / 2) * width,
    width: width * (1 - num(layout.bargroupgap, 0)),
  };
}

/** The distance between neighbouring bars: 1 between categories. */
function spacing(trace: PlotlyObject): number {
  const places = list(trace.orientation === 'h' ? trace.y : trace.x);
  const numbers = [...new Set(places)].map(Number).sort((a, b) => a - b);
  if (numbers.length < 2 || numbers.some(Number.isNaN)) return 1;
  return Math.min(...numbers.slice(1).map((value, i) => value - numbers[i]));
}
