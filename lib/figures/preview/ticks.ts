import type { PlotlyObject } from '../figure';
import { str } from './read';

export interface Tick {
  /** In the axis's own numbers: values, exponents of 10, numbers of categories. */
  readonly at: number;
  readonly label: string;
}

/** Round numbers in a range, at most about `most` of them, or every `dtick` from `tick0`. */
export function niceTicks(
  [low, high]: readonly [number, number],
  type: 'linear' | 'log',
  most: number,
  dtick: number,
  tick0: number,
): number[] {
  const span = high - low;
  let step = dtick;
  if (step <= 0) {
    const raw = span / most;
    const unit = 10 ** Math.floor(Math.log10(raw));
    step = [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= raw * 0.999) ?? 10 * unit;
    if (type === 'log') step = Math.max(1, Math.ceil(step));
  }
  const ticks: number[] = [];
  const first = Math.ceil((low - tick0) / step - 1e-9);
  for (let n = first; n * step + tick0 <= high + span * 1e-9 && ticks.length < 200; n += 1) {
    ticks.push(Number((n * step + tick0).toPrecision(12)));
  }
  if (type === 'linear' || ticks.length > 1 || dtick > 0) return ticks;
  const within = [1, 2, 5].flatMap((n) =>
    [Math.floor(low), Math.ceil(high)].map((power) => power + Math.log10(n)),
  );
  return [...new Set(within)].filter((at) => at >= low && at <= high).sort((a, b) => a - b);
}

/** A tick's text in plotly's formats, as far as the figures use them. */
export function tickLabel(
  at: number,
  type: 'linear' | 'log',
  layout: PlotlyObject,
  largest: number,
  step: number,
): string {
  const value = type === 'log' ? Number((10 ** at).toPrecision(6)) : at;
  const format = str(layout.tickformat, '');
  const percent = /^\.?(\d*)%$/.exec(format);
  const text = percent
    ? `${(100 * value).toFixed(Number(percent[1] || 0))}%`
    : /d$/.test(format)
      ? String(Math.round(value))
      : plain(value, layout.exponentformat === 'none' ? 0 : largest, step);
  const sign = text.startsWith('-') ? `−${text.slice(1)}` : text;
  return `${str(layout.tickprefix, '')}${sign}${str(layout.ticksuffix, '')}`;
}

const PREFIXES = [
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** From 10,000 on with k, M or B, as plotly does. */
function plain(value: number, largest: number, step: number): string {
  const [unit, name] = PREFIXES.find(([from]) => largest >= (from === 1e3 ? 1e4 : from)) ?? [1, ''];
  const scaled = value / unit;
  const digits = Math.max(0, Math.min(8, -Math.floor(Math.log10(step / unit) + 1e-9)));
  return `${Number(scaled.toFixed(step > 0 && step < unit ? digits : 6))}${value === 0 ? '' : name}`;
}
