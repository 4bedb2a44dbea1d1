import type { NeighbourKind } from '../stack/scene';
import { TrialRunner } from '../stack/trial';
import { wilson, type Interval } from './proportion';
import { RECORDED_RUNAWAYS, type RecordedRunaway } from './recorded-runaways';
import { recordedConfig, type RecordedKernel } from './recorded-kernels';
import { ENDINGS, recordedMode, type Ending, type RecordedRun } from './recorded-runs';
import { runawayAgreement, type RunawayAgreement } from './runaway-agreement';

export type Shares = Readonly<Record<Ending, number>>;

/** One kernel and kind of overrun: real runs beside simulated ones with the same pages below. */
export interface AgreementRow {
  readonly kernel: RecordedKernel;
  readonly mode: string;
  readonly runs: number;
  readonly real: Shares;
  /** 95 % intervals of the real shares. */
  readonly interval: Readonly<Record<Ending, Interval>>;
  /** Mean over the runs of what was simulated with each run's class of page below. */
  readonly simulated: Shares;
  /** Whether every simulated share lies in its interval. */
  readonly agrees: boolean;
  /** Where it does not agree: the pages below whose runs ended otherwise than simulated, and why the model may. */
  readonly apart: readonly string[];
}

export interface Agreement {
  readonly rows: readonly AgreementRow[];
  readonly runs: number;
  readonly trials: number;
  /** Mean over the runs of −ln of the simulated share of what really happened. */
  readonly logLoss: number;
  /** The same for always answering the shares of all recorded runs. */
  readonly baselineLogLoss: number;
  /** Endless recursions, which end the machine: how. */
  readonly runaway: RunawayAgreement;
}

export interface AgreementOptions {
  /** Trials for each kernel, kind of overrun and class of page below. */
  readonly seeds: number;
  /** Machines that the trials are spread over, each with threads, slabs and programs of its own. */
  readonly populations?: number;
  readonly seed?: number;
  /** Endless recursions to set beside simulated ones: those that were recorded unless given. */
  readonly runaways?: readonly RecordedRunaway[];
  /** Trials for each kernel and kind of frame of these; as many as `seeds`, at most 120, unless given. */
  readonly runawaySeeds?: number;
}

const POPULATIONS = 10;
const RUNAWAY_SEEDS = 120;

/** What the model lacks where overruns into such pages end otherwise than recorded. */
const LIMITS: Readonly<Record<NeighbourKind, string>> = {
  stack: 'every sleeper of the model is a thread of the probe, asleep at the same depth',
  slab: 'sizes and offsets of its objects are estimates, and most of their fields nobody reads',
  free: 'who takes a free page next hangs on a load that is simpler than the recorded one',
  anon: 'which pages a program reads again is an assumption',
  file: 'which pages a program reads again is an assumption',
  pagetable: 'which addresses behind a table a program uses again is an assumption',
  other: 'in the model nobody reads these pages',
  any: 'the load is simpler than the recorded one',
};

/**
 * Simulates recorded overruns with the same kernel, kind of overrun, frame geometry and class of the page
 * below, and sets the endings side by side; nothing of the recorded endings enters the simulation. Endless
 * recursions likewise, but for what {@link runawayAgreement} says.
 *
 * @throws RangeError without runs, or for fewer than one seed
 */
export function agreement(runs: readonly RecordedRun[], options: AgreementOptions): Agreement {
  const { seeds, populations = POPULATIONS, seed = 1 } = options;
  if (runs.length === 0) throw new RangeError('runs: expected at least one recorded run, got none');
  for (const [name, value] of Object.entries({ seeds, populations })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`${name}: expected a whole number from 1, got ${value}`);
    }
  }
  const simulated = new Map<string, Simulated>();
  const groups = groupBy(runs, ({ kernel, mode, below }) => `${kernel} ${mode} ${below}`);
  const byKernel = groupBy(
    [...groups.values()].map(([run]) => run),
    ({ kernel }) => kernel,
  );
  for (const [, kinds] of byKernel) {
    const counts = new Map(
      kinds.map((run) => [keyOf(run), { immediate: 0, delayed: 0, silent: 0 }]),
    );
    for (let i = 0; i < populations; i++) {
      // One machine at a time: a populated one takes as much memory as it simulates.
      const runner = new TrialRunner(recordedConfig(kinds[0].kernel), seed + i);
      for (const run of kinds) {
        const mode = recordedMode(run.mode, recordedConfig(run.kernel));
        if (!runner.has(run.below)) continue;
        for (let trial = i; trial < seeds; trial += populations) {
          const { outcome } = runner.run({ ...mode, neighbour: run.below }, seed + trial);
          counts.get(keyOf(run))![outcome === 'none' ? 'silent' : outcome]++;
        }
      }
    }
    for (const [key, count] of counts) simulated.set(key, simulatedOf(key, count));
  }
  const overall = sharesOf(runs);
  const loss = (predict: (run: RecordedRun) => Shares) =>
    runs.reduce((sum, run) => sum - Math.log(predict(run)[run.ending]), 0) / runs.length;
  return {
    rows: [...groupBy(runs, ({ kernel, mode }) => `${kernel} ${mode}`).values()].map((cell) =>
      rowOf(cell, simulated),
    ),
    runs: runs.length,
    trials: [...simulated.values()].reduce((sum, { trials }) => sum + trials, 0),
    logLoss: loss((run) => simulated.get(keyOf(run))!.predicted),
    baselineLogLoss: loss(() => overall),
    runaway: runawayAgreement(options.runaways ?? RECORDED_RUNAWAYS, {
      seeds: options.runawaySeeds ?? Math.min(seeds, RUNAWAY_SEEDS),
      seed,
    }),
  };
}

const keyOf = ({ kernel, mode, below }: RecordedRun) => `${kernel} ${mode} ${below}`;

/** What trials of one kernel, kind of overrun and page below came to. */
interface Simulated {
  readonly trials: number;
  readonly shares: Shares;
  /** With half a trial added to each ending (Jeffreys), so that what was never seen is not impossible. */
  readonly predicted: Shares;
}

function simulatedOf(key: string, counts: Readonly<Record<Ending, number>>): Simulated {
  const trials = ENDINGS.reduce((sum, ending) => sum + counts[ending], 0);
  if (trials === 0) {
    throw new RangeError(
      `${key}: expected machines with a stack above such a page, found none: give more populations`,
    );
  }
  return {
    trials,
    shares: shares((ending) => counts[ending] / trials),
    predicted: shares((ending) => (counts[ending] + 0.5) / (trials + ENDINGS.length / 2)),
  };
}

function sharesOf(runs: readonly RecordedRun[]): Shares {
  return shares((ending) => runs.filter((run) => run.ending === ending).length / runs.length);
}

const shares = (of: (ending: Ending) => number): Shares => ({
  immediate: of('immediate'),
  delayed: of('delayed'),
  silent: of('silent'),
});

function rowOf(
  cell: readonly RecordedRun[],
  simulated: ReadonlyMap<string, Simulated>,
): AgreementRow {
  const [{ kernel, mode }] = cell;
  const hits = (ending: Ending) => cell.filter((run) => run.ending === ending).length;
  const mean = (ending: Ending) =>
    cell.reduce((sum, run) => sum + simulated.get(keyOf(run))!.shares[ending], 0) / cell.length;
  const interval = {
    immediate: wilson(hits('immediate'), cell.length),
    delayed: wilson(hits('delayed'), cell.length),
    silent: wilson(hits('silent'), cell.length),
  };
  const outside = ENDINGS.filter(
    (ending) => mean(ending) < interval[ending].low || mean(ending) > interval[ending].high,
  );
  return {
    kernel,
    mode,
    runs: cell.length,
    real: sharesOf(cell),
    interval,
    simulated: shares(mean),
    agrees: outside.length === 0,
    apart: outside.flatMap((ending) => apart(cell, ending, simulated)),
  };
}

/** `slab: 1 of 5 delayed, simulated 1 %: …`, for each page below for which that is no rounding. */
function apart(
  cell: readonly RecordedRun[],
  ending: Ending,
  simulated: ReadonlyMap<string, Simulated>,
): string[] {
  return [...groupBy(cell, ({ below }) => below).values()].flatMap((runs) => {
    const { below } = runs[0];
    const hits = runs.filter((run) => run.ending === ending).length;
    const share = simulated.get(keyOf(runs[0]))!.shares[ending];
    if (Math.abs(hits / runs.length - share) < 0.1) return [];
    return [
      `${below}: ${hits} of ${runs.length} ${ending}, simulated ${(100 * share).toFixed(0)} %: ${LIMITS[below]}`,
    ];
  });
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
