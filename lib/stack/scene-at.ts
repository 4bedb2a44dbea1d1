import { hex, type VirtAddr } from '../x86/addr';
import { freeBlockTo, takeBlock } from '../mm/given-block';
import type { Load } from './load';
import type { Machine } from './machine';
import { OBJECT_TYPES } from './objects';
import { giveOut, populate, startThread, type MemoryProfile } from './population';
import type { Probe } from './probe';
import { CLASS_OF, type NeighbourKind, type Scene } from './scene';
import { holdStack, occupant, vmapStride } from './thread-stack';

/** Files after which a new slab must have been needed. */
const FILES_FOR_A_SLAB = 256;

/**
 * Fills a machine and starts one more thread whose stack lies at `base`, next to whoever is wanted. Its place
 * is kept while the machine is filled; what is not asked for at an address lies where the allocators put it.
 *
 * @throws RangeError if the stack, or its neighbour, can't lie there
 */
export function sceneAt(
  m: Machine,
  base: VirtAddr,
  neighbour: NeighbourKind,
  memory?: MemoryProfile,
): Scene {
  const chosen = (probes: Probe[]) => {
    m.nextStack = base;
    return startThread(m, probes);
  };
  if (m.config.VMAP_STACK) {
    const { probes, load } = populate(m, memory);
    if (neighbour === 'stack') startBelow(m, probes, base);
    return { machine: m, probes, load, chosen: chosen(probes) };
  }
  // If it can't be kept, it is refused, with the reason, when the thread is started.
  const held = holdStack(m, base);
  const below = held && neighbour !== 'any' ? holdBelow(m, base, neighbour) : null;
  const { probes, load } = populate(m, memory);
  const toFree = below === null ? [] : settle(m, load, probes, below, base, neighbour);
  const scene = { machine: m, probes, load, chosen: chosen(probes) };
  // Into the list of a type that is not asked for here: it is still free when the stack has been overrun.
  if (neighbour === 'free' && toFree.length > 0)
    freeBlockTo(m.pageAllocator, toFree[0], Math.log2(toFree.length), 'RECLAIMABLE');
  else for (const pfn of toFree) m.pageAllocator.freePages(pfn, 0);
  return scene;
}

/** A live stack in the next lower slot of the vmalloc area: the one that lies there, or a new thread's. */
function startBelow(m: Machine, probes: Probe[], base: VirtAddr): void {
  const below = base - vmapStride(m.config);
  if (m.tasks.some(({ stack }) => stack === below)) return;
  const { VMALLOC_START } = m.vmalloc.layout;
  if (m.vmalloc.isVmallocAddr(base) && below < VMALLOC_START) {
    throw new RangeError(
      `neighbour: expected any, or a stack base from ${hex(VMALLOC_START + vmapStride(m.config))} on: ` +
        `a stack below ${hex(base)} would lie below the vmalloc area`,
    );
  }
  const there = occupant(m, below);
  if (there) {
    throw new RangeError(
      `neighbour: expected any, or another stack base: no stack can lie at ${hex(below)}, where ${there}`,
    );
  }
  // A base where no stack can lie is refused by its own name.
  m.nextStack = base % BigInt(m.config.THREAD_SIZE) === 0n ? below : base;
  startThread(m, probes);
}

const pfnAt = (m: Machine, address: VirtAddr) => Number(m.directMap.virtToPhys(address) >> 12n);

/**
 * Keeps the block below `base` for the neighbour.
 *
 * @returns null if what lies there since the boot is what is wanted
 */
function holdBelow(m: Machine, base: VirtAddr, neighbour: NeighbourKind): VirtAddr | null {
  const { THREAD_SIZE, THREAD_SIZE_ORDER } = m.config;
  const below = base - BigInt(THREAD_SIZE);
  if (below < m.layout.PAGE_OFFSET) {
    throw new RangeError(
      `neighbour: expected any, or a stack base above ${hex(base)}: no memory lies below it`,
    );
  }
  const pageClass = neighbour === 'stack' ? 'stack' : 'kernel';
  const { pageInfo } = m.pageAllocator;
  if (takeBlock(m.pageAllocator, pfnAt(m, below), THREAD_SIZE_ORDER, pageClass)) return below;
  const there = pageInfo.classOf(pfnAt(m, base) - 1);
  if (neighbour !== 'any' && neighbour !== 'stack' && there === CLASS_OF[neighbour]) return null;
  const had = Object.entries(CLASS_OF).find(
    ([kind, found]) => kind !== 'stack' && found === there,
  )?.[0];
  throw new RangeError(
    `neighbour: expected ${had ? `${had} or any` : 'any'} below ${hex(base)}, where ${occupant(m, below)}, got ${neighbour}`,
  );
}

/** @returns the pages that are to be freed when the thread above has been started */
function settle(
  m: Machine,
  load: Load,
  probes: Probe[],
  below: VirtAddr,
  base: VirtAddr,
  neighbour: NeighbourKind,
): number[] {
  if (neighbour === 'any') return [];
  if (neighbour === 'slab') return growSlabBelow(m, load, base, below);
  if (neighbour !== 'stack') return giveOut(m, load.memory, neighbour, pfnAt(m, below));
  m.nextStack = below;
  startThread(m, probes);
  return [];
}

/**
 * Has the next slab of inodes lie just below `base`: files are created until it is needed.
 *
 * @returns the pages of the block that it does not take
 */
function growSlabBelow(m: Machine, load: Load, base: VirtAddr, below: VirtAddr): number[] {
  const { pageAllocator } = m;
  const { order } = m.caches.get(OBJECT_TYPES.shmem_inode.cache)!.layout;
  const block = pfnAt(m, below);
  const slab = pfnAt(m, base) - (1 << order);
  const zone = pageAllocator.zoneOf(slab);
  const highest = pageAllocator.zones.filter(({ managed }) => managed > 0).at(-1)!;
  if (zone !== highest) {
    const from = m.directMap.physToVirt(BigInt(highest.start) << 12n);
    throw new RangeError(
      `neighbour: expected another one for ${hex(base)}, or a stack base above ${hex(from)} for slab: ` +
        `slabs come from zone ${highest.name}, not from zone ${zone.name}`,
    );
  }
  pageAllocator.splitPage(block, m.config.THREAD_SIZE_ORDER);
  freeBlockTo(pageAllocator, slab, order, 'UNMOVABLE');
  for (let files = 0; pageAllocator.pageInfo.classOf(slab) !== 'slab'; files++) {
    if (files === FILES_FOR_A_SLAB) {
      throw new RangeError(
        `neighbour: expected a slab below ${hex(base)}, but none came to lie there`,
      );
    }
    load.openFiles(1);
  }
  return Array.from({ length: slab - block }, (_, i) => block + i);
}
