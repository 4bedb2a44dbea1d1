import type { VirtAddr } from '../x86/addr';
import type { Cpu } from '../x86/cpu';
import type { PageTable } from '../x86/page-table';
import type { TlbFlush } from '../x86/tlb-flush';
import type { KernelLayout } from './layout';
import type { PageAllocator } from './page-allocator';
import type { PageClass } from './page-info';

export interface VmallocConfig {
  layout: KernelLayout;
  pageTable: PageTable;
  pageAllocator: PageAllocator;
  version: string;
  /** Decides how much may wait for a purge. */
  onlineCpus: number;
  /** Flushed when the threshold forces a purge; without one the flush stays owed. */
  cpu?: Cpu;
}

export interface VmallocOptions {
  /** Bytes, a power of two; 1 (a page boundary) unless given. */
  align?: number;
  /** As /proc/vmallocinfo prints it. */
  caller?: string;
  /** What the pages are for; 'vmalloc' unless given. */
  class?: PageClass;
  owner?: number;
  /** False: VM_NO_GUARD, no guard page at the end. */
  guard?: boolean;
  /** The range to stay in; VMALLOC_START to VMALLOC_END unless given. */
  start?: VirtAddr;
  end?: VirtAddr;
}

/** What a purge did. */
export interface PurgeReport {
  readonly areas: number;
  readonly pages: number;
  /** One flush for everything between the lowest and the highest page: discharged if there was a CPU. */
  readonly flush: TlbFlush;
}
