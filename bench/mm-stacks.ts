import { layoutFor } from '../lib/mm/layout';
import { PageAllocator } from '../lib/mm/page-allocator';
import { isVmallocFailure } from '../lib/mm/vm-struct';
import { Vmalloc } from '../lib/mm/vmalloc';
import { PageTable } from '../lib/x86/page-table';
import { PhysMemory } from '../lib/x86/phys-memory';
import { median } from './processes';

const RAM = 24 * 2 ** 30;
const LIVE = [1000, 10_000, 100_000, 1_000_000];
const BATCH = 500;
const BATCHES = 41;

/** Stacks that can be made and given back. */
interface Stacks {
  make(): unknown;
  free(stack: unknown): void;
}

function vmallocStacks(version: string): Stacks {
  const memory = new PhysMemory(RAM);
  const pageAllocator = new PageAllocator(memory, { version });
  const layout = layoutFor({ version, levels: 4 });
  const allocTable = () => pageAllocator.allocPages(0, { class: 'pagetable' });
  const pageTable = new PageTable(memory, { levels: 4, allocTable });
  const vmalloc = new Vmalloc({ layout, pageTable, pageAllocator, version, onlineCpus: 1 });
  return {
    make: () => {
      const area = vmalloc.vmalloc(16384, { align: 16384, class: 'stack' });
      if (isVmallocFailure(area)) throw new Error(area.messages.join());
      return area.addr;
    },
    free: (stack) => vmalloc.vfree(stack as bigint),
  };
}

function directMapStacks(version: string): Stacks {
  const pageAllocator = new PageAllocator(new PhysMemory(RAM), { version });
  return {
    make: () => pageAllocator.allocPages(2, { class: 'stack', owner: 1 }),
    free: (stack) => pageAllocator.freePages(stack as number, 2),
  };
}

/** The cost of one allocation with so many stacks alive already, nanoseconds. */
function cost({ make, free }: Stacks): number {
  const times = Array.from({ length: BATCHES }, () => {
    const start = process.hrtime.bigint();
    const batch = Array.from({ length: BATCH }, make);
    const elapsed = Number(process.hrtime.bigint() - start) / BATCH;
    batch.forEach(free);
    return elapsed;
  });
  return median(times);
}

/** What a kernel stack costs when many are alive: vmalloc'ed and as a block of order 2. */
export function benchStacks(): void {
  for (const [what, build] of [
    ['vmalloc, lowest fit (6.1)', () => vmallocStacks('6.1')],
    ['vmalloc, next fit (4.9)', () => vmallocStacks('4.9')],
    ['order 2 (6.1)', () => directMapStacks('6.1')],
  ] as const) {
    const stacks = build();
    for (let i = 0; i < 5; i++) cost(stacks);
    let live = 0;
    const costs = LIVE.map((wanted) => {
      for (; live < wanted; live++) stacks.make();
      return cost(stacks);
    });
    const columns = costs.map((ns, i) => `${LIVE[i].toLocaleString('en')}: ${ns.toFixed(0)} ns`);
    const ratio = (costs[costs.length - 1] / costs[0]).toFixed(2);
    const resident = (process.memoryUsage.rss() / 2 ** 20).toFixed(0);
    console.log(
      `  ${what.padEnd(28)} ${columns.join('   ')}   1,000,000 to 1,000: ${ratio}   ${resident} MiB resident`,
    );
  }
}
