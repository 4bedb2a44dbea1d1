import { wilson, wilsonOf } from './proportion';
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

/** Trials on one of several machines, and how many of them came out so. */
export interface MachineCount {
  readonly hits: number;
  readonly trials: number;
}

/**
 * As {@link shareOf}, of trials on several machines. Trials on one machine are alike, so they are worth fewer
 * independent ones: as many as the spread between the machines says (design effect, Kish 1965), at least one
 * a machine, and just that where all trials came out the same. Of a single machine nothing is known about
 * others: its interval is its own.
 */
export function shareOverMachines(machines: readonly MachineCount[]): Share {
  const used = machines.filter(({ trials }) => trials > 0);
  const sum = (of: (machine: MachineCount) => number) => used.reduce((all, m) => all + of(m), 0);
  const n = sum(({ trials }) => trials);
  const share = sum(({ hits }) => hits) / n;
  const k = used.length;
  const between = (k / (k - 1)) * sum(({ hits, trials }) => ((hits - trials * share) / n) ** 2);
  const worth = k === 1 ? n : Math.min(n, Math.max(k, (share * (1 - share)) / between || k));
  const { low, high } = wilsonOf(share, worth);
  return { share: round(share), low: round(low), high: round(high) };
}

/** The middle value, or the mean of the two middle ones; null of nothing. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
