import { TLB_QEMU_TCG } from '../x86/tlb';
import { TrialRunner } from '../stack/trial';
import { wilson, type Interval } from './proportion';
import { RUNAWAY_ENDINGS, type RecordedRunaway, type RunawayEnding } from './recorded-runaways';
import { recordedConfig, type RecordedKernel } from './recorded-kernels';

export type RunawayShares = Readonly<Record<RunawayEnding, number>>;

/** One kernel: how its recorded endless recursions ended, and how simulated ones do. */
export interface RunawayRow {
  readonly kernel: RecordedKernel;
  readonly runs: number;
  readonly real: RunawayShares;
  /** 95 % intervals of the real shares. */
  readonly interval: Readonly<Record<RunawayEnding, Interval>>;
  /** Mean over the runs of what was simulated with each run's frames. */
  readonly simulated: RunawayShares;
  /** Whether every simulated share lies in its interval. */
  readonly agrees: boolean;
}

export interface RunawayAgreement {
  readonly rows: readonly RunawayRow[];
  readonly runs: number;
  readonly trials: number;
  /** Mean over the runs of −ln of the simulated share of how each really ended. */
  readonly logLoss: number;
  /** The same for always answering the shares of all recorded runs. */
  readonly baselineLogLoss: number;
  /** What the model lacks where the shares differ. */
  readonly limits: string;
}

export interface RunawayOptions {
  /** Trials for each kernel and kind of frame. */
  readonly seeds: number;
  readonly seed?: number;
  /** Machines that the trials are spread over: each has one of its own unless given. */
  readonly populations?: number;
}

/** What every recorded machine is: QEMU without KVM, freshly booted. Half of its boot's pages are free again. */
const MACHINE = { tlb: TLB_QEMU_TCG, bootPages: 256 } as const;
/** The recorded recursions' alloca. */
const FRAME = 256;

const LIMITS =
  'Which table the recursion meets first, one of the kernel’s mappings or the first table in CR3, decides how it ' +
  'ends, and that hangs on the order in which a boot happened to take its pages: the model’s is an assumption ' +
  '(256 single pages, half of them free again: one number for all kernels, chosen with the recorded endings in ' +
  'view; with 192 to 1024 of them 53 to 66 % are panics, with 128 more, with 64 or fewer nearly all). Dense ' +
  'frames reset the machine more often than recorded, where CR3’s table is overwritten whole. Of what a real ' +
  'oops reads while it prints, the table of symbols and ten words of the log’s and the console’s data are ' +
  'modelled: an estimate; with those words 22 to 28 % of the sparse recursions hang, without them 8 to 15 %.';

/**
 * Simulates recorded endless recursions with the same kernel and frames on a machine with QEMU's TLB, and sets
 * the endings side by side. Of the recorded endings only this enters the simulation: `bootPages` was chosen
 * with them in view.
 *
 * @throws RangeError for fewer than one seed
 */
export function runawayAgreement(
  runs: readonly RecordedRunaway[],
  { seeds, seed = 1, populations = seeds }: RunawayOptions,
): RunawayAgreement {
  for (const [name, value] of Object.entries({ seeds, populations })) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name}: expected a whole number from 1, got ${value}`);
  }
  const simulated = new Map<string, Record<RunawayEnding, number>>();
  const kernels = [...new Set(runs.map(({ kernel }) => kernel))];
  for (const kernel of kernels) {
    const kinds = [
      ...new Set(runs.filter((run) => run.kernel === kernel).map(({ frames }) => frames)),
    ];
    for (const frames of kinds)
      simulated.set(`${kernel} ${frames}`, { panic: 0, reset: 0, hang: 0, alive: 0 });
    for (let i = 0; i < Math.min(populations, seeds); i++) {
      const runner = new TrialRunner(recordedConfig(kernel), seed + i, MACHINE);
      for (const frames of kinds) {
        for (let trial = i; trial < seeds; trial += populations) {
          const { machine } = runner.run({ frames, frame: FRAME }, seed + trial);
          simulated.get(`${kernel} ${frames}`)![machine]++;
        }
      }
    }
  }
  const counts = (run: RecordedRunaway) => simulated.get(`${run.kernel} ${run.frames}`)!;
  const overall = sharesOf(runs);
  const loss = (shares: (run: RecordedRunaway) => RunawayShares) =>
    runs.reduce((sum, run) => sum - Math.log(shares(run)[run.ending]), 0) / runs.length;
  return {
    rows: kernels.map((kernel) =>
      rowOf(kernel, runs, (run) => byEnding((ending) => counts(run)[ending] / seeds)),
    ),
    runs: runs.length,
    trials: simulated.size * seeds,
    logLoss: runs.length > 0 ? loss((run) => smoothed(counts(run))) : 0,
    baselineLogLoss: runs.length > 0 ? loss(() => overall) : 0,
    limits: LIMITS,
  };
}

function rowOf(
  kernel: RecordedKernel,
  all: readonly RecordedRunaway[],
  simulated: (run: RecordedRunaway) => RunawayShares,
): RunawayRow {
  const runs = all.filter((run) => run.kernel === kernel);
  const hits = (ending: RunawayEnding) => runs.filter((run) => run.ending === ending).length;
  const mean = (ending: RunawayEnding) =>
    runs.reduce((sum, run) => sum + simulated(run)[ending], 0) / runs.length;
  const interval = (ending: RunawayEnding) => wilson(hits(ending), runs.length);
  const inside = (ending: RunawayEnding) =>
    mean(ending) >= interval(ending).low && mean(ending) <= interval(ending).high;
  return {
    kernel,
    runs: runs.length,
    real: sharesOf(runs),
    interval: byEnding(interval),
    simulated: byEnding(mean),
    agrees: RUNAWAY_ENDINGS.every(inside),
  };
}

/** Shares with half a trial added to each ending (Jeffreys), so that what was never seen is not impossible. */
function smoothed(counts: Readonly<Record<RunawayEnding, number>>): RunawayShares {
  const total = RUNAWAY_ENDINGS.reduce((sum, ending) => sum + counts[ending] + 0.5, 0);
  return byEnding((ending) => (counts[ending] + 0.5) / total);
}

const sharesOf = (runs: readonly RecordedRunaway[]): RunawayShares =>
  byEnding((ending) => runs.filter((run) => run.ending === ending).length / runs.length);

const byEnding = <T>(of: (ending: RunawayEnding) => T): Readonly<Record<RunawayEnding, T>> => ({
  panic: of('panic'),
  reset: of('reset'),
  hang: of('hang'),
  alive: of('alive'),
});
