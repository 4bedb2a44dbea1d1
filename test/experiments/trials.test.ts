import assert from 'node:assert/strict';
import fc from 'fast-check';
import { experiment } from '../../lib/experiments';
import { RECORDED_KINDS } from '../../lib/experiments/overrun-kinds';
import { shuffledRounds, TrialMachines } from '../../lib/experiments/trials';
import type { TrialOptions } from '../../lib/stack/trial';

describe('shuffledRounds', () => {
  it('gives each item as often as the others, to within one, at every length', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(60), fc.nat(1000), (kinds, n, seed) => {
        const items = Array.from({ length: kinds }, (_, i) => i);
        const drawn = shuffledRounds(items, n, seed);
        const counts = items.map((item) => drawn.filter((one) => one === item).length);
        assert.equal(drawn.length, n);
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${counts}`);
      }),
    );
  });
});

describe('trials on several machines', function () {
  this.timeout(30_000);

  /** Runs an experiment without the trials; answers the kinds of overrun that each machine was asked for. */
  function kindsOfMachines(name: string, machines: number, trials: number): Set<number>[] {
    const original = TrialMachines.prototype.run;
    const kinds = Array.from({ length: machines }, () => new Set<number>());
    let turn = 0;
    TrialMachines.prototype.run = (options: TrialOptions) => {
      const machine = turn++ % machines;
      kinds[machine].add(
        RECORDED_KINDS.findIndex(({ options: kind }) =>
          Object.entries(kind).every(([key, value]) => options[key as 'past'] === value),
        ),
      );
      const report = { outcome: 'silent', detector: null, noticedAfter: null };
      return { report, machine } as unknown as ReturnType<typeof original>;
    };
    try {
      experiment(name).run({ machines, trials });
    } finally {
      TrialMachines.prototype.run = original;
    }
    return kinds;
  }

  for (const name of ['victim-by-neighbour', 'time-to-detection']) {
    it(`${name}: no machine sees one kind of overrun only`, () => {
      for (const kinds of kindsOfMachines(name, 5, 25)) {
        assert.ok(kinds.size > 1 && !kinds.has(-1), `${[...kinds]}`);
      }
    });
  }
});
