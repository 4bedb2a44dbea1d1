import type { PageSize, PhysAddr, VirtAddr } from '../x86/addr';
import type { MapOptions, PageTable } from '../x86/page-table';
import { scratch32, scratch64 } from '../x86/halves';
import type { PhysMemory } from '../x86/phys-memory';
import { owedFlush, type FlushRange, type TlbFlush } from '../x86/tlb-flush';
import type { KernelLayout } from './layout';

export interface DirectMapConfig {
  memory: PhysMemory;
  pageTable: PageTable;
  layout: KernelLayout;
  /** The CPU knows 1 GiB pages (pdpe1gb). True unless given. */
  gbPages?: boolean;
}

/** What set_memory_*() changes; `present: false` is set_memory_np(), a guard page in the direct map. */
export interface MemoryPermissions {
  writable?: boolean;
  executable?: boolean;
  present?: boolean;
}

/** What a permission change cost. */
export interface SetMemoryReport {
  /** Null when all went well; 'no-memory': no page for a table, what came before stays changed. */
  readonly error: string | null;
  /** Large leaves that had to be split. */
  readonly splits1G: number;
  readonly splits2M: number;
  /** Page-table pages that the splits took. */
  readonly tablePages: number;
  /** TLB entries that all of RAM takes, before and after: what the splits cost in reach. */
  readonly tlbEntries: { readonly before: number; readonly after: number };
  readonly flush: TlbFlush;
}

/** Leaves of the direct map by size. */
export interface LeafCounts {
  '4K': number;
  '2M': number;
  '1G': number;
}

const NAMES = { 4096: '4K', 0x200000: '2M', 0x40000000: '1G' } as const;
const SIZES = [0x40000000, 0x200000, 4096] as const;
/** PAGE_KERNEL: writable, not executable, global. */
const PAGE_KERNEL: MapOptions = { writable: true, executable: false, global: true };
/** The first MiB is mapped by itself (ISA_END_ADDRESS), which leaves the first 2 MiB in 4 KiB pages. */
const SMALL_PAGES_BELOW = 0x200000;

/**
 * All physical memory at PAGE_OFFSET, with the largest leaves that fit (init_mem_mapping), and the
 * splitting of them when permissions change (arch/x86/mm/pat/set_memory.c). Splits are not undone,
 * as in the kernel.
 */
export class DirectMap {
  readonly start: VirtAddr;
  /** First address after it. */
  readonly end: VirtAddr;
  readonly leaves: LeafCounts = { '4K': 0, '2M': 0, '1G': 0 };
  private readonly pageTable: PageTable;
  private saved: LeafCounts | null = null;

  /** @throws RangeError when there is no memory for the page tables */
  constructor(private readonly config: DirectMapConfig) {
    this.pageTable = config.pageTable;
    this.start = config.layout.PAGE_OFFSET;
    this.end = this.start + BigInt(config.memory.size);
    const { size } = config.memory;
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

  /** Page frame of an address; -1 for one outside the direct map. */
  pfnOf(va: VirtAddr): number {
    scratch64[0] = BigInt.asUintN(64, va - this.start);
    const pfn = (scratch32[1] >>> 0) * 2 ** 20 + (scratch32[0] >>> 12);
    return pfn < this.config.memory.pages ? pfn : -1;
  }

  /** virt_addr_valid() */
  contains(va: VirtAddr): boolean {
    return va >= this.start && va < this.end;
  }

  /**
   * Changes the permissions of pages. A large leaf that reaches out of the range is split; one that
   * lies in it whole is changed as it is.
   *
   * @throws RangeError unless the pages lie in the direct map and `va` starts one
   */
  setMemory(va: VirtAddr, pages: number, permissions: MemoryPermissions): SetMemoryReport {
    const end = va + BigInt(pages) * 4096n;
    if (va % 4096n !== 0n || !this.contains(va) || !Number.isInteger(pages) || end > this.end) {
      throw new RangeError(
        `va: expected pages inside the direct map, got ${pages} at 0x${va.toString(16)}`,
      );
    }
    const ranges: FlushRange[] = [];
    let splits1G = 0;
    let splits2M = 0;
    const before = this.tlbEntries;
    const report = (error: string | null): SetMemoryReport => {
      const flush = owedFlush(ranges);
      const tlbEntries = { before, after: this.tlbEntries };
      return { error, splits1G, splits2M, tablePages: splits1G + splits2M, tlbEntries, flush };
    };
    for (let at = va; at < end;) {
      const leaf = this.pageTable.lookup(at);
      const size: PageSize = leaf?.pageSize ?? 4096;
      const whole = at % BigInt(size) === 0n && at + BigInt(size) <= end;
      if (!whole || (size !== 4096 && permissions.present === false)) {
        const result = this.pageTable.split(at);
        if (typeof result === 'string') return report(result);
        ranges.push(...result.ranges);
        this.countSplit(size);
        if (size === 0x40000000) splits1G++;
        else splits2M++;
        continue;
      }
      const result = leaf ? this.change(at, size, permissions) : this.makePresent(at, permissions);
      if (typeof result === 'string') return report(result);
      if (result) ranges.push(...result.ranges);
      at += BigInt(size);
    }
    return report(null);
  }

  /** TLB entries that it takes to reach all of RAM. */
  get tlbEntries(): number {
    return this.leaves['4K'] + this.leaves['2M'] + this.leaves['1G'];
  }

  /** The DirectMap lines of /proc/meminfo. */
  meminfo(): string {
    const row = (name: string, kb: number) => `${name}    ${String(kb).padStart(8)} kB\n`;
    const { leaves } = this;
    const lines = [row('DirectMap4k:', leaves['4K'] * 4), row('DirectMap2M:', leaves['2M'] * 2048)];
    if (this.config.gbPages !== false) lines.push(row('DirectMap1G:', leaves['1G'] * 1048576));
    return lines.join('');
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.meminfo().trimEnd();
  }

  snapshot(): void {
    this.saved = { ...this.leaves };
  }

  /** Goes with PhysMemory.rollback(), which brings back the tables. */
  restore(): void {
    if (!this.saved) throw new TypeError('restore: expected a snapshot() before it, got none');
    Object.assign(this.leaves, this.saved);
  }

  private mapLeaf(pa: number, end: number): number {
    for (const size of SIZES) {
      if (size === 0x40000000 && this.config.gbPages === false) continue;
      if (size > 4096 && pa < SMALL_PAGES_BELOW) continue;
      if (pa % size !== 0 || pa + size > end) continue;
      const result = this.pageTable.map(this.start + BigInt(pa), BigInt(pa), size, PAGE_KERNEL);
      if (typeof result === 'string') {
        throw new RangeError(`memory: expected room for the page tables, got ${result}`);
      }
      this.leaves[NAMES[size]]++;
      return size;
    }
    throw new RangeError(`memory: expected a multiple of 4096 bytes, got ${end}`);
  }

  private change(va: VirtAddr, size: PageSize, permissions: MemoryPermissions): TlbFlush | string {
    const { writable, executable, present } = permissions;
    if (present === false) {
      this.leaves['4K']--;
      return this.pageTable.unmap(va, 4096);
    }
    const changes: MapOptions = {};
    if (writable !== undefined) changes.writable = writable;
    if (executable !== undefined) changes.executable = executable;
    return this.pageTable.protect(va, size, changes);
  }

  /** A page that was taken out comes back; one that stays out needs nothing. */
  private makePresent(va: VirtAddr, permissions: MemoryPermissions): TlbFlush | string | null {
    const { writable = true, executable = false, present } = permissions;
    if (!present) return null;
    this.leaves['4K']++;
    const options: MapOptions = { writable, executable, global: true };
    return this.pageTable.map(va, va - this.start, 4096, options);
  }

  private countSplit(size: PageSize): void {
    const { leaves } = this;
    if (size === 0x40000000) {
      leaves['1G']--;
      leaves['2M'] += 512;
    } else {
      leaves['2M']--;
      leaves['4K'] += 512;
    }
  }
}
