import { loadProbeModule } from './before-threads';
import { Load } from './load';
import type { Machine } from './machine';
import { startProbe, type Probe } from './probe';
import { pfnOf, type NeighbourKind } from './scene';
import { UserMemory } from './user-memory';

/** The threads, programs and pages that a machine is filled with before a stack is overrun. */
export interface Population {
  readonly load: Load;
  /** Every sleeping thread. */
  readonly probes: Probe[];
  /** Threads whose stacks lie where the allocator put them. */
  readonly natural: Probe[];
  /** Threads whose lower neighbour was put there, because it is rare: a few of each kind. */
  readonly placed: ReadonlyMap<NeighbourKind, Probe[]>;
}

/** What memory has been through before the threads start, as the recorded machines' had. */
export const MEMORY_PROFILES = ['light', 'fragmented'] as const;
export type MemoryProfile = (typeof MEMORY_PROFILES)[number];

/**
 * `fragmented`: a user program took most of the free memory and gave back every second run of pages, as
 * `hog holes` of the recordings did (test/fixtures/src/hog.c). Neither is on record: the share is an assumption,
 * and with runs of 64 pages user pages come to lie below a few stacks in a hundred, as was recorded.
 */
const FRAGMENTED = { share: 0.9, run: 64 } as const;

/** Sleeping threads: from this many, up to twice as many, as in most recorded boots (40 to 89 stacks). */
const THREADS = 40;
/** Stacks for each kind of neighbour that is placed. */
const PLACED = 2;
/** Pages of the program that fills memory, besides those placed below stacks. */
const USER_PAGES = 128;
/** One user page in so many is never read again by its owner: an assumption, not a measurement. */
const UNREAD = 6;

/**
 * Between two thread starts somebody may create files: so often that inodes lie below stacks about as
 * often as was recorded (6 of 43 slab pages).
 */
const OTHER_WORK = 0.17;

/** Fills a freshly booted machine. Which page ends up below which stack follows from the allocators. */
export function populate(m: Machine, profile: MemoryProfile = 'light'): Population {
  const memory = new UserMemory(m);
  const load = new Load(m, memory);
  loadProbeModule(m);
  if (profile === 'fragmented') leaveHoles(m, memory);
  for (let i = 0; i < USER_PAGES; i++) addUserPage(m, memory, i % 4 === 3 ? 'file' : 'anon');
  const probes: Probe[] = [];
  const natural: Probe[] = [];
  const threads = THREADS + m.random.below(THREADS);
  for (let i = 0; i < threads; i++) {
    if (m.random.chance(OTHER_WORK)) load.openFiles(1 + m.random.below(8));
    natural.push(startThread(m, probes));
  }
  const placed = new Map<NeighbourKind, Probe[]>();
  load.round(2);
  if (!m.config.VMAP_STACK) placeNeighbours(m, memory, probes, placed);
  return { load, probes, natural, placed };
}

/**
 * Starts one more sleeping thread.
 *
 * @throws RangeError if memory has run out
 */
export function startThread(m: Machine, probes: Probe[]): Probe {
  const probe = startProbe(m, probes.length);
  if (!probe)
    throw new RangeError('population: expected memory for another thread, but it ran out');
  probes.push(probe);
  return probe;
}

function addUserPage(m: Machine, memory: UserMemory, kind: 'anon' | 'file'): void {
  const pfn = m.pageAllocator.allocPages(0, { class: kind, migratetype: 'MOVABLE' });
  if (pfn !== null) memory.add(pfn, kind, isRead(m));
}

/** A program's memory with holes in it: every second run of pages is free again. */
function leaveHoles(m: Machine, memory: UserMemory): void {
  const free = m.pageAllocator.zones.reduce((sum, { freePages }) => sum + freePages, 0);
  const pages: number[] = [];
  while (pages.length < FRAGMENTED.share * free) {
    const pfn = m.pageAllocator.allocPages(0, { class: 'anon', migratetype: 'MOVABLE' });
    if (pfn === null) break;
    pages.push(pfn);
  }
  pages.forEach((pfn, i) => {
    if (i % (2 * FRAGMENTED.run) < FRAGMENTED.run) m.pageAllocator.freePages(pfn, 0);
    else memory.add(pfn, 'anon', isRead(m));
  });
}

/** Pages behind a page table that lies below a stack: one entry in eight is in use. */
const TABLE_PAGES = 64;

const isRead = (m: Machine) => m.random.below(UNREAD) > 0;

/** Kinds that rarely come to lie below a stack by themselves. */
const RARE = ['anon', 'file', 'pagetable', 'other', 'free'] as const;

/**
 * For each rare kind, blocks as large as a stack, given out page by page, each followed by a stack: what a
 * pageblock looks like that unmovable and movable pages share after a fallback.
 */
function placeNeighbours(
  m: Machine,
  memory: UserMemory,
  probes: Probe[],
  placed: Map<NeighbourKind, Probe[]>,
): void {
  const order = m.config.THREAD_SIZE_ORDER;
  const toFree: number[] = [];
  for (const kind of RARE) {
    const found: Probe[] = [];
    for (let attempt = 0; attempt < 16 && found.length < PLACED; attempt++) {
      const block = m.pageAllocator.allocPages(order, { class: 'kernel' });
      if (block === null) break;
      const probe = startThread(m, probes);
      if (pfnOf(m, probe) !== block + (1 << order)) {
        m.pageAllocator.splitPage(block, order);
        for (let i = 0; i < 1 << order; i++) toFree.push(block + i);
        continue;
      }
      found.push(probe);
      toFree.push(...giveOut(m, memory, kind, block));
    }
    placed.set(kind, found);
  }
  // Only now, so that nothing above took them again.
  for (const pfn of toFree) m.pageAllocator.freePages(pfn, 0);
}

/** A hole in a program's memory: the lower half of the block is in use, the upper one is to be freed. */
function giveOutLowerHalf(m: Machine, memory: UserMemory, block: number): number[] {
  const order = m.config.THREAD_SIZE_ORDER;
  const half = 1 << (order - 1);
  m.pageAllocator.splitPage(block, order);
  m.pageAllocator.pageInfo.retag(block, half, 'anon', 0);
  for (let i = 0; i < half; i++) memory.add(block + i, 'anon', isRead(m));
  return Array.from({ length: half }, (_, i) => block + half + i);
}

/**
 * Gives the pages of a block as large as a stack, just below one, to whoever `kind` says.
 *
 * @returns the pages that are still to be freed
 */
export function giveOut(
  m: Machine,
  memory: UserMemory,
  kind: (typeof RARE)[number],
  block: number,
): number[] {
  if (kind === 'free') return giveOutLowerHalf(m, memory, block);
  if (kind !== 'other') giveOutAll(m, memory, kind, block);
  return [];
}

function giveOutAll(
  m: Machine,
  memory: UserMemory,
  kind: 'anon' | 'file' | 'pagetable',
  block: number,
): void {
  const order = m.config.THREAD_SIZE_ORDER;
  m.pageAllocator.splitPage(block, order);
  m.pageAllocator.pageInfo.retag(block, 1 << order, kind, 0);
  for (let pfn = block; pfn < block + (1 << order); pfn++) {
    if (kind !== 'pagetable') {
      memory.add(pfn, kind, isRead(m));
      continue;
    }
    m.memory.clearPage(pfn);
    const pages = Array.from({ length: TABLE_PAGES }, () =>
      m.pageAllocator.allocPages(0, { class: 'anon', migratetype: 'MOVABLE' }),
    );
    memory.addTable(
      pfn,
      pages.filter((page) => page !== null),
    );
  }
}
