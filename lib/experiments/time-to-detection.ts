import recorded from '../data/recorded-overruns.json';
import { kernelConfig, type Era } from '../stack/config';
import { defineExperiment } from './experiment';
import { RECORDED_KINDS } from './overrun-kinds';
import { median } from './statistics';
import { EVIDENCE, round, type Row } from './table';
import { MACHINES, neighbourMix, NEIGHBOUR_MIX, shuffledRounds, TrialMachines } from './trials';

/** The kernels that were recorded: stack size, and whether the end of the stack is looked at. */
const KERNELS = [
  { label: 'direct map', eras: ['8k', '16k'], stackEndCheck: false },
  { label: 'direct map, end check', eras: ['8k', '16k'], stackEndCheck: true },
  { label: 'vmalloc', eras: ['vmap'], stackEndCheck: true },
] as const satisfies readonly {
  label: string;
  eras: readonly Era[];
  stackEndCheck: boolean;
}[];

type Kernel = (typeof KERNELS)[number];

/** That of the recorded guests; the end check can be built in since 3.18. */
const VERSION = '6.1';

/** `npx guardpage experiment time-to-detection` */
export const timeToDetection = defineExperiment({
  name: 'time-to-detection',
  title: 'Who notices, and when',
  question: 'How long does an overrun go unnoticed, and what notices it in the end?',
  parameters: {
    trials: {
      kind: 'number',
      description:
        'trials for each kernel and size of stack, the five recorded kinds equally often',
      default: 200,
      min: 5,
      max: 5000,
    },
    machines: MACHINES,
    neighbours: NEIGHBOUR_MIX,
  },
  notes: [
    'Model: 6.1; time in context switches from the start of the overrunning code to the first line that says so (1: in the time slice in which the task overran). Overruns that come back; the task that overran goes on, then come load, the waking of all sleepers, and a last round of load. In the direct map the page below is of each class as often as in the recorded runs, where classes were asked for.',
    'Recorded: 6.1.192 guests; time in seconds of guest time, where load ran until second 6 and sleepers were woken after that. Seconds and switches can’t be converted into each other; the order of the detectors can be compared.',
    '“nobody”: no symptom to the end (about 10 s on the recorded guests).',
  ],
  table: ({ trials, machines, neighbours }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'kernel', label: 'kernel' },
      { key: 'detector', label: 'noticed by' },
      { key: 'count', label: 'count' },
      { key: 'n', label: 'of' },
      { key: 'share', label: 'share', unit: '%' },
      { key: 'unit', label: 'time in' },
      { key: 'first', label: 'earliest' },
      { key: 'median', label: 'median' },
      { key: 'last', label: 'latest' },
    ],
    rows: KERNELS.flatMap((kernel) => [
      ...tried(kernel, { trials, machines, natural: neighbours === 'natural' }, seed),
      ...recordedRows(kernel),
    ]),
  }),
});

/** Time of the first symptom of each trial by what noticed it; under 'nobody' one null for each trial. */
type Sightings = Map<string, (number | null)[]>;

function note(sightings: Sightings, by: string, time: number | null): void {
  const times = sightings.get(by);
  if (times) times.push(time);
  else sightings.set(by, [time]);
}

interface Trials {
  readonly trials: number;
  readonly machines: number;
  readonly natural: boolean;
}

function tried(kernel: Kernel, { trials, machines, natural }: Trials, seed: number): Row[] {
  const sightings: Sightings = new Map();
  const { stackEndCheck, eras } = kernel;
  for (const era of eras) {
    const config = kernelConfig(era, { kernel: VERSION, stackEndCheck, stackProtector: false });
    const runner = new TrialMachines(config, seed, machines);
    const neighbours = neighbourMix(config, natural, trials, seed);
    const kinds = shuffledRounds(RECORDED_KINDS, trials, seed);
    for (const [i, { options }] of kinds.entries()) {
      const { report } = runner.run({ ...options, neighbour: neighbours[i] });
      const { detector, noticedAfter, machine } = report;
      const by = detector ?? (noticedAfter === null ? 'nobody' : machine);
      note(sightings, by, noticedAfter);
    }
  }
  return rowsOf('model', kernel.label, 'switches', sightings);
}

function recordedRows(kernel: Kernel): Row[] {
  const sightings: Sightings = new Map();
  for (const run of recorded.detection) {
    const { era, stackEndCheck, kind, detector, n, seconds } = run;
    const eras: readonly string[] = kernel.eras;
    if (kind !== 'finite' || !eras.includes(era) || stackEndCheck !== kernel.stackEndCheck)
      continue;
    for (let i = 0; i < n; i++) note(sightings, detector ?? 'nobody', seconds[i] ?? null);
  }
  return rowsOf('recorded', kernel.label, 'seconds', sightings);
}

function rowsOf(
  evidence: 'model' | 'recorded',
  kernel: string,
  unit: string,
  sightings: Sightings,
): Row[] {
  const n = [...sightings.values()].reduce((sum, times) => sum + times.length, 0);
  const rows = [...sightings].map(([detector, all]): Row => {
    const times = all.filter((time) => time !== null);
    const none = times.length === 0;
    const middle = median(times);
    return {
      evidence,
      kernel,
      detector,
      count: all.length,
      n,
      share: round((100 * all.length) / n, 1),
      unit: none ? null : unit,
      first: none ? null : Math.min(...times),
      median: middle === null ? null : round(middle, 2),
      last: none ? null : Math.max(...times),
    };
  });
  return rows.sort((a, b) => Number(a.median ?? Infinity) - Number(b.median ?? Infinity));
}
