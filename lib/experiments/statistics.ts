import { round } from './table';

/** 97.5 % point of the normal distribution: two-sided 95 %. */
const Z = 1.959963984540054;

/** A share with its interval, 0 to 1. */
export interface Share {
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Share of `k` in `n` with the 95 % score interval of Wilson (1927), which stays inside 0 … 1 and is not
 * empty for 0 of n.
 *
 * @throws RangeError unless n is at least 1 and k from 0 to n, both whole
 */
export function wilson(k: number, n: number): Share {
  if (!Number.isInteger(n) || n < 1 || !Number.isInteger(k) || k < 0 || k > n) {
    throw new RangeError(`k: expected 0 to n and n from 1, got ${k} of ${n}`);
  }
  const p = k / n;
  const centre = (p + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n);
  const half = (Z / (1 + (Z * Z) / n)) * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n));
  return {
    share: round(p),
    low: k === 0 ? 0 : round(Math.max(0, centre - half)),
    high: k === n ? 1 : round(Math.min(1, centre + half)),
  };
}

/** The middle value, or the mean of the two middle ones; null of nothing. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
