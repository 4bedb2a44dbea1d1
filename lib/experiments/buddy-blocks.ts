import { memoryBlocks } from '../mm/memory-blocks';
import { PageAllocator } from '../mm/page-allocator';
import type { PageClass } from '../mm/page-info';
import { PhysMemory } from '../x86/phys-memory';
import { defineExperiment } from './experiment';
import { EVIDENCE, type Row } from './table';

/** One block of the largest order, and no page kept by the boot. */
const MEMORY = 4 * 2 ** 20;
const VERSION = '3.14';

const STACK_ORDER: Readonly<Record<string, number>> = { '8 KB': 1, '16 KB': 2 };

/** What happens: who takes a block, or whose is given back. */
const STORY: readonly (readonly [what: string, does: 'takes' | 'gives', whose: string])[] = [
  ['thread A starts', 'takes', 'A'],
  ['a slab page is taken', 'takes', 'slab'],
  ['thread B starts', 'takes', 'B'],
  ['thread C starts', 'takes', 'C'],
  ['thread D starts', 'takes', 'D'],
  ['B exits', 'gives', 'B'],
  ['C exits', 'gives', 'C'],
  ['the slab page is freed', 'gives', 'slab'],
  ['A exits', 'gives', 'A'],
  ['D exits', 'gives', 'D'],
];

/** `npx guardpage experiment buddy-blocks` */
export const buddyBlocks = defineExperiment({
  name: 'buddy-blocks',
  title: 'Blocks, cut and put together',
  question:
    'How does the buddy allocator cut memory for the stacks of four threads and a slab page, and what is left when they are gone?',
  parameters: {
    stack: {
      kind: 'choice',
      description: 'size of a stack',
      choices: Object.keys(STACK_ORDER),
      default: '8 KB',
    },
    frames: {
      kind: 'number',
      description: 'page frames looked at, from the lowest',
      default: 32,
      min: 16,
      max: 1024,
    },
  },
  notes: [
    'Model: the page allocator of 3.14 over 4 MiB that nobody used before, without per-CPU lists; each thread is its stack alone. Nothing is drawn from the seed.',
  ],
  table: ({ stack, frames }) => ({
    columns: [
      EVIDENCE,
      { key: 'moment', label: 'moment' },
      { key: 'pfn', label: 'first page frame' },
      { key: 'pages', label: 'pages' },
      { key: 'order', label: 'order' },
      { key: 'class', label: 'used for' },
      { key: 'whose', label: 'whose' },
    ],
    rows: tell(STACK_ORDER[stack], frames),
  }),
});

function tell(stackOrder: number, frames: number): Row[] {
  const memory = new PhysMemory(MEMORY);
  const zones = [{ name: 'DMA32', start: 0, end: memory.pages }];
  const allocator = new PageAllocator(memory, { version: VERSION, zones, reserved: [] });
  const held = new Map<string, { readonly pfn: number; readonly order: number }>();
  const look = (moment: string): Row[] =>
    memoryBlocks(allocator, 0, frames).map((block) => ({
      evidence: 'model',
      moment,
      pfn: block.pfn,
      pages: block.pages,
      order: block.order,
      class: block.class,
      whose: [...held].find(([, { pfn }]) => pfn === block.pfn)?.[0] ?? null,
    }));
  const rows = look('at first');
  for (const [what, does, whose] of STORY) {
    const mine = held.get(whose);
    if (does === 'takes') held.set(whose, take(allocator, whose, stackOrder));
    else if (mine) {
      allocator.freePages(mine.pfn, mine.order);
      held.delete(whose);
    }
    rows.push(...look(what));
  }
  return rows;
}

function take(allocator: PageAllocator, whose: string, stackOrder: number) {
  const slab = whose === 'slab';
  const pageClass: PageClass = slab ? 'slab' : 'stack';
  const order = slab ? 0 : stackOrder;
  const pfn = allocator.allocPages(order, { class: pageClass });
  if (pfn === null) throw new RangeError(`memory: expected a block of order ${order}, got none`);
  return { pfn, order };
}
