import recorded from '../data/recorded-overruns.json';
import { Random } from '../random';
import type { OverrunReport } from '../stack/aftermath';
import type { KernelConfig } from '../stack/config';
import type { NeighbourKind } from '../stack/scene';
import { TrialRunner, type TrialOptions } from '../stack/trial';
import type { ChoiceParameter } from './parameters';

const SEEDS = 2 ** 31 - 1;

/** Parameter of experiments that are set beside recorded runs. */
export const NEIGHBOUR_MIX = {
  kind: 'choice',
  description: 'what lies below the stacks: the mix of the recorded runs, or what comes',
  default: 'recorded',
  choices: ['recorded', 'natural'],
} as const satisfies ChoiceParameter;

/** Neighbours to ask for in turn: any, or the mix of the recorded direct-map runs in random order. */
export function neighbourMix(
  config: KernelConfig,
  natural: boolean,
  seed: number,
): readonly NeighbourKind[] {
  if (natural || config.VMAP_STACK) return ['any'];
  const mix = recorded.byNeighbour.flatMap(({ neighbour, n }) =>
    Array.from({ length: n }, () => neighbour as NeighbourKind),
  );
  return new Random(seed).shuffle(mix);
}

/**
 * Several machines of one kernel, differently populated, on which trials are run in turn, so that a result
 * does not hang on one population.
 */
export class TrialMachines {
  private readonly random: Random;
  private readonly runners: TrialRunner[];
  private turn = 0;

  constructor(config: KernelConfig, seed: number, machines: number) {
    this.random = new Random(seed);
    this.runners = Array.from(
      { length: machines },
      () => new TrialRunner(config, this.random.below(SEEDS)),
    );
  }

  /** Whether any machine has a stack with such a neighbour. */
  has(neighbour: NeighbourKind): boolean {
    return this.runners.some((runner) => runner.has(neighbour));
  }

  /** One trial on the next machine that has the neighbour asked for; its seed is drawn. */
  run(options: TrialOptions): OverrunReport {
    const { neighbour = 'any' } = options;
    for (let tries = 0; tries < this.runners.length; tries++) {
      const runner = this.runners[this.turn++ % this.runners.length];
      if (neighbour === 'any' || runner.has(neighbour)) {
        return runner.run(options, this.random.below(SEEDS));
      }
    }
    throw new RangeError(
      `neighbour: expected a stack above a page of kind ${neighbour}, found none`,
    );
  }
}
