import { wilson } from './proportion';
import { round } from './table';

/** A share with its interval, 0 to 1. */
export interface Share {
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/** Share of `hits` in `trials` with its 95 % interval (Wilson), rounded as tables show it. */
export function shareOf(hits: number, trials: number): Share {
  const { low, high } = wilson(hits, trials);
  return { share: round(hits / trials), low: round(low), high: round(high) };
}

/** The middle value, or the mean of the two middle ones; null of nothing. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
