import recorded from '../data/recorded-overruns.json';
import { ERAS, kernelConfig, type Era } from '../stack/config';
import type { Outcome } from '../stack/report';
import type { NeighbourKind } from '../stack/scene';
import { defineExperiment } from './experiment';
import {
  ENDLESS,
  ONE_STORE,
  OVER_THE_GUARD,
  RECORDED_KINDS,
  type OverrunKind,
} from './overrun-kinds';
import { shareOf } from './statistics';
import { EVIDENCE, type Row } from './table';
import { neighbourMix, NEIGHBOUR_MIX, TrialMachines } from './trials';

const KINDS: readonly OverrunKind[] = [...RECORDED_KINDS, ONE_STORE, OVER_THE_GUARD, ENDLESS];

/** What can become of an overrun. One that happened to change no byte was never noticed either. */
export const OUTCOMES: readonly Exclude<Outcome, 'none'>[] = ['immediate', 'delayed', 'silent'];

/** `npx guardpage experiment outcome-by-era` */
export const outcomeByEra = defineExperiment({
  name: 'outcome-by-era',
  title: 'The same overruns in three eras',
  question: 'How often is an overrun stopped at once, noticed later, or never noticed?',
  parameters: {
    trials: {
      kind: 'number',
      description: 'trials for each era and kind of overrun; of endless ones a twentieth',
      default: 200,
      min: 1,
      max: 5000,
    },
    machines: {
      kind: 'number',
      description: 'differently populated machines for each era',
      default: 4,
      min: 1,
      max: 50,
    },
    neighbours: NEIGHBOUR_MIX,
  },
  notes: [
    'Model: 3.14 (8 KB), 3.15 (16 KB) and 6.1 (vmalloc), built as a distribution does: SCHED_STACK_END_CHECK and stack protector with vmalloc only. After the overrun come load and the waking of every sleeper. In the direct map the page below is of each class as often as in the recorded runs, where classes were asked for; “natural” takes what comes.',
    'Recorded: 6.1.192 guests with VMAP_STACK=n without the end check (8 and 16 KB) and VMAP_STACK=y. “Silent” is no symptom within 8 to 10 s, not harmless.',
    'Intervals: 95 %, Wilson.',
  ],
  table: ({ trials, machines, neighbours }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'era', label: 'era' },
      { key: 'kind', label: 'overrun' },
      { key: 'outcome', label: 'outcome' },
      { key: 'count', label: 'count' },
      { key: 'n', label: 'of' },
      { key: 'share', label: 'share' },
      { key: 'low', label: 'from' },
      { key: 'high', label: 'to' },
    ],
    rows: [
      ...ERAS.flatMap((era) => {
        const config = kernelConfig(era);
        const runner = new TrialMachines(config, seed, machines);
        const mix = neighbourMix(config, neighbours === 'natural', seed);
        return KINDS.flatMap((kind) => tried(runner, mix, era, kind, trials));
      }),
      ...ERAS.flatMap((era) => KINDS.flatMap((kind) => recordedRows(era, kind))),
    ],
  }),
});

function tried(
  runner: TrialMachines,
  mix: readonly NeighbourKind[],
  era: Era,
  kind: OverrunKind,
  trials: number,
): Row[] {
  const n = kind === ENDLESS ? Math.max(1, Math.round(trials / 20)) : trials;
  const counts = { none: 0, immediate: 0, delayed: 0, silent: 0 };
  for (let i = 0; i < n; i++) {
    const neighbour = mix[i % mix.length];
    counts[runner.run({ ...kind.options, neighbour }).outcome]++;
  }
  return rowsOf('model', era, kind, { ...counts, silent: counts.silent + counts.none }, n);
}

function rowsOf(
  evidence: 'model' | 'recorded',
  era: Era,
  kind: OverrunKind,
  counts: Readonly<Record<Exclude<Outcome, 'none'>, number>>,
  n: number,
): Row[] {
  return OUTCOMES.map((outcome) => ({
    evidence,
    era,
    kind: kind.label,
    outcome,
    count: counts[outcome],
    n,
    ...shareOf(counts[outcome], n),
  }));
}

function recordedRows(era: Era, kind: OverrunKind): Row[] {
  const runs = recorded.byMode.filter(
    (run) =>
      run.era === era && run.stackEndCheck === (era === 'vmap') && kind.modes.includes(run.mode),
  );
  const n = sum(runs.map((run) => run.n));
  if (n === 0) return [];
  const counts = {
    immediate: sum(runs.map((run) => run.immediate)),
    delayed: sum(runs.map((run) => run.delayed)),
    silent: sum(runs.map((run) => run.silent)),
  };
  return rowsOf('recorded', era, kind, counts, n);
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
