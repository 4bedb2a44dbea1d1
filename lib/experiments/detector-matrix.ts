import { Random } from '../random';
import { kernelConfig } from '../stack/config';
import { DETECTORS, type DetectorSpec } from '../stack/detectors/comparison';
import { costSince } from '../stack/detectors/costs';
import { Machine } from '../stack/machine';
import { overrunScene } from '../stack/overrun';
import { populate } from '../stack/population';
import { pick } from '../stack/scene';
import type { TrialOptions } from '../stack/trial';
import { defineExperiment } from './experiment';
import { EVIDENCE, round, type Row } from './table';
import { SEEDS } from './trials';

/** Ways to overrun a stack that the checks see differently. */
const KINDS: readonly { readonly label: string; readonly options: TrialOptions }[] = [
  { label: 'recursion, every byte', options: { past: 512, frames: 'dense', frame: 128 } },
  { label: 'recursion, few bytes', options: { past: 512, frames: 'sparse', frame: 512 } },
  { label: 'one wide frame', options: { jump: 1024 } },
  { label: 'one store, RSP inside', options: { poke: 64 } },
  { label: 'interrupt, 64 bytes left', options: { irq: 64 } },
];

/** The last version for x86-64 that can have all of them is 5.1; 4.9 is the first with a guard page. */
const VERSION = '4.9';

/** `npx guardpage experiment detector-matrix` */
export const detectorMatrix = defineExperiment({
  name: 'detector-matrix',
  title: 'What each check notices, and what it reads for that',
  question: 'Which overruns does each check notice by itself, and at what cost?',
  parameters: {
    trials: {
      kind: 'number',
      description: 'trials of each kind of overrun for each check',
      default: 30,
      min: 1,
      max: 2000,
    },
  },
  notes: [
    `Model: ${VERSION}, 16 KB stacks, one machine for each check, which has that check alone; the guard page with VMAP_STACK, all others in the direct map. Who lies below a stack is drawn. Counted is what the check says itself, not what happens later because nobody said anything.`,
    'Cost: bytes that the check loads and stores in one trial of this kind: the overrun, about 5 s of load, every sleeper woken and ended. A guard page reads nothing. The model’s device interrupts only in the last kind; on a real machine one may come at any moment.',
  ],
  table: ({ trials }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'detector', label: 'check' },
      { key: 'moment', label: 'looks' },
      { key: 'kind', label: 'overrun' },
      { key: 'noticed', label: 'noticed' },
      { key: 'n', label: 'of' },
      { key: 'share', label: 'share' },
      { key: 'checks', label: 'checks a trial' },
      { key: 'bytes', label: 'moved a trial', unit: 'bytes' },
    ],
    rows: DETECTORS.filter(({ says }) => says !== null).flatMap((spec) =>
      rowsOf(spec, trials, seed),
    ),
  }),
});

function rowsOf(
  { name, moment, options, vmap, counted, says }: DetectorSpec,
  n: number,
  seed: number,
): Row[] {
  const config = kernelConfig(vmap ? 'vmap' : '16k', { ...options, kernel: VERSION });
  const machine = new Machine(config, { seed });
  const population = populate(machine);
  machine.snapshot();
  const before = counted && machine.detectors.of(counted);
  const random = new Random(seed);
  return KINDS.map(({ label, options: kind }): Row => {
    let [noticed, checks, bytes] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      machine.restore(new Random(random.below(SEEDS)));
      const chosen = pick(machine, population, 'any');
      const { console } = overrunScene({ ...population, machine, chosen }, kind);
      if (console.some((line) => says!.test(line))) noticed++;
      if (!counted || !before) continue;
      const cost = costSince(before, machine.detectors.of(counted));
      checks += cost.checks;
      bytes += cost.bytes;
    }
    return {
      evidence: 'model',
      detector: name,
      moment,
      kind: label,
      noticed,
      n,
      share: round(noticed / n),
      checks: counted ? Math.round(checks / n) : null,
      bytes: counted ? Math.round(bytes / n) : null,
    };
  });
}
