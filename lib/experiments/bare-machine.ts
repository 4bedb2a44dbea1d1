import { Cpu } from '../x86/cpu';
import { PageTable } from '../x86/page-table';
import { PhysMemory } from '../x86/phys-memory';
import { DirectMap } from '../mm/direct-map';
import { layoutFor, type KernelLayout } from '../mm/layout';
import { PageAllocator, type PageAllocatorOptions } from '../mm/page-allocator';
import { Vmalloc } from '../mm/vmalloc';

export interface BareMachineOptions extends Omit<PageAllocatorOptions, 'version'> {
  readonly ramMiB: number;
  /** 6.1 unless given. */
  readonly version?: string;
  /** The CPU knows 1 GiB pages; true unless given. */
  readonly gbPages?: boolean;
}

/** Memory, its allocators and a CPU, before any task exists. */
export interface BareMachine {
  readonly memory: PhysMemory;
  readonly pageAllocator: PageAllocator;
  readonly layout: KernelLayout;
  readonly pageTable: PageTable;
  readonly directMap: DirectMap;
  readonly cpu: Cpu;
  readonly vmalloc: Vmalloc;
}

/** A machine for what needs no task: four levels of page tables, one CPU. */
export function bareMachine(options: BareMachineOptions): BareMachine {
  const { ramMiB, version = '6.1', gbPages, ...rest } = options;
  const memory = new PhysMemory(ramMiB * 2 ** 20);
  const pageAllocator = new PageAllocator(memory, { ...rest, version });
  const layout = layoutFor({ version, levels: 4 });
  const pageTable = new PageTable(memory, {
    levels: 4,
    allocTable: () => pageAllocator.allocPages(0, { class: 'pagetable' }),
    freeTable: (pfn) => pageAllocator.freePages(pfn, 0),
  });
  const directMap = new DirectMap({ memory, pageTable, layout, gbPages });
  const cpu = new Cpu(memory, { levels: 4 });
  cpu.setCr3(pageTable.cr3);
  const vmalloc = new Vmalloc({
    layout,
    pageTable,
    pageAllocator,
    version,
    onlineCpus: 1,
    cpu,
  });
  return { memory, pageAllocator, layout, pageTable, directMap, cpu, vmalloc };
}
