import type { PhysAddr, VirtAddr } from '../x86/addr';
import type { MapOptions, PageTable } from '../x86/page-table';
import type { PhysMemory } from '../x86/phys-memory';
import type { KernelLayout } from './layout';

export interface DirectMapConfig {
  memory: PhysMemory;
  pageTable: PageTable;
  layout: KernelLayout;
  /** The CPU knows 1 GiB pages (pdpe1gb). True unless given. */
  gbPages?: boolean;
}

const SIZES = [0x40000000, 0x200000, 4096] as const;
/** PAGE_KERNEL: writable, not executable, global. */
const PAGE_KERNEL: MapOptions = { writable: true, executable: false, global: true };

/** All physical memory at PAGE_OFFSET, with the largest leaves that fit. */
export class DirectMap {
  readonly start: VirtAddr;
  readonly end: VirtAddr;
  private readonly pageTable: PageTable;

  /** @throws RangeError when memory runs out of page-table pages */
  constructor(private readonly config: DirectMapConfig) {
    this.pageTable = config.pageTable;
    this.start = config.layout.PAGE_OFFSET;
    this.end = this.start + BigInt(config.memory.size);
    const size = config.memory.size;
    for (let pa = 0; pa < size;) pa += this.mapLeaf(pa, size);
  }

  /** @throws RangeError for an address outside RAM */
  physToVirt(pa: PhysAddr): VirtAddr {
    if (pa < 0n || pa >= this.end - this.start) {
      throw new RangeError(`pa: expected one inside RAM, got 0x${pa.toString(16)}`);
    }
    return this.start + pa;
  }

  /** @throws RangeError for an address outside the direct map: a vmalloc'ed stack, for one */
  virtToPhys(va: VirtAddr): PhysAddr {
    if (!this.contains(va)) {
      throw new RangeError(`va: expected one in the direct map, got 0x${va.toString(16)}`);
    }
    return va - this.start;
  }

  /** virt_addr_valid() */
  contains(va: VirtAddr): boolean {
    return va >= this.start && va < this.end;
  }

  /** The first 2 MiB are in 4 KiB leaves, as recorded: the first MiB has holes and caches of its own. */
  private mapLeaf(pa: number, end: number): number {
    for (const size of SIZES) {
      if (size === SIZES[0] && this.config.gbPages === false) continue;
      if (size > 4096 && pa < 0x200000) continue;
      if (pa % size !== 0 || pa + size > end) continue;
      const result = this.pageTable.map(this.start + BigInt(pa), BigInt(pa), size, PAGE_KERNEL);
      if (typeof result === 'string') {
        throw new RangeError(`memory: expected room for the page tables, got ${result}`);
      }
      result.ignore();
      return size;
    }
    throw new RangeError(`memory: expected a multiple of 4096 bytes, got ${end}`);
  }
}
