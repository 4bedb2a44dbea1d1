import { uniformBigInt } from 'pure-rand/distribution/uniformBigInt';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** The largest seed. */
export const MAX_SEED = 2 ** 31 - 1;

/**
 * Four words that look unlike those of the next seed (SplitMix32): the generator's first draws are a linear function
 * of its state, and seeds are given in a row.
 */
function stateFrom(seed: number): number[] {
  return [1, 2, 3, 4].map((i) => {
    let z = (seed + Math.imul(i, 0x9e3779b9)) | 0;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return z ^ (z >>> 16);
  });
}

/** The one seeded generator (xoroshiro128+). Same seed, same draws, on any machine. */
export class Random {
  readonly seed: number;
  private readonly generator: ReturnType<typeof xoroshiro128plusFromState>;

  /** @throws RangeError unless `seed` is a whole number from 0 to 2^31 − 1 */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > MAX_SEED) {
      throw new RangeError(`seed: expected a whole number from 0 to ${MAX_SEED}, got ${seed}`);
    }
    this.seed = seed;
    this.generator = xoroshiro128plusFromState(stateFrom(seed));
  }

  /** A whole number from 0 to `n` − 1. */
  below(n: number): number {
    if (!Number.isSafeInteger(n) || n < 1) {
      throw new RangeError(`n: expected a whole number from 1, got ${n}`);
    }
    return uniformInt(this.generator, 0, n - 1);
  }

  /** A bigint from 0 to `n` − 1. */
  belowBig(n: bigint): bigint {
    if (n < 1n) throw new RangeError(`n: expected a bigint from 1n, got ${n}n`);
    return uniformBigInt(this.generator, 0n, n - 1n);
  }

  /** A number from 0 (included) to 1 (excluded). */
  unit(): number {
    return uniformFloat64(this.generator);
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.unit() < p;
  }

  /** One element, each equally likely. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** Shuffles in place (Fisher–Yates) and returns the same array. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }
}
