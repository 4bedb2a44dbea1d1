import assert from 'node:assert/strict';
import { kernelConfig, type KernelOptions } from '../../lib/stack/config';
import { TrialRunner, type TrialOptions } from '../../lib/stack/trial';

const OVERRUNS: readonly TrialOptions[] = [
  {},
  { past: 512, frames: 'dense', frame: 128 },
  { jump: 1024 },
  { irq: 160 },
];
const SEEDS = [1, 2, 3, 4];
const TRIALS = OVERRUNS.flatMap((overrun) => SEEDS.map((seed) => ({ overrun, seed })));

const CHECKED: KernelOptions = {
  stackEndCheck: true,
  stackProtector: true,
  stackUsage: true,
  stackOverflowCheck: true,
};

describe('the order of trials', () => {
  for (const [kernel, options, ends] of [
    ['4.4', CHECKED, 3],
    ['4.8', CHECKED, 3],
    ['4.8', {}, 2],
    ['4.9', CHECKED, 3],
  ] as const)
    it(`changes no report: ${kernel} ${Object.keys(options).join(' ')}`, () => {
      const config = kernelConfig('16k', { kernel, ...options });
      const run = (trials: typeof TRIALS) => {
        const runner = new TrialRunner(config, 1, { ramMiB: 32 });
        return trials.map(({ overrun, seed }) => runner.run(overrun, seed));
      };
      const reports = run(TRIALS);
      assert.deepEqual(run([...TRIALS].reverse()).reverse(), reports);
      // Different ends, so that there is an order to differ in.
      assert.ok(new Set(reports.map(({ detector }) => detector)).size >= ends);
    });
});
