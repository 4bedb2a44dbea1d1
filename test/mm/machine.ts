import { Cpu } from '../../lib/x86/cpu';
import { PageTable } from '../../lib/x86/page-table';
import { PhysMemory } from '../../lib/x86/phys-memory';
import type { Levels } from '../../lib/x86/addr';
import { DirectMap } from '../../lib/mm/direct-map';
import { layoutFor } from '../../lib/mm/layout';
import { PageAllocator, type PageAllocatorOptions } from '../../lib/mm/page-allocator';
import { Vmalloc } from '../../lib/mm/vmalloc';

/** A machine with memory management and nothing else. */
export function bareMachine(
  options: Partial<PageAllocatorOptions> & {
    ram?: number;
    levels?: Levels;
    gbPages?: boolean;
    onlineCpus?: number;
  } = {},
) {
  const { ram = 64 * 2 ** 20, levels = 4, version = '6.1', onlineCpus = 1 } = options;
  const memory = new PhysMemory(ram);
  const pageAllocator = new PageAllocator(memory, { ...options, version });
  const layout = layoutFor({ version, levels });
  const pageTable = new PageTable(memory, {
    levels,
    allocTable: () => pageAllocator.allocPages(0, { class: 'pagetable' }),
    freeTable: (pfn) => pageAllocator.freePages(pfn, 0),
  });
  const directMap = new DirectMap({ memory, pageTable, layout, gbPages: options.gbPages });
  const cpu = new Cpu(memory, { levels });
  cpu.setCr3(pageTable.cr3);
  const vmalloc = new Vmalloc({ layout, pageTable, pageAllocator, version, onlineCpus, cpu });
  return { memory, pageAllocator, layout, pageTable, directMap, cpu, vmalloc };
}

export type BareMachine = ReturnType<typeof bareMachine>;
