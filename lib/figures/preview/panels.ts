import type { PlotlyObject } from '../figure';
import { makeAxis, type Axis, type Extent, type Letter } from './axis';
import { at, list, num, objects, part, str } from './read';

/** All axes of a figure by their ids. */
export type Axes = ReadonlyMap<string, Axis>;

/** The two axes on which a trace is drawn. */
export function axesOf(trace: PlotlyObject, axes: Axes): { x: Axis; y: Axis } {
  const [x, y] = [axes.get(str(trace.xaxis, 'x')), axes.get(str(trace.yaxis, 'y'))];
  if (!x || !y) throw new RangeError(`trace: no axes ${trace.xaxis} and ${trace.yaxis}`);
  return { x, y };
}

/** The rectangle between two axes, one pixel larger on all sides. */
export function panelOf({ x, y }: { x: Axis; y: Axis }): {
  x: number;
  y: number;
  width: number;
  height: number;
} {
  const [left, right] = [...x.pixels].sort((a, b) => a - b);
  const [top, bottom] = [...y.pixels].sort((a, b) => a - b);
  return { x: left - 1, y: top - 1, width: right - left + 2, height: bottom - top + 2 };
}

export const isVisible = (trace: PlotlyObject) =>
  trace.visible !== false && trace.visible !== 'legendonly';

/** The axes that traces and layout name, with their ranges. */
export function readAxes(traces: readonly PlotlyObject[], layout: PlotlyObject): Map<string, Axis> {
  const extents = extentsOf(traces, layout);
  const ids = new Set(['x', 'y', ...extents.keys()]);
  for (const key of Object.keys(layout)) {
    const [, letter, number] = /^([xy])axis(\d*)$/.exec(key) ?? [];
    if (letter !== undefined) ids.add(letter + number);
  }
  const axes = new Map<string, Axis>();
  for (const id of ids) {
    const own = part(layout, `${id[0]}axis${id.slice(1)}`);
    const extent = extents.get(id) ?? { values: [], padded: false, zero: false };
    axes.set(id, makeAxis(id, own, extent, gridDomain(id, layout)));
  }
  return axes;
}

/** The place that `layout.grid` gives to an axis; the whole width or height without a grid. */
function gridDomain(id: string, { grid }: PlotlyObject): readonly [number, number] {
  if (typeof grid !== 'object' || grid === null) return [0, 1];
  const { rows = 1, columns = 1, pattern } = grid as PlotlyObject;
  const [down, across] = [Number(rows), Number(columns)];
  const index = Number(id.slice(1) || 1) - 1;
  const isX = id[0] === 'x';
  const count = isX ? across : down;
  const cell =
    pattern === 'independent' ? (isX ? index % across : Math.floor(index / across)) : index;
  if (count < 2) return [0, 1];
  const gap = num(
    (grid as PlotlyObject)[isX ? 'xgap' : 'ygap'],
    pattern === 'independent' ? 0.25 : 0.1,
  );
  const size = 1 / (count - gap + gap * count - gap * (count - 1));
  const width = (1 - (gap * size * (count - 1)) / 1) / count;
  const step = width + gap * size;
  const place = isX ? cell : count - 1 - cell;
  return [place * step, place * step + width];
}

/** What each axis must hold, all traces taken together. */
function extentsOf(traces: readonly PlotlyObject[], layout: PlotlyObject): Map<string, Extent> {
  const extents = new Map<string, Extent>();
  const extent = (id: string): Extent => {
    const known = extents.get(id) ?? { values: [], padded: false, zero: false };
    extents.set(id, known);
    return known;
  };
  const sums = new Map<string, number>();
  for (const trace of traces) {
    const x = extent(str(trace.xaxis, 'x'));
    const y = extent(str(trace.yaxis, 'y'));
    x.values.push(...list(trace.x));
    y.values.push(...list(trace.y));
    if (trace.type === 'bar') addBars(trace, layout, trace.orientation === 'h' ? x : y, sums);
    else if (trace.type !== 'heatmap') addErrors(trace, x, y);
    if (trace.type === undefined || trace.type === 'scatter') {
      const marks = str(trace.mode, 'lines').includes('markers');
      x.padded ||= marks;
      y.padded = true;
      if (trace.fill === 'tozeroy') y.values.push(0);
    }
  }
  return extents;
}

/** Bars begin at their base and may stand on each other. */
function addBars(
  trace: PlotlyObject,
  layout: PlotlyObject,
  value: Extent,
  sums: Map<string, number>,
): void {
  value.zero ||= trace.base === undefined;
  const horizontal = trace.orientation === 'h';
  const lengths = list(horizontal ? trace.x : trace.y).map(Number);
  const places = list(horizontal ? trace.y : trace.x);
  if (trace.base !== undefined) value.values.splice(value.values.length - lengths.length);
  for (const [i, length] of lengths.entries()) {
    const base = num(at(trace.base, i), 0);
    if (trace.base !== undefined) value.values.push(base, base + length);
    if (layout.barmode !== 'stack' && layout.barmode !== 'relative') continue;
    const key = `${str(trace.xaxis, 'x')} ${str(trace.yaxis, 'y')} ${places[i]} ${length < 0}`;
    sums.set(key, (sums.get(key) ?? 0) + length);
    value.values.push(sums.get(key));
  }
}

function addErrors(trace: PlotlyObject, x: Extent, y: Extent): void {
  for (const [letter, extent] of [
    ['x', x],
    ['y', y],
  ] as const) {
    const bars = part(trace, `error_${letter}`);
    for (const [i, value] of list(trace[letter]).entries()) {
      if (typeof value !== 'number') continue;
      const [minus, plus] = errorAt(bars, i);
      if (plus > 0) extent.values.push(value + plus);
      if (minus > 0) extent.values.push(value - minus);
    }
  }
}

/** How far the whiskers of a point reach below and above it. */
export function errorAt(bars: PlotlyObject, i: number): [number, number] {
  if (bars.visible === false) return [0, 0];
  const plus = num(at(bars.array ?? bars.value, i), 0);
  return [bars.symmetric === false ? num(at(bars.arrayminus, i), 0) : plus, plus];
}

/** The axis across from this one: it stands at the edge of that one's place. */
export function anchorOf({ letter, id, layout }: Axis, axes: Axes): Axis | undefined {
  const other: Letter = letter === 'x' ? 'y' : 'x';
  return axes.get(str(layout.anchor, other + id.slice(1))) ?? axes.get(other);
}

/** Whether anything is drawn on an axis. */
export function isUsed(
  { id, letter }: Axis,
  traces: readonly PlotlyObject[],
  layout: PlotlyObject,
): boolean {
  const drawn = traces.some((trace) => str(trace[`${letter}axis`], letter) === id);
  return drawn || objects(layout.shapes).some((shape) => shape[`${letter}ref`] === id);
}
