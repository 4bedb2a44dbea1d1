import type { VirtAddr } from '../x86/addr';
import type { PageClass } from '../mm/page-info';
import type { KernelConfig } from './config';
import { Machine } from './machine';
import { startProbe, type Probe } from './probe';

/** Who owns the page just below the stack that will be overrun. */
export type NeighbourKind =
  'stack' | 'slab' | 'free' | 'anon' | 'pagetable' | 'file' | 'other' | 'any';

export const NEIGHBOURS: readonly NeighbourKind[] = [
  ...(['stack', 'slab', 'free', 'anon', 'pagetable', 'file', 'other', 'any'] as const),
];

/** A machine with sleeping threads, one of which will overrun its stack. */
export interface Scene {
  readonly machine: Machine;
  readonly probes: readonly Probe[];
  readonly chosen: Probe;
}

const THREADS = 12;

const CLASS_OF: Readonly<Record<Exclude<NeighbourKind, 'any' | 'stack'>, PageClass>> = {
  slab: 'slab',
  free: 'free',
  anon: 'anon',
  pagetable: 'pagetable',
  file: 'file',
  other: 'kernel',
};

export interface SceneOptions {
  readonly seed: number;
  readonly neighbour: NeighbourKind;
  /** Where the stack that will be overrun is to lie; wherever the allocator puts it unless given. */
  readonly stackBase?: VirtAddr;
}

/**
 * Boots a machine and fills it with threads; the page below the stack of one of them belongs to `neighbour`.
 *
 * @throws RangeError if the population has no such neighbour
 */
export function buildScene(config: KernelConfig, options: SceneOptions): Scene {
  const machine = new Machine(config, { seed: options.seed });
  const probes: Probe[] = [];
  const start = (): Probe => {
    const probe = startProbe(machine, probes.length);
    if (!probe) throw new RangeError('scene: expected memory for another thread, but it ran out');
    probes.push(probe);
    return probe;
  };
  for (let i = 0; i < THREADS; i++) start();
  if (options.stackBase !== undefined) {
    machine.nextStack = options.stackBase;
    return { machine, probes, chosen: start() };
  }
  if (config.VMAP_STACK)
    return { machine, probes, chosen: pickVmapped(machine, probes, options.neighbour) };
  const chosen = pickBeside(machine, probes, start, options.neighbour);
  return { machine, probes, chosen };
}

function pickVmapped(machine: Machine, probes: readonly Probe[], neighbour: NeighbourKind): Probe {
  if (neighbour !== 'stack') return machine.random.pick(probes);
  const slot = 0x8000n;
  const found = probes.find(({ task }) =>
    probes.some((other) => other.task.stack === task.stack - slot),
  );
  if (!found)
    throw new RangeError('neighbour: expected a live stack 0x8000 below another one, found none');
  return found;
}

function pickBeside(
  m: Machine,
  probes: Probe[],
  start: () => Probe,
  neighbour: NeighbourKind,
): Probe {
  if (neighbour === 'any') return m.random.pick(probes);
  if (neighbour === 'stack') {
    const tops = new Set(probes.map(({ task }) => task.stack + BigInt(m.config.THREAD_SIZE)));
    const beside = probes.filter(({ task }) => tops.has(task.stack));
    if (beside.length > 0) return m.random.pick(beside);
    throw new RangeError('neighbour: expected two stacks side by side, found none');
  }
  const wanted = CLASS_OF[neighbour];
  const order = m.config.THREAD_SIZE_ORDER;
  for (let attempt = 0; attempt < 64; attempt++) {
    // A block as large as a stack, given out page by page, so that the next stack may follow it.
    const pfn = m.pageAllocator.allocPages(order, { class: wanted === 'free' ? 'kernel' : wanted });
    if (pfn === null) break;
    const probe = start();
    if (pfnOf(m, probe) === pfn + (1 << order)) {
      if (wanted === 'free') m.pageAllocator.freePages(pfn, order);
      return probe;
    }
  }
  throw new RangeError(
    `neighbour: expected a stack just above a page of class ${wanted}, found none`,
  );
}

/** Page frame of a stack's lowest page in the direct map. */
export function pfnOf(m: Machine, probe: Probe): number {
  return Number(m.directMap.virtToPhys(probe.task.stack) >> 12n);
}
