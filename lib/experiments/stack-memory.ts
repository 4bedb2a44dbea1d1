import { bareMachine, type BareMachine } from './bare-machine';
import { defineExperiment } from './experiment';
import { EVIDENCE, round, type Row } from './table';

/** One way to lay out a stack. */
interface Layout {
  readonly label: string;
  /** log2 of the pages of a block; null: four single pages from vmalloc. */
  readonly order: number | null;
  /** Pages of the block that are stack; the lowest of the others is unmapped as a guard. */
  readonly stackPages: number;
  readonly guard: boolean;
}

const LAYOUTS: readonly Layout[] = [
  { label: '8 KB, direct map', order: 1, stackPages: 2, guard: false },
  { label: '16 KB, direct map', order: 2, stackPages: 4, guard: false },
  { label: '16 KB, vmalloc', order: null, stackPages: 4, guard: true },
  { label: '8 KB + guard in the direct map', order: 2, stackPages: 2, guard: true },
  { label: '16 KB + guard in the direct map', order: 3, stackPages: 4, guard: true },
];

/** Parts of the greatest number of threads at which memory is looked at. */
const POINTS = [0.05, 0.1, 0.25, 0.5, 0.75, 1];

/** `npx guardpage experiment stack-memory` */
export const stackMemory = defineExperiment({
  name: 'stack-memory',
  title: 'What stacks and their guards cost',
  question: 'How much memory do the stacks of many threads take, and what does a guard page add?',
  parameters: {
    threads: {
      kind: 'number',
      description: 'threads at the right end',
      default: 10_000,
      min: 20,
      max: 20_000,
    },
  },
  notes: [
    'Model: stacks taken from the page allocator of 6.1 in 1 GiB; a guard in the direct map is a page of the block made not present (set_memory_np), which splits the 2 MiB leaf that maps it. What of the block is neither stack nor guard stays unused, as an allocation of the next order leaves it. Nothing is drawn from the seed.',
    'Direct-map leaves: entries that a TLB needs to reach all memory through the direct map.',
    'Recorded: 500 kernel threads on 6.1.192 raised KernelStack by 8000 kB (page tables are not counted there).',
  ],
  table: ({ threads }) => ({
    columns: [
      EVIDENCE,
      { key: 'layout', label: 'stack' },
      { key: 'order', label: 'order asked for' },
      { key: 'threads', label: 'threads' },
      { key: 'stackKb', label: 'stacks', unit: 'kB' },
      { key: 'lostKb', label: 'guard and rest of block', unit: 'kB' },
      { key: 'tablesKb', label: 'page tables', unit: 'kB' },
      { key: 'totalMb', label: 'all', unit: 'MB' },
      { key: 'perThreadKb', label: 'per thread', unit: 'kB' },
      { key: 'splits', label: '2 MiB leaves split' },
      { key: 'leaves', label: 'direct-map leaves' },
    ],
    rows: [
      ...LAYOUTS.flatMap((layout) => measure(layout, threads)),
      {
        evidence: 'recorded',
        layout: '16 KB, vmalloc',
        order: 0,
        threads: 500,
        stackKb: 8000,
        lostKb: null,
        tablesKb: null,
        totalMb: round(8000 / 1024, 2),
        perThreadKb: 16,
        splits: null,
        leaves: null,
      },
    ],
  }),
});

function measure(layout: Layout, threads: number): Row[] {
  const machine = bareMachine({ ramMiB: 1024 });
  const { pageAllocator, directMap } = machine;
  const { pageInfo } = pageAllocator;
  const free = pageAllocator.freePageCount;
  const tables = pageInfo.pagesOf('pagetable');
  const rows: Row[] = [];
  const counts = POINTS.map((part) => Math.max(1, Math.round(part * threads)));
  let made = 0;
  let splits = 0;
  for (const count of [...new Set(counts)]) {
    for (; made < count; made++) splits += oneStack(machine, layout);
    const pages = free - pageAllocator.freePageCount;
    const tablePages = pageInfo.pagesOf('pagetable') - tables;
    const stackPages = made * layout.stackPages;
    rows.push({
      evidence: 'model',
      layout: layout.label,
      order: layout.order ?? 0,
      threads: made,
      stackKb: stackPages * 4,
      lostKb: (pages - stackPages - tablePages) * 4,
      tablesKb: tablePages * 4,
      totalMb: round(pages / 256, 2),
      perThreadKb: round((pages * 4) / made, 3),
      splits,
      leaves: directMap.tlbEntries,
    });
  }
  return rows;
}

/** Takes one stack; answers the large leaves that its guard split. */
function oneStack(machine: BareMachine, { order, stackPages, guard }: Layout): number {
  const { pageAllocator, directMap, vmalloc, cpu } = machine;
  if (order === null) {
    const area = vmalloc.vmalloc(stackPages * 4096, { align: stackPages * 4096, class: 'stack' });
    if (!('addr' in area)) throw ranOut();
    return 0;
  }
  const pfn = pageAllocator.allocPages(order, { class: 'stack' });
  if (pfn === null) throw ranOut();
  if (!guard) return 0;
  const lowest = directMap.physToVirt(BigInt(pfn) << 12n);
  const { error, splits2M, flush } = directMap.setMemory(lowest, 1, { present: false });
  if (error !== null) throw ranOut();
  flush.discharge(cpu);
  return splits2M;
}

const ranOut = () => new RangeError('threads: expected fewer: 1 GiB does not hold their stacks');
