import recorded from '../data/recorded-overruns.json';
import { ERAS, kernelConfig, type Era } from '../stack/config';
import { MEMORY_PROFILES, type MemoryProfile } from '../stack/population';
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
import {
  INTERVALS,
  kernelAsked,
  KERNELS,
  MACHINES,
  neighbourMix,
  NEIGHBOUR_MIX,
  OUTCOMES,
  OutcomeTally,
  TrialMachines,
  type NamedOutcome,
} from './trials';

const KINDS: readonly OverrunKind[] = [...RECORDED_KINDS, ONE_STORE, OVER_THE_GUARD, ENDLESS];

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
    machines: MACHINES,
    kernels: KERNELS,
    neighbours: NEIGHBOUR_MIX,
    memory: {
      kind: 'choice',
      description:
        'what memory has been through: light load, or a program that freed half of its pages',
      default: 'light',
      choices: MEMORY_PROFILES,
    },
  },
  notes: [
    'Model: 6.1, as recorded, or 3.14 (8 KB), 3.15 (16 KB) and 6.1 (vmalloc); SCHED_STACK_END_CHECK and stack protector with vmalloc only. After the overrun come load and the waking of every sleeper. In the direct map the page below is of each class as often as in the recorded runs, where classes were asked for; “natural” takes what comes.',
    'Recorded: 6.1.192 guests with VMAP_STACK=n without the end check (8 and 16 KB) and VMAP_STACK=y. “Silent” is no symptom within 8 to 10 s, not harmless.',
    INTERVALS,
  ],
  table: ({ trials, machines, kernels, neighbours, memory }, seed) => ({
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
        const config = kernelConfig(era, { kernel: kernelAsked(kernels) });
        const runner = new TrialMachines(config, seed, machines, memory as MemoryProfile);
        const mix = neighbourMix(config, neighbours === 'natural', trials, seed);
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
  const tally = new OutcomeTally();
  for (let i = 0; i < n; i++) {
    const { report, machine } = runner.run({ ...kind.options, neighbour: mix[i] });
    tally.add(machine, report.outcome);
  }
  return OUTCOMES.map((outcome) => ({
    evidence: 'model',
    era,
    kind: kind.label,
    outcome,
    ...tally.of(outcome),
  }));
}

function recordedRows(era: Era, kind: OverrunKind): Row[] {
  const runs = recorded.byMode.filter(
    (run) =>
      run.era === era && run.stackEndCheck === (era === 'vmap') && kind.modes.includes(run.mode),
  );
  const n = sum(runs.map((run) => run.n));
  if (n === 0) return [];
  const count = (outcome: NamedOutcome) => sum(runs.map((run) => run[outcome]));
  return OUTCOMES.map((outcome) => ({
    evidence: 'recorded',
    era,
    kind: kind.label,
    outcome,
    count: count(outcome),
    n,
    ...shareOf(count(outcome), n),
  }));
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
