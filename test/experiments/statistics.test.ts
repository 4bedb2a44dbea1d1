import assert from 'node:assert/strict';
import fc from 'fast-check';
import { shareOf, shareOverMachines } from '../../lib/experiments/statistics';

describe('shareOverMachines', () => {
  const width = ({ low, high }: { low: number; high: number }) => high - low;

  it('is Wilson’s interval when every trial had a machine of its own, or all had the same', () => {
    const ones = [1, 0, 1, 1, 0, 0, 0, 1, 1, 1].map((hits) => ({ hits, trials: 1 }));
    const { low, high, share } = shareOverMachines(ones);
    const { low: l, high: h } = shareOf(6, 10);
    // The spread of ten single trials says nine independent ones: k − 1 for k.
    assert.ok(share === 0.6 && low <= l && high >= h && l - low < 0.02 && high - h < 0.02);
    assert.deepEqual(shareOverMachines([{ hits: 3, trials: 8 }]), shareOf(3, 8));
  });

  it('counts machines, not trials, where all trials of a machine come out alike', () => {
    const alike = [10, 0, 10, 10].map((hits) => ({ hits, trials: 10 }));
    assert.ok(width(shareOverMachines(alike)) >= width(shareOf(3, 4)));
    assert.deepEqual(shareOverMachines(Array(4).fill({ hits: 10, trials: 10 })), shareOf(4, 4));
  });

  it('is never narrower than all trials would make it, nor wider than the machines', () => {
    const machine = fc
      .integer({ min: 1, max: 30 })
      .chain((trials) => fc.integer({ min: 0, max: trials }).map((hits) => ({ hits, trials })));
    fc.assert(
      fc.property(fc.array(machine, { minLength: 2, maxLength: 20 }), (machines) => {
        const n = machines.reduce((sum, { trials }) => sum + trials, 0);
        const hits = machines.reduce((sum, m) => sum + m.hits, 0);
        const over = shareOverMachines(machines);
        const all = shareOf(hits, n);
        assert.ok(over.share === all.share && over.low <= all.low && over.high >= all.high);
        assert.ok(over.low <= over.share && over.share <= over.high);
      }),
    );
  });
});
