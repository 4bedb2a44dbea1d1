import type { VirtAddr } from '../x86/addr';
import type { PageClass } from '../mm/page-info';
import type { KernelConfig } from './config';
import type { Load } from './load';
import { Machine } from './machine';
import { populate, type MemoryProfile, type Population } from './population';
import type { Probe } from './probe';
import { sceneAt } from './scene-at';
import { vmapStride } from './thread-stack';

/** Who owns the page just below the stack that will be overrun. */
export type NeighbourKind =
  'stack' | 'slab' | 'free' | 'anon' | 'pagetable' | 'file' | 'other' | 'any';

export const NEIGHBOURS: readonly NeighbourKind[] = [
  ...(['stack', 'slab', 'free', 'anon', 'pagetable', 'file', 'other', 'any'] as const),
];

/** The class of such a page. */
export const CLASS_OF: Readonly<Record<Exclude<NeighbourKind, 'any'>, PageClass>> = {
  stack: 'stack',
  slab: 'slab',
  free: 'free',
  anon: 'anon',
  pagetable: 'pagetable',
  file: 'file',
  other: 'kernel',
};

/** A machine with sleeping threads, one of which will overrun its stack. */
export interface Scene {
  readonly machine: Machine;
  readonly probes: readonly Probe[];
  readonly load: Load;
  readonly chosen: Probe;
}

export interface SceneOptions {
  readonly seed: number;
  readonly neighbour: NeighbourKind;
  /** What memory has been through before; light load unless given. */
  readonly memory?: MemoryProfile;
  /** Where the stack that will be overrun is to lie; wherever the allocator puts it unless given. */
  readonly stackBase?: VirtAddr;
}

/**
 * Boots a machine, fills it with threads, processes and files, and picks a thread whose stack lies just
 * above a page of `neighbour`; or starts one more at `stackBase` and sees to it that its neighbour is there.
 *
 * @throws RangeError if the population has no such neighbour, and if stack or neighbour can't lie there
 */
export function buildScene(config: KernelConfig, options: SceneOptions): Scene {
  const { seed, neighbour, memory, stackBase } = options;
  if (!NEIGHBOURS.includes(neighbour)) {
    throw new RangeError(
      `neighbour: expected ${NEIGHBOURS.join(', ')}, got ${JSON.stringify(neighbour)}`,
    );
  }
  if (config.VMAP_STACK && neighbour !== 'stack' && neighbour !== 'any') {
    throw new RangeError(
      `neighbour: expected stack or any with VMAP_STACK, where no page is mapped just below a stack, got ${neighbour}`,
    );
  }
  const machine = new Machine(config, { seed });
  if (stackBase !== undefined) return sceneAt(machine, stackBase, neighbour, memory);
  const population = populate(machine, memory);
  const { probes, load } = population;
  return { machine, probes, load, chosen: pick(machine, population, neighbour) };
}

/**
 * Picks the thread that will overrun its stack.
 *
 * @throws RangeError if no stack of the population has such a neighbour
 */
export function pick(m: Machine, population: Population, neighbour: NeighbourKind): Probe {
  const candidates = candidatesFor(m, population, neighbour);
  if (candidates.length > 0) return m.random.pick(candidates);
  const where = m.config.VMAP_STACK ? 'in the next lower slot of a stack' : 'just below a stack';
  throw new RangeError(`neighbour: expected a page of kind ${neighbour} ${where}, found none`);
}

/** The threads whose stacks have such a neighbour. */
export function candidatesFor(
  m: Machine,
  population: Population,
  neighbour: NeighbourKind,
): readonly Probe[] {
  const { probes, natural, placed } = population;
  if (neighbour === 'any') return natural;
  if (m.config.VMAP_STACK) {
    const bases = new Set(probes.map(({ task }) => task.stack));
    const beside = ({ task }: Probe) => bases.has(task.stack - vmapStride(m.config));
    return neighbour === 'stack' ? probes.filter(beside) : natural;
  }
  if (neighbour === 'stack') {
    const tops = new Set(probes.map(({ task }) => task.stack + BigInt(m.config.THREAD_SIZE)));
    return natural.filter(({ task }) => tops.has(task.stack));
  }
  const wanted = CLASS_OF[neighbour];
  const { pageInfo } = m.pageAllocator;
  const found = natural.filter((probe) => pageInfo.classOf(pfnOf(m, probe) - 1) === wanted);
  return [...found, ...(placed.get(neighbour) ?? [])];
}

/** Page frame of a stack's lowest page in the direct map. */
export function pfnOf(m: Machine, probe: Probe): number {
  return Number(m.directMap.virtToPhys(probe.task.stack) >> 12n);
}
