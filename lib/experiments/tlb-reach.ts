import { Random } from '../random';
import type { VirtAddr } from '../x86/addr';
import { Cpu } from '../x86/cpu';
import { isFault } from '../x86/fault';
import { TLB_SKYLAKE_L1D, TLB_SKYLAKE_L2, type TlbConfig } from '../x86/tlb';
import { bareMachine, type BareMachine } from './bare-machine';
import { defineExperiment } from './experiment';
import { EVIDENCE, round, type Row } from './table';

const PAGE = 4096;
const STACK_PAGES = 4;
const LARGE_PAGE = 0x200000n;

const LAYOUTS = ['direct map', 'vmalloc'] as const;
type Layout = (typeof LAYOUTS)[number];

const TLBS: readonly { readonly label: string; readonly config: TlbConfig }[] = [
  { label: '64 + 32 entries', config: TLB_SKYLAKE_L1D },
  { label: '1536 + 1536 entries', config: TLB_SKYLAKE_L2 },
];

/** Numbers of threads that take turns. */
const POINTS = [1, 4, 16, 24, 32, 64, 128, 256, 512, 768, 1024, 2048];

/** `npx guardpage experiment tlb-reach` */
export const tlbReach = defineExperiment({
  name: 'tlb-reach',
  title: 'What stacks ask of the TLB',
  question: 'How often does a thread that is woken miss the TLB on its own stack?',
  parameters: {
    pages: {
      kind: 'number',
      description: 'pages of its stack that a thread touches in its turn, from the top down',
      default: 2,
      min: 1,
      max: STACK_PAGES,
    },
    turns: {
      kind: 'number',
      description: 'turns that are counted, after as many to warm up',
      default: 4000,
      min: 100,
      max: 100_000,
    },
  },
  notes: [
    'Model: 16 KB stacks in fresh memory, in the direct map (2 MiB leaves) and in the vmalloc area (4 KiB leaves), threads woken in random order, TLBs with the numbers of entries of Skylake (4 KiB + 2 MiB; one level at a time). The set is chosen by the lowest bits of the page number; a TLB that mixes higher bits in would have fewer conflicts. A turn only reads its stack: everything else that a kernel touches, which fills the TLB too, is left out. Counted are misses, not time.',
  ],
  table: ({ pages, turns }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'layout', label: 'stacks in' },
      { key: 'tlb', label: 'TLB' },
      { key: 'threads', label: 'threads' },
      { key: 'entries', label: 'TLB entries for all' },
      { key: 'misses', label: 'misses, per turn' },
      { key: 'reads', label: 'reads of page tables, per turn' },
    ],
    rows: LAYOUTS.flatMap((layout) => {
      const machine = bareMachine({ ramMiB: 128, gbPages: false });
      const stacks: VirtAddr[] = [];
      return POINTS.flatMap((threads) => {
        while (stacks.length < threads) stacks.push(takeStack(machine, layout));
        return TLBS.map(({ label, config }): Row => {
          const cpu = new Cpu(machine.memory, { levels: 4, tlb: config });
          cpu.setCr3(machine.pageTable.cr3);
          const misses = missesOf(cpu, stacks, pages, turns, new Random(seed));
          return {
            evidence: 'model',
            layout,
            tlb: label,
            threads,
            entries: entriesFor(stacks, pages, layout),
            misses: round(misses / turns, 3),
            // A walk of four levels ends one table earlier at a 2 MiB leaf.
            reads: round((misses * (layout === 'vmalloc' ? 4 : 3)) / turns, 3),
          };
        });
      });
    }),
  }),
});

function takeStack({ pageAllocator, directMap, vmalloc }: BareMachine, layout: Layout): VirtAddr {
  const bytes = STACK_PAGES * PAGE;
  if (layout === 'direct map') {
    const pfn = pageAllocator.allocPages(2, { class: 'stack' });
    if (pfn !== null) return directMap.physToVirt(BigInt(pfn) << 12n);
  } else {
    const area = vmalloc.vmalloc(bytes, { align: bytes, class: 'stack' });
    if ('addr' in area) return area.addr;
  }
  throw new RangeError('tlb-reach: expected memory for another stack');
}

/** Addresses that a turn reads: one in each page, from the top of the stack down. */
const touched = (stack: VirtAddr, pages: number): VirtAddr[] =>
  Array.from({ length: pages }, (_, i) => stack + BigInt((STACK_PAGES - i) * PAGE - 64));

function missesOf(
  cpu: Cpu,
  stacks: readonly VirtAddr[],
  pages: number,
  turns: number,
  random: Random,
): number {
  const turn = () => {
    for (const address of touched(random.pick(stacks), pages)) {
      if (isFault(cpu.load64(address))) throw new TypeError('stack: expected one that is mapped');
    }
  };
  for (let i = 0; i < turns; i++) turn();
  cpu.mmu.tlb.resetCounters();
  for (let i = 0; i < turns; i++) turn();
  return cpu.mmu.tlb.counters.misses;
}

/** Entries that hold every touched page at once. */
function entriesFor(stacks: readonly VirtAddr[], pages: number, layout: Layout): number {
  const size = layout === 'vmalloc' ? BigInt(PAGE) : LARGE_PAGE;
  return new Set(stacks.flatMap((stack) => touched(stack, pages).map((va) => va / size))).size;
}
