import { RFLAGS_IF } from '../x86/registers';
import type { VirtAddr } from '../x86/addr';
import { Cpu } from '../x86/cpu';
import { writeGate } from '../x86/idt';
import { PageTable } from '../x86/page-table';
import type { PhysMemory } from '../x86/phys-memory';
import type { TlbConfig } from '../x86/tlb';
import { writeTss } from '../x86/tss';
import { DirectMap } from '../mm/direct-map';
import type { KernelLayout } from '../mm/layout';
import { PageAllocator } from '../mm/page-allocator';
import { Vmalloc } from '../mm/vmalloc';
import type { KernelConfig } from './config';
import { cpuEntryArea, type CpuEntryArea } from './cpu-entry-area';
import { layoutOf } from './kernel-layout';
import { PROBE_TEXT_PAGES } from './before-threads';
import { KernelText } from './kernel-text';
import type { Machine } from './machine';
import { trapGates } from './traps';

/** Physical address and size of the kernel's text: mapped by 2 MiB pages at __START_KERNEL_map. */
export const TEXT_PHYS = 0x1000000n;
export const TEXT_SIZE = 0x400000n;
const PMD = 0x200000;
/** Behind the text in the image: data, and the tables and per-CPU pages of the boot. */
const IMAGE_DATA_PFN = Number((TEXT_PHYS + TEXT_SIZE) >> 12n);
/** Where the table of symbols lies in the image's data: in a page that nothing else uses. */
const KALLSYMS = 0x100000n;
/**
 * What printk() and the driver of the console use of the image's data and bss, each taken to lie in a page of
 * its own, as far apart as a linker might leave them: the number and the places are estimates.
 */
const PRINTK_DATA = [
  ...['oops_in_progress', 'console_sem', 'console_drivers', 'prb', '_printk_rb_static_descs'],
  ...['_printk_rb_static_infos', '__log_buf', 'tk_core', 'jiffies', 'serial8250_ports'],
].map((_, i) => 0x104000n + BigInt(i) * 0x13000n);
/** Enough for every function of the published traces. */
const MODULE_TEXT_PAGES = 62;
/** Where the CPU entry area lies in kernels whose layout has none yet (before 4.15). */
const EARLY_ENTRY_AREA = 0xfffffe0000000000n;
const KERNEL_CS = 0x10;

export interface BootParts {
  /** The kernel's table of symbols, in the image's data. */
  readonly kallsyms: VirtAddr;
  /** Words of the image's data that every printk() takes. */
  readonly printkData: readonly VirtAddr[];
  readonly cpu: Cpu;
  readonly pageAllocator: PageAllocator;
  readonly pageTable: PageTable;
  readonly directMap: DirectMap;
  readonly vmalloc: Vmalloc;
  readonly layout: KernelLayout;
  readonly text: KernelText<Machine>;
  readonly entryArea: CpuEntryArea;
  readonly perCpu: VirtAddr;
}

/** Brings a machine up to where the kernel can create threads. Everything it lays out is in `memory`. */
export function boot(
  memory: PhysMemory,
  config: KernelConfig,
  seed: number,
  tlb?: TlbConfig,
): BootParts {
  const { levels } = config;
  const layout = layoutOf(config, BigInt(memory.size), seed);
  const pageAllocator = new PageAllocator(memory, {
    version: config.version,
    compaction: config.COMPACTION,
  });
  // What is there before the page allocator is part of the image, or from its end (brk).
  let nextImagePage = IMAGE_DATA_PFN;
  const imagePage = () => {
    if (!pageAllocator.pageInfo.isReserved(nextImagePage))
      throw new RangeError('boot: expected a larger image: no room for the first tables');
    return nextImagePage++;
  };
  let allocTable: () => number | null = imagePage;
  const pageTable = new PageTable(memory, {
    levels,
    allocTable: () => allocTable(),
    freeTable: (pfn) => pageAllocator.freePages(pfn, 0),
  });
  const directMap = new DirectMap({ memory, pageTable, layout });
  for (let offset = 0n; offset < TEXT_SIZE; offset += BigInt(PMD)) {
    pageTable.map(layout._text + offset, TEXT_PHYS + offset, PMD, {
      writable: false,
      executable: true,
      global: true,
    });
  }
  const entryArea = cpuEntryArea(config, layout.CPU_ENTRY_AREA ?? EARLY_ENTRY_AREA);
  const backing = new Map(entryArea.pages.map((va) => [va, imagePage()]));
  for (const [va, pfn] of backing) pageTable.map(va, page(pfn), 4096, { global: true });
  const physical = (va: VirtAddr) => page(backing.get(va & ~0xfffn)!) + (va & 0xfffn);

  const text = new KernelText<Machine>(layout._text, layout.MODULES_VADDR);
  for (const { vector, handler } of trapGates(config)) {
    const ist = entryArea.istStacks.find((stack) => stack.vector === vector)?.ist ?? 0;
    writeGate(memory, physical(entryArea.idt) + BigInt(16 * vector), {
      offset: text.defineEntry(handler, 0x30).address,
      selector: KERNEL_CS,
      ist: vector === 8 && !config.doubleFaultIst ? 0 : ist,
      type: 'interrupt',
      dpl: 0,
      present: true,
    });
  }
  const ist = Array.from(
    { length: 7 },
    (_, i) => entryArea.istStacks.find((stack) => stack.ist === i + 1)?.top ?? 0n,
  );
  writeTss(memory, physical(entryArea.tss), { rsp0: 0n, ist });

  const { smep, smap } = config;
  const cpu = new Cpu(memory, { levels, tlb, smep, smap });
  cpu.setCr3(page(pageTable.root));
  cpu.idtr = { base: entryArea.idt, limit: 0xfff };
  cpu.tss = entryArea.tss;
  cpu.rflags = RFLAGS_IF;
  const vmalloc = new Vmalloc({
    layout,
    pageTable,
    pageAllocator,
    version: config.version,
    onlineCpus: 1,
    cpu,
  });
  const perCpuPa = page(imagePage());
  // Without SMP the image's own data, mapped with it; else a copy, reached through the direct map.
  const perCpu = config.SMP ? directMap.physToVirt(perCpuPa) : layout._text - TEXT_PHYS + perCpuPa;
  pageTable.map(layout._text + TEXT_SIZE, TEXT_PHYS + TEXT_SIZE, PMD, { global: true });
  // Text of other modules, loaded at boot.
  for (let i = 0; i < MODULE_TEXT_PAGES; i++) {
    const va = layout.MODULES_VADDR + BigInt((PROBE_TEXT_PAGES + i) * 4096);
    pageTable.map(va, page(imagePage()), 4096, { writable: false, executable: true, global: true });
  }
  // preallocate_vmalloc_pages(), since 5.8; before, vmalloc_fault() copied the entry when it was missed.
  pageTable.preallocate(layout.VMALLOC_START, layout.VMALLOC_END);
  allocTable = () => pageAllocator.allocPages(0, { class: 'pagetable' });
  const data = layout._text + TEXT_SIZE;
  return {
    kallsyms: data + KALLSYMS,
    printkData: PRINTK_DATA.map((offset) => data + offset),
    cpu,
    pageAllocator,
    pageTable,
    directMap,
    vmalloc,
    layout,
    text,
    entryArea,
    perCpu,
  };
}

const page = (pfn: number) => BigInt(pfn) << 12n;
