import recorded from '../data/recorded-overruns.json';
import { kernelConfig, type Era } from '../stack/config';
import type { NeighbourKind } from '../stack/scene';
import { defineExperiment } from './experiment';
import { RECORDED_KINDS, type OverrunKind } from './overrun-kinds';
import { shareOf } from './statistics';
import { EVIDENCE, type Row } from './table';
import {
  INTERVALS,
  kernelAsked,
  KERNELS,
  MACHINES,
  OUTCOMES,
  OutcomeTally,
  shuffledRounds,
  TrialMachines,
} from './trials';

/** What can lie below a stack, most frequent first on the recorded machines. */
export const NEIGHBOUR_LABELS: readonly (readonly [Exclude<NeighbourKind, 'any'>, string])[] = [
  ['stack', 'another stack'],
  ['slab', 'slab'],
  ['free', 'free page'],
  ['anon', 'user anon'],
  ['pagetable', 'page table'],
  ['file', 'page cache'],
  ['other', 'other kernel'],
];

/** `npx guardpage experiment victim-by-neighbour` */
export const victimByNeighbour = defineExperiment({
  name: 'victim-by-neighbour',
  title: 'What becomes of an overrun, by who lies below',
  question: 'Does it matter whose page an overrun of a stack in the direct map hits?',
  parameters: {
    era: {
      kind: 'choice',
      description: 'size of the stack',
      default: '16k',
      choices: ['8k', '16k'],
    },
    trials: {
      kind: 'number',
      description: 'trials for each class, the five recorded kinds of overrun equally often',
      default: 200,
      min: 5,
      max: 5000,
    },
    machines: MACHINES,
    kernels: KERNELS,
  },
  notes: [
    'Model: 6.1, as recorded, or the kernel of the era, without SCHED_STACK_END_CHECK; stacks above a page of each class, which is put there where it is rare; overruns that come back (up to 4096 B past).',
    'Recorded: 6.1.192 guests with VMAP_STACK=n, 8 and 16 KB stacks together, end check off, the endless overruns left out. Of page cache and page tables there are two runs each.',
    INTERVALS,
  ],
  table: ({ era, trials, machines, kernels }, seed) => {
    const config = kernelConfig(era as Era, {
      kernel: kernelAsked(kernels),
      stackEndCheck: false,
    });
    const runner = new TrialMachines(config, seed, machines);
    const kinds = shuffledRounds(RECORDED_KINDS, trials, seed);
    return {
      columns: [
        EVIDENCE,
        { key: 'neighbour', label: 'page below' },
        { key: 'outcome', label: 'outcome' },
        { key: 'count', label: 'count' },
        { key: 'n', label: 'of' },
        { key: 'share', label: 'share' },
        { key: 'low', label: 'from' },
        { key: 'high', label: 'to' },
      ],
      rows: NEIGHBOUR_LABELS.flatMap(([neighbour, label]) => [
        ...tried(runner, neighbour, label, kinds),
        ...recordedRows(neighbour, label),
      ]),
    };
  },
});

function tried(
  runner: TrialMachines,
  neighbour: NeighbourKind,
  label: string,
  kinds: readonly OverrunKind[],
): Row[] {
  if (!runner.has(neighbour)) return [];
  const tally = new OutcomeTally();
  for (const { options } of kinds) {
    const { report, machine } = runner.run({ ...options, neighbour });
    tally.add(machine, report.outcome);
  }
  return OUTCOMES.map((outcome) => ({
    evidence: 'model',
    neighbour: label,
    outcome,
    ...tally.of(outcome),
  }));
}

function recordedRows(neighbour: NeighbourKind, label: string): Row[] {
  const runs = recorded.byNeighbour.find(
    (row) => row.neighbour === neighbour && !row.stackEndCheck,
  );
  if (!runs) return [];
  return OUTCOMES.map((outcome) => ({
    evidence: 'recorded',
    neighbour: label,
    outcome,
    count: runs[outcome],
    n: runs.n,
    ...shareOf(runs[outcome], runs.n),
  }));
}
