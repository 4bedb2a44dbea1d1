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
  const share = hits / trials;
  const z2 = Z95 * Z95;
  const middle = (share + z2 / (2 * trials)) / (1 + z2 / trials);
  const half =
    (Z95 / (1 + z2 / trials)) *
    Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials * trials));
  return {
    low: hits === 0 ? 0 : Math.max(0, middle - half),
    high: hits === trials ? 1 : Math.min(1, middle + half),
  };
}
