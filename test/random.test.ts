import { strict as assert } from 'node:assert';
import { Random } from '../lib/random';

const SEEDS = Array.from({ length: 5000 }, (_, seed) => seed);

/** How many standard deviations a count lies from what chance gives. */
const deviation = (count: number, of: number, p: number) =>
  Math.abs(count - of * p) / Math.sqrt(of * p * (1 - p));

describe('Random', () => {
  it('draws the same for the same seed', () => {
    const draws = (seed: number) => {
      const random = new Random(seed);
      return [random.below(1000), random.unit(), random.belowBig(2n ** 60n), random.chance(0.5)];
    };
    for (const seed of [0, 1, 2 ** 31 - 1]) assert.deepEqual(draws(seed), draws(seed));
  });

  it('draws as by chance over seeds in a row, from the first draw on', () => {
    for (let draw = 0; draw < 3; draw++) {
      const nth = (seed: number) => {
        const random = new Random(seed);
        for (let i = 0; i < draw; i++) random.unit();
        return random;
      };
      const trues = SEEDS.filter((seed) => nth(seed).chance(0.3)).length;
      assert.ok(deviation(trues, SEEDS.length, 0.3) < 4, `draw ${draw}: ${trues} of 5000`);
      for (let digit = 0; digit < 10; digit++) {
        const drawn = SEEDS.filter((seed) => nth(seed).below(10) === digit).length;
        assert.ok(deviation(drawn, SEEDS.length, 0.1) < 4, `draw ${draw}: ${digit} ${drawn} times`);
      }
    }
  });

  it('draws nothing that the seeds around tell', () => {
    for (const step of [1, 2, 10, 20]) {
      const alike = SEEDS.filter(
        (seed) => new Random(seed).below(40) === new Random(seed + step).below(40),
      );
      const { length } = alike;
      assert.ok(deviation(length, SEEDS.length, 1 / 40) < 4, `step ${step}: ${length} of 5000`);
    }
  });

  it('says what it expected', () => {
    for (const seed of [-1, 0.5, NaN, 2 ** 31])
      assert.throws(() => new Random(seed), /^RangeError: seed: /);
    assert.throws(() => new Random(1).below(0), /^RangeError: n: /);
    assert.throws(() => new Random(1).belowBig(0n), /^RangeError: n: /);
  });
});
