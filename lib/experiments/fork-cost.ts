import type { VirtAddr } from '../x86/addr';
import { kernelConfig, type KernelConfig } from '../stack/config';
import { Machine } from '../stack/machine';
import { allocThreadStack, freeThreadStack } from '../stack/thread-stack';
import { defineExperiment } from './experiment';
import { EVIDENCE, round, type Row } from './table';

interface Kernel {
  readonly label: string;
  readonly config: KernelConfig;
}

const KERNEL = '6.1';

const cached = (stacks: number): KernelConfig => ({
  ...kernelConfig('vmap', { kernel: KERNEL }),
  NR_CACHED_STACKS: stacks,
});

function kernels(): readonly Kernel[] {
  return [
    { label: '8 KB, direct map', config: kernelConfig('8k', { kernel: KERNEL }) },
    { label: '16 KB, direct map', config: kernelConfig('16k', { kernel: KERNEL }) },
    { label: 'vmalloc, no cache', config: cached(0) },
    { label: 'vmalloc, 2 cached', config: cached(2) },
    { label: 'vmalloc, 5 cached', config: cached(5) },
  ];
}

/**
 * Iterations of a micro-benchmark of thread creation on a KSPP study page, CPU 2 of three; the page names neither
 * date nor kernel version.
 */
const PUBLISHED = [
  { label: '16 KB, direct map', iterations: 118_526 },
  { label: 'vmalloc, no cache', iterations: 93_372 },
  { label: 'vmalloc, 2 cached', iterations: 119_380 },
  { label: 'vmalloc, 5 cached', iterations: 116_726 },
] as const;

/** `npx guardpage experiment fork-cost` */
export const forkCost = defineExperiment({
  name: 'fork-cost',
  title: 'What a fork does for its stack',
  question: 'What does the stack of a new thread cost with and without the cache of freed stacks?',
  parameters: {
    forks: {
      kind: 'number',
      description: 'threads created and ended for each kernel and pattern',
      default: 4000,
      min: 10,
      max: 100_000,
    },
    burst: {
      kind: 'number',
      description: 'threads alive at once in the pattern “in bursts”',
      default: 8,
      min: 2,
      max: 200,
    },
  },
  notes: [
    'Counted on the simulated machine (6.1, with VMAP_STACK=n for the direct map; one CPU, 64 MiB): operations, not time. Only the stack is taken and given back. Nothing is drawn from the seed.',
    'Pages written: pages of memory that the kernel stored to while it made the stack ready (clearing it, page tables). Flushes: purges of freed addresses, each with one flush of the TLB (and of all other CPUs, where there are any); at one CPU every 8192 pages of freed areas.',
    'Recorded: iterations of a micro-benchmark of thread creation on a KSPP study page (CPU 2 of three; neither date nor kernel version given), relative to VMAP_STACK=n.',
  ],
  table: ({ forks, burst }) => ({
    columns: [
      EVIDENCE,
      { key: 'kernel', label: 'stack' },
      { key: 'pattern', label: 'threads' },
      { key: 'forks', label: 'forks' },
      { key: 'fromCache', label: 'from the cache', unit: '%' },
      { key: 'pagesTaken', label: 'pages from the allocator, per fork' },
      { key: 'pagesWritten', label: 'pages written, per fork' },
      { key: 'entries', label: 'page-table entries written, per fork' },
      { key: 'flushes', label: 'flushes, per 1000 forks' },
      { key: 'relative', label: 'benchmark', unit: '% of VMAP_STACK=n' },
    ],
    rows: [
      ...kernels().flatMap((kernel) => [
        count(kernel, 'one after the other', forks, 1),
        count(kernel, `in bursts of ${burst}`, forks, burst),
      ]),
      ...PUBLISHED.map(({ label, iterations }): Row => ({
        evidence: 'recorded',
        kernel: label,
        pattern: 'one after the other',
        forks: null,
        fromCache: null,
        pagesTaken: null,
        pagesWritten: null,
        entries: null,
        flushes: null,
        relative: round((100 * iterations) / PUBLISHED[0].iterations, 1),
      })),
    ],
  }),
});

interface Counts {
  forks: number;
  fromCache: number;
  pagesTaken: number;
  pagesWritten: number;
  entries: number;
}

function count(kernel: Kernel, pattern: string, forks: number, burst: number): Row {
  const m = new Machine(kernel.config);
  const counts: Counts = { forks: 0, fromCache: 0, pagesTaken: 0, pagesWritten: 0, entries: 0 };
  const flushes = m.vmalloc.purges;
  const alive: VirtAddr[] = [];
  while (counts.forks < forks) {
    while (alive.length < burst && counts.forks < forks) alive.push(fork(m, counts));
    while (alive.length > 0) exit(m, alive.shift()!, counts);
  }
  const perFork = (n: number) => round(n / counts.forks, 3);
  return {
    evidence: 'model',
    kernel: kernel.label,
    pattern,
    forks: counts.forks,
    fromCache: kernel.config.VMAP_STACK ? round((100 * counts.fromCache) / counts.forks, 1) : null,
    pagesTaken: perFork(counts.pagesTaken),
    pagesWritten: perFork(counts.pagesWritten),
    entries: perFork(counts.entries),
    flushes: round((1000 * (m.vmalloc.purges - flushes)) / counts.forks, 3),
    relative: null,
  };
}

function fork(m: Machine, counts: Counts): VirtAddr {
  const { memory, pageAllocator } = m;
  const waiting = m.cachedStacks.length;
  const free = pageAllocator.freePageCount;
  memory.checkpoint();
  const stack = allocThreadStack(m);
  if (stack === null)
    throw new RangeError('burst: expected fewer: 64 MiB does not hold the stacks');
  counts.forks++;
  if (m.cachedStacks.length < waiting) counts.fromCache++;
  counts.pagesTaken += free - pageAllocator.freePageCount;
  counts.pagesWritten += memory.dirtyPfns().length;
  counts.entries += entriesWritten(m);
  return stack;
}

function exit(m: Machine, stack: VirtAddr, counts: Counts): void {
  m.memory.checkpoint();
  freeThreadStack(m, stack);
  counts.entries += entriesWritten(m);
}

/** Entries of page tables that differ from what they were at the checkpoint. */
function entriesWritten({ memory, pageAllocator }: Machine): number {
  let entries = 0;
  for (const pfn of memory.dirtyPfns()) {
    if (pageAllocator.pageInfo.classOf(pfn) !== 'pagetable') continue;
    const old = memory.atCheckpoint(pfn);
    const now = memory.readBytes(BigInt(pfn) << 12n, 4096);
    for (let i = 0; i < 4096; i += 8) {
      for (let byte = i; byte < i + 8; byte++) {
        if (old[byte] === now[byte]) continue;
        entries++;
        break;
      }
    }
  }
  return entries;
}
