import recorded from '../data/recorded-overruns.json';
import { kernelConfig, type Era } from '../stack/config';
import type { NeighbourKind } from '../stack/scene';
import { defineExperiment } from './experiment';
import { OUTCOMES } from './outcome-by-era';
import { RECORDED_KINDS } from './overrun-kinds';
import { shareOf } from './statistics';
import { EVIDENCE, type Row } from './table';
import { TrialMachines } from './trials';

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
      description: 'trials for each class, the five recorded kinds of overrun in turn',
      default: 200,
      min: 5,
      max: 5000,
    },
    machines: {
      kind: 'number',
      description: 'differently populated machines',
      default: 4,
      min: 1,
      max: 50,
    },
  },
  notes: [
    'Model: the kernel of the era without SCHED_STACK_END_CHECK; stacks above a page of each class, which is put there where it is rare; overruns that come back (up to 4096 B past).',
    'Recorded: 6.1.192 guests with VMAP_STACK=n, 8 and 16 KB stacks together, end check off, the endless overruns left out. Of page cache and page tables there are two runs each.',
    'Intervals: 95 %, Wilson.',
  ],
  table: ({ era, trials, machines }, seed) => {
    const config = kernelConfig(era as Era, { stackEndCheck: false });
    const runner = new TrialMachines(config, seed, machines);
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
        ...tried(runner, neighbour, label, trials),
        ...recordedRows(neighbour, label),
      ]),
    };
  },
});

function tried(
  runner: TrialMachines,
  neighbour: NeighbourKind,
  label: string,
  trials: number,
): Row[] {
  if (!runner.has(neighbour)) return [];
  const counts = { none: 0, immediate: 0, delayed: 0, silent: 0 };
  for (let i = 0; i < trials; i++) {
    const { options } = RECORDED_KINDS[i % RECORDED_KINDS.length];
    counts[runner.run({ ...options, neighbour }).outcome]++;
  }
  return rowsOf('model', label, { ...counts, silent: counts.silent + counts.none }, trials);
}

function recordedRows(neighbour: NeighbourKind, label: string): Row[] {
  const runs = recorded.byNeighbour.find(
    (row) => row.neighbour === neighbour && !row.stackEndCheck,
  );
  return runs ? rowsOf('recorded', label, runs, runs.n) : [];
}

function rowsOf(
  evidence: 'model' | 'recorded',
  neighbour: string,
  counts: { immediate: number; delayed: number; silent: number },
  n: number,
): Row[] {
  return OUTCOMES.map((outcome) => ({
    evidence,
    neighbour,
    outcome,
    count: counts[outcome],
    n,
    ...shareOf(counts[outcome], n),
  }));
}
