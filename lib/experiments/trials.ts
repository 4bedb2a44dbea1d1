import recorded from '../data/recorded-overruns.json';
import { Random } from '../random';
import type { OverrunReport } from '../stack/aftermath';
import type { Outcome } from '../stack/report';
import type { KernelConfig } from '../stack/config';
import type { MemoryProfile } from '../stack/population';
import type { NeighbourKind } from '../stack/scene';
import { TrialRunner, type TrialOptions } from '../stack/trial';
import type { ChoiceParameter, NumberParameter } from './parameters';
import { shareOverMachines, type Share } from './statistics';

/** Seeds are drawn below this. */
export const SEEDS = 2 ** 31 - 1;

/** Parameter of experiments that are set beside recorded runs. */
export const NEIGHBOUR_MIX = {
  kind: 'choice',
  description: 'what lies below the stacks: the mix of the recorded runs, or what comes',
  default: 'recorded',
  choices: ['recorded', 'natural'],
} as const satisfies ChoiceParameter;

/** Parameter of experiments that run trials on several machines. */
export const MACHINES = {
  kind: 'number',
  description: 'differently populated machines for each kernel',
  default: 20,
  min: 1,
  max: 200,
} as const satisfies NumberParameter;

/** Parameter of experiments whose direct-map eras can be run with either kernel. */
export const KERNELS = {
  kind: 'choice',
  description:
    'the recorded kernel, 6.1, with the stacks of each era, or the kernel of the era, whose thread_info lies on the stack',
  default: 'recorded',
  choices: ['recorded', 'era'],
} as const satisfies ChoiceParameter;

/** The kernel that such a parameter asks for; undefined for the era's own. */
export const kernelAsked = (kernels: string): string | undefined =>
  kernels === 'recorded' ? '6.1' : undefined;

/** A note for their tables. */
export const INTERVALS =
  'Intervals: 95 %, Wilson; of the model with as many trials as those on several machines are worth, for trials on one machine are alike.';

/** What can become of an overrun. One that happened to change no byte was never noticed either. */
export const OUTCOMES: readonly Exclude<Outcome, 'none'>[] = ['immediate', 'delayed', 'silent'];
export type NamedOutcome = (typeof OUTCOMES)[number];

/** What trials came to, machine by machine. */
export class OutcomeTally {
  private readonly machines: Record<NamedOutcome, number>[] = [];

  add(machine: number, outcome: Outcome): void {
    this.machines[machine] ??= { immediate: 0, delayed: 0, silent: 0 };
    this.machines[machine][outcome === 'none' ? 'silent' : outcome]++;
  }

  /** How often, and its share with the interval. */
  of(outcome: NamedOutcome): Share & { readonly count: number; readonly n: number } {
    const counts = Object.values(this.machines).map((machine) => ({
      hits: machine[outcome],
      trials: OUTCOMES.reduce((sum, each) => sum + machine[each], 0),
    }));
    return {
      count: counts.reduce((sum, { hits }) => sum + hits, 0),
      n: counts.reduce((sum, { trials }) => sum + trials, 0),
      ...shareOverMachines(counts),
    };
  }
}

/**
 * `n` of the items: all of them, in random order, then all of them in another one, and so on. Each comes as often
 * as the others, and no machine of several that take turns gets always the same one.
 */
export function shuffledRounds<T>(items: readonly T[], n: number, seed: number): T[] {
  const random = new Random(seed);
  const drawn: T[] = [];
  while (drawn.length < n) drawn.push(...random.shuffle([...items]));
  return drawn.slice(0, n);
}

/** Neighbours to ask for in `n` trials: any, or the mix of the recorded direct-map runs in random order. */
export function neighbourMix(
  config: KernelConfig,
  natural: boolean,
  n: number,
  seed: number,
): readonly NeighbourKind[] {
  const mix: readonly NeighbourKind[] =
    natural || config.VMAP_STACK
      ? ['any']
      : recorded.byNeighbour.flatMap(({ neighbour, n: runs }) =>
          Array.from({ length: runs }, () => neighbour as NeighbourKind),
        );
  return shuffledRounds(mix, n, seed);
}

/**
 * Several machines of one kernel, differently populated, on which trials are run in turn, so that a result
 * does not hang on one population.
 */
export class TrialMachines {
  private readonly random: Random;
  private readonly runners: TrialRunner[];
  private turn = 0;

  constructor(config: KernelConfig, seed: number, machines: number, memory?: MemoryProfile) {
    this.random = new Random(seed);
    this.runners = Array.from(
      { length: machines },
      () => new TrialRunner(config, this.random.below(SEEDS), { memory }),
    );
  }

  /** Whether any machine has a stack with such a neighbour. */
  has(neighbour: NeighbourKind): boolean {
    return this.runners.some((runner) => runner.has(neighbour));
  }

  /** One trial on the next machine that has the neighbour asked for, and which that was; its seed is drawn. */
  run(options: TrialOptions): { readonly report: OverrunReport; readonly machine: number } {
    const { neighbour = 'any' } = options;
    for (let tries = 0; tries < this.runners.length; tries++) {
      const machine = this.turn++ % this.runners.length;
      const runner = this.runners[machine];
      if (neighbour === 'any' || runner.has(neighbour)) {
        return { report: runner.run(options, this.random.below(SEEDS)), machine };
      }
    }
    throw new RangeError(
      `neighbour: expected a stack above a page of kind ${neighbour}, found none`,
    );
  }
}
