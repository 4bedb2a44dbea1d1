/** An interval of shares, both ends included. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

const Z95 = 1.959963984540054;

/**
 * The 95 % confidence interval of a share by Wilson's score method (Wilson 1927), which holds for few
 * trials and for shares at 0 and 1.
 *
 * @param hits from 0 to `trials`
 * @throws RangeError unless both are whole numbers and `trials` is at least 1
 */
export function wilson(hits: number, trials: number): Interval {
  if (!Number.isInteger(trials) || trials < 1) {
    throw new RangeError(`trials: expected a whole number from 1, got ${trials}`);
  }
  if (!Number.isInteger(hits) || hits < 0 || hits > trials) {
    throw new RangeError(`hits: expected a whole number from 0 to ${trials}, got ${hits}`);
  }
  return wilsonOf(hits / trials, trials);
}

/** As {@link wilson}, of a share of `n` trials; `n` need not be whole. */
export function wilsonOf(share: number, n: number): Interval {
  const z2 = Z95 * Z95;
  const middle = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z95 / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  return {
    low: share === 0 ? 0 : Math.max(0, middle - half),
    high: share === 1 ? 1 : Math.min(1, middle + half),
  };
}
