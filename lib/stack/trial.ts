import { Random } from '../random';
import type { OverrunReport } from './aftermath';
import type { KernelConfig } from './config';
import { Machine, type MachineOptions } from './machine';
import { overrunScene, type OverrunOptions } from './overrun';
import { populate, type MemoryProfile, type Population } from './population';
import { candidatesFor, NEIGHBOURS, pick, type NeighbourKind } from './scene';

/** What a trial does; the kernel is that of the runner. */
export type TrialOptions = Pick<
  OverrunOptions,
  'past' | 'jump' | 'alloca' | 'poke' | 'peek' | 'irq' | 'rsp' | 'frames' | 'frame'
> & { readonly neighbour?: NeighbourKind };

/** The machine that trials are run on. */
export interface TrialMachineOptions extends Omit<MachineOptions, 'seed'> {
  /** What memory has been through before; light load unless given. */
  readonly memory?: MemoryProfile;
}

/**
 * A booted and populated machine on which any number of overruns can be tried: before each it goes back to
 * where it was, at the cost of what the one before changed.
 */
export class TrialRunner {
  private readonly machine: Machine;
  private readonly population: Population;
  private readonly neighbours: ReadonlySet<NeighbourKind>;

  /** @param seed of the population; who overruns whom is drawn from the seed of each trial */
  constructor(config: KernelConfig, seed: number, options: TrialMachineOptions = {}) {
    const { memory, ...machine } = options;
    this.machine = new Machine(config, { ...machine, seed });
    this.population = populate(this.machine, memory);
    this.machine.snapshot();
    this.neighbours = new Set(
      NEIGHBOURS.filter((kind) => candidatesFor(this.machine, this.population, kind).length > 0),
    );
  }

  /** Whether a stack of the population has such a neighbour. */
  has(neighbour: NeighbourKind): boolean {
    return this.neighbours.has(neighbour);
  }

  /**
   * One overrun and what follows, on the machine as it was populated.
   *
   * @throws RangeError if no stack has such a neighbour
   */
  run(options: TrialOptions, seed: number): OverrunReport {
    const { machine, population } = this;
    machine.restore(new Random(seed));
    const chosen = pick(machine, population, options.neighbour ?? 'any');
    return overrunScene({ ...population, machine, chosen }, options);
  }
}
