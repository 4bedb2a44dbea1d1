import type { PlotlyObject } from '../figure';
import { list, num, part, str } from './read';
import { niceTicks, tickLabel, type Tick } from './ticks';

export type Letter = 'x' | 'y';

/** One axis of the picture: from values to pixels. */
export interface Axis {
  /** `x`, `x2`, …, as traces name it. */
  readonly id: string;
  readonly letter: Letter;
  readonly type: 'linear' | 'log' | 'category';
  readonly layout: PlotlyObject;
  readonly categories: readonly string[];
  /** Linear values, exponents of 10, or numbers of categories. */
  readonly range: readonly [number, number];
  readonly domain: readonly [number, number];
  /** Where the range begins and ends. */
  pixels: readonly [number, number];
}

/** What an axis must hold. */
export interface Extent {
  readonly values: unknown[];
  /** Whether marks need room beyond the outermost values. */
  padded: boolean;
  /** Bars start from zero. */
  zero: boolean;
}

/** An axis as the layout says, its range from the layout or from what it must hold. */
export function makeAxis(
  id: string,
  layout: PlotlyObject,
  extent: Extent,
  domain: readonly [number, number],
): Axis {
  const letter = id[0] as Letter;
  const isText = extent.values.some((v) => typeof v === 'string' && Number.isNaN(Number(v)));
  const type = typeOf(layout.type, isText);
  const categories = type === 'category' ? categoriesOf(layout, extent.values) : [];
  const [low, high] = list(layout.domain).map(Number);
  const axis = {
    id,
    letter,
    type,
    layout,
    categories,
    domain: low === undefined ? domain : ([low, high] as const),
    pixels: [0, 1] as const,
  };
  const given = list(layout.range).map(Number);
  const range = given.length === 2 ? ([given[0], given[1]] as const) : autoRange(axis, extent);
  return { ...axis, range };
}

function typeOf(type: unknown, isText: boolean): Axis['type'] {
  if (type === 'log' || type === 'category' || type === 'linear') return type;
  return isText ? 'category' : 'linear';
}

function categoriesOf(layout: PlotlyObject, values: readonly unknown[]): string[] {
  const ordered = list(layout.categoryarray).map(String);
  return [...new Set([...ordered, ...values.map(String)])];
}

function autoRange(
  axis: Pick<Axis, 'type' | 'categories' | 'layout'>,
  { values, padded, zero }: Extent,
): [number, number] {
  if (axis.type === 'category') return [-0.5, axis.categories.length - 0.5];
  const numbers = values
    .filter((value) => value !== null && value !== undefined && value !== '')
    .map((value) => (axis.type === 'log' ? Math.log10(Number(value)) : Number(value)))
    .filter(Number.isFinite);
  const toZero = axis.type === 'linear' && (zero || axis.layout.rangemode === 'tozero');
  if (toZero) numbers.push(0);
  if (numbers.length === 0) return [0, 1];
  let [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  if (low === high) [low, high] = [low - 1, high + 1];
  const room = padded || zero ? 0.055 * (high - low) : 0;
  const bottom = toZero && low >= 0 ? low : low - room;
  const top = toZero && high <= 0 ? high : high + room;
  return axis.layout.autorange === 'reversed' ? [top, bottom] : [bottom, top];
}

/** A value as a number of the axis's range; NaN for what has no place on it. */
export function coordinate({ type, categories }: Axis, value: unknown): number {
  if (value === null || value === undefined || value === '') return NaN;
  if (type === 'log') return Math.log10(Number(value));
  if (type === 'linear') return Number(value);
  const index = categories.indexOf(String(value));
  return index >= 0 ? index : typeof value === 'number' ? value : NaN;
}

/** Where a coordinate lies, in pixels. */
export function pixel({ range: [low, high], pixels: [from, to] }: Axis, position: number): number {
  return from + ((position - low) / (high - low)) * (to - from);
}

/** The ticks within the range. */
export function ticksOf(axis: Axis): Tick[] {
  const { type, layout, range, categories, pixels } = axis;
  const [low, high] = range[0] < range[1] ? range : [range[1], range[0]];
  if (type === 'category') {
    return categories
      .map((label, at) => ({ at, label }))
      .filter(({ at }) => at >= low && at <= high);
  }
  const given = list(layout.tickvals);
  if (given.length > 0) {
    const labels = list(layout.ticktext);
    return given
      .map((value, i) => ({ at: coordinate(axis, value), label: String(labels[i] ?? value) }))
      .filter(({ at }) => at >= low && at <= high);
  }
  const room = Math.abs(pixels[1] - pixels[0]) / (axis.letter === 'x' ? 70 : 45);
  const most = Math.max(2, num(layout.nticks, Math.min(12, room)));
  const steps = niceTicks([low, high], type, most, num(layout.dtick, 0), num(layout.tick0, 0));
  const largest = Math.max(...steps.map((at) => Math.abs(type === 'log' ? 10 ** at : at)));
  const step = steps.length > 1 ? Math.abs(steps[1] - steps[0]) : 1;
  return steps.map((at) => ({ at, label: tickLabel(at, type, layout, largest, step) }));
}

export function axisTitle({ layout }: Axis): string {
  return str(part(layout, 'title').text, str(layout.title, ''));
}
