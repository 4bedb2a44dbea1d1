import type { VirtAddr } from '../x86/addr';
import type { Cpu } from '../x86/cpu';
import type { MapOptions, PageTable } from '../x86/page-table';
import { owedFlush } from '../x86/tlb-flush';
import { MAX_PAGE_ORDER } from './free-lists';
import { Journal } from './journal';
import type { PurgeReport, VmallocConfig, VmallocOptions } from './vmalloc-options';
import type { KernelLayout } from './layout';
import type { PageAllocator } from './page-allocator';
import { lazyMaxPages, vmallocRules, type VmallocRules } from './vmalloc-rules';
import { unpurgedLine, vmallocinfoLine, type VmallocinfoEntry } from './vmallocinfo';
import { isVmallocFailure, type VmallocFailure, type VmStruct } from './vm-struct';
import { VmapAreas, type AreaDetails } from './vmap-areas';
import { NIL, VmapNodes } from './vmap-nodes';
import { VmapSpace } from './vmap-space';

const PAGE = 4096;
const POINTERS_PER_PAGE = PAGE / 8;
const VMALLOC = ['vmalloc'] as const;
const VMAP = ['vmap'] as const;

/**
 * The kernel's vmalloc: areas of contiguous addresses over single pages from anywhere. Each area is
 * followed by a guard page that is only an address range. Freed areas are unmapped at once, but
 * their addresses are used again, and the TLB is flushed, only at a purge.
 *
 * Simplified: no huge vmalloc mappings; the array of page pointers takes vmalloc space when it is
 * larger than a page, as in the kernel, but a smaller one takes no slab memory. A purge over the
 * threshold happens at once, where kernels since 5.13 leave it to a worker. The per-node layer of
 * 6.9 is left out: with one CPU the kernel has a single node without pools, too.
 */
export class Vmalloc {
  readonly layout: KernelLayout;
  readonly rules: VmallocRules;
  readonly space: VmapSpace;
  /** Pages of freed areas that wait for the purge. */
  lazyPages = 0;
  readonly lazyMaxPages: number;
  /** Times the TLB had to be flushed for a purge. */
  purges = 0;
  private readonly pageTable: PageTable;
  private readonly pageAllocator: PageAllocator;
  private readonly cpu: Cpu | null;
  private readonly journal = new Journal();
  private readonly areas: VmapAreas;
  /** First and last page whose translation may still be in a TLB. */
  private owed: { start: number; end: number } | null = null;
  private saved: ReturnType<Vmalloc['smallState']> | null = null;

  constructor(config: VmallocConfig) {
    this.layout = config.layout;
    this.pageTable = config.pageTable;
    this.pageAllocator = config.pageAllocator;
    this.cpu = config.cpu ?? null;
    this.rules = vmallocRules(config.version);
    this.lazyMaxPages = lazyMaxPages(config.onlineCpus);
    const nodes = new VmapNodes(this.journal);
    this.space = new VmapSpace(nodes, this.rules);
    this.areas = new VmapAreas(nodes, config.pageAllocator.pageInfo, this.journal);
  }

  /**
   * Allocates `size` bytes, rounded up to pages, at contiguous addresses (__vmalloc_node_range).
   *
   * @throws RangeError unless size is above 0 and align a power of two
   */
  vmalloc(size: number, options: VmallocOptions = {}): VmStruct | VmallocFailure {
    const { messages } = this.rules;
    const bytes = checkedSize(size);
    const pages = bytes / PAGE;
    if (pages > this.pageAllocator.memory.pages) {
      return { failure: 'no-memory', messages: [messages.tooLarge(bytes)] };
    }
    const node = this.takeRange(bytes, options);
    if (node === NIL) return this.noAddress(bytes, options);
    const pointers =
      pages > POINTERS_PER_PAGE ? this.vmalloc(pages * 8, { caller: options.caller }) : null;
    if (pointers && isVmallocFailure(pointers)) {
      this.dropRange(node);
      return pointers;
    }
    const pfns = this.allocPages(pages, options);
    const start = this.space.nodes.start[node];
    if (pfns.length < pages || !this.mapPages(start, pfns)) {
      const failure = pfns.length < pages ? 'no-memory' : 'no-page-table';
      const message = messages.noPage(pfns.length * PAGE, bytes + PAGE);
      for (const pfn of pfns) this.pageAllocator.freePages(pfn, 0);
      if (pointers) this.vfree(pointers.addr);
      this.dropRange(node);
      return { failure, messages: [message] };
    }
    const pageArray = pointers?.addr ?? null;
    return this.enter(node, {
      flags: VMALLOC,
      caller: options.caller ?? '',
      guard: options.guard !== false,
      pages: pfns,
      vpages: pageArray !== null,
      pageArray,
    });
  }

  /**
   * Maps given pages at contiguous addresses; they stay the caller's. Since 5.16 an area without a
   * guard page cannot be had here.
   */
  vmap(pfns: readonly number[], options: VmallocOptions = {}): VmStruct | VmallocFailure {
    const bytes = checkedSize(pfns.length * PAGE);
    const guard = options.guard !== false || this.rules.vmapStripsNoGuard;
    const actual = { ...options, guard };
    const node = this.takeRange(bytes, actual);
    if (node === NIL) return this.noAddress(bytes, actual);
    if (!this.mapPages(this.space.nodes.start[node], pfns)) {
      this.dropRange(node);
      return { failure: 'no-page-table', messages: [] };
    }
    const caller = options.caller ?? '';
    return this.enter(node, { flags: VMAP, caller, guard, pages: [...pfns] });
  }

  /**
   * Frees an area: its pages go back at once, its addresses wait for the purge.
   *
   * @throws RangeError when no area begins there
   */
  vfree(addr: VirtAddr): void {
    const area = this.remove(addr, 'vfree');
    if (!area.flags.includes('vmalloc')) return;
    for (const pfn of area.pages) this.pageAllocator.freePages(pfn, 0);
    if (area.pageArray !== null) this.vfree(area.pageArray);
  }

  /** Takes the mapping of a vmap() away; the pages stay the caller's. */
  vunmap(addr: VirtAddr): void {
    this.remove(addr, 'vunmap');
  }

  /** The page frame behind an address, read from the page table; null when nothing is mapped. */
  vmallocToPage(va: VirtAddr): number | null {
    const found = this.pageTable.lookup(va);
    if (!found) return null;
    const inside = va & BigInt(found.pageSize - 4096);
    const frame = found.raw & 0x000ffffffffff000n & ~BigInt(found.pageSize - 1);
    return Number((frame + inside) >> 12n);
  }

  /** The area that holds the address, guard page included, or null. */
  findVmArea(va: VirtAddr): VmStruct | null {
    const node = this.space.busy.find(Number(va >> 12n));
    return node === NIL ? null : this.areas.get(node);
  }

  isVmallocAddr(va: VirtAddr): boolean {
    return va >= this.layout.VMALLOC_START && va <= this.layout.VMALLOC_END;
  }

  /** Areas in use, lowest address first. */
  *vmStructs(): Generator<VmStruct> {
    for (const node of this.space.busy) {
      const area = this.areas.get(node);
      if (area) yield area;
    }
  }

  /** The text of /proc/vmallocinfo. */
  vmallocinfo(): string {
    const { start, end } = this.space.nodes;
    const lines: string[] = [];
    for (const node of this.space.busy) {
      const area = this.areas.get(node);
      if (area) lines.push(vmallocinfoLine(area));
      else if (this.rules.lazyListed === 'inline') lines.push(waitingLine(start[node], end[node]));
    }
    if (this.rules.lazyListed === 'at-end') {
      for (const [first, last] of this.space.waitingRanges()) lines.push(waitingLine(first, last));
    }
    return lines.map((line) => `${line}\n`).join('');
  }

  /**
   * Makes the waiting addresses free again; one TLB flush is due for all of them. Without a CPU to
   * flush, the flush is the caller's to discharge.
   *
   * @param cpu the CPU to flush; the configured one unless given
   */
  purge(cpu: Cpu | null = this.cpu): PurgeReport {
    const report = this.drain();
    if (cpu) report.flush.discharge(cpu);
    this.owed = null;
    return report;
  }

  /** Enters what a recorded listing shows, as areas without page frames. */
  load(entries: readonly VmallocinfoEntry[]): void {
    for (const entry of entries) {
      const start = pageOf(entry.addr);
      const node = this.space.allocateAt(start, start + entry.size / PAGE);
      if (node === NIL) {
        throw new RangeError(
          `load: expected a listing without overlaps, got one at ${entry.addr.toString(16)}`,
        );
      }
      if (entry.note === 'unpurged vm_area') {
        this.space.freeLazily(node);
        this.lazyPages += entry.size / PAGE;
        continue;
      }
      const { flags, pages: nrPages, physAddr, vpages } = entry;
      const caller = entry.caller ?? '';
      this.areas.set(node, { flags, caller, guard: true, pages: [], nrPages, physAddr, vpages });
    }
  }

  /** The text of /proc/vmallocinfo. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.vmallocinfo().trimEnd();
  }

  snapshot(): void {
    this.journal.snapshot();
    this.space.snapshot();
    this.saved = this.smallState();
  }

  /** Returns to the snapshot; may be repeated. Goes with PhysMemory.rollback(). */
  restore(): void {
    if (!this.saved) throw new TypeError('restore: expected a snapshot() before it, got none');
    this.journal.restore();
    this.space.restore();
    Object.assign(this, this.saved);
  }

  private smallState() {
    const { lazyPages, purges, owed } = this;
    return { lazyPages, purges, owed };
  }

  /** __get_vm_area_node(): purges once and tries again before it gives up. */
  private takeRange(bytes: number, options: VmallocOptions): number {
    const align = options.align ?? 1;
    if (!Number.isInteger(Math.log2(align))) {
      throw new RangeError(`align: expected a power of two, got ${align}`);
    }
    const request = {
      size: bytes / PAGE + (options.guard === false ? 0 : 1),
      align,
      start: pageOf(options.start ?? this.layout.VMALLOC_START),
      // vend is VMALLOC_END, the last byte, in the kernel: its page cannot be reached.
      end: pageOf(options.end ?? this.layout.VMALLOC_END),
    };
    const node = this.space.allocate(request);
    if (node !== NIL) return node;
    this.drainNow();
    return this.space.allocate(request);
  }

  /** vm_area_alloc_pages(): as many page frames as can be had. */
  private allocPages(pages: number, options: VmallocOptions): number[] {
    const { pageAllocator, rules } = this;
    const request = { class: options.class ?? 'vmalloc', owner: options.owner } as const;
    const pfns: number[] = [];
    while (rules.largeBlockFirst && pages - pfns.length > 1) {
      const order = Math.min(MAX_PAGE_ORDER, 31 - Math.clz32(pages - pfns.length));
      const gentle = { ...request, mayReclaim: false, nowarn: true };
      const first = pageAllocator.allocPages(order, gentle);
      if (first === null) break;
      pageAllocator.splitPage(first, order);
      for (let pfn = first; pfn < first + (1 << order); pfn++) pfns.push(pfn);
    }
    while (pfns.length < pages) {
      const pfn = pageAllocator.allocPages(0, request);
      if (pfn === null) break;
      pfns.push(pfn);
    }
    return pfns;
  }

  private enter(node: number, details: AreaDetails): VmStruct {
    this.areas.set(node, details);
    return this.areas.get(node) as VmStruct;
  }

  private remove(addr: VirtAddr, what: string): VmStruct {
    const node = this.space.busy.find(Number(addr >> 12n));
    const area = node === NIL ? null : this.areas.get(node);
    if (!area || area.addr !== addr) {
      throw new RangeError(
        `${what}: expected the start of an area, got 0x${addr.toString(16)} (Trying to vfree() nonexistent vm area)`,
      );
    }
    const { start, end } = this.space.nodes;
    for (let i = 0; i < area.pages.length; i++) this.unmapPage(start[node] + i);
    this.owe(start[node], end[node]);
    this.lazyPages += end[node] - start[node];
    this.areas.clear(node);
    this.space.freeLazily(node);
    if (this.lazyPages > this.lazyMaxPages) this.drainNow();
    return area;
  }

  /** __purge_vmap_area_lazy(), but for the flush. */
  private drain(): PurgeReport {
    const areas = this.space.waitingRanges().length;
    const pages = this.lazyPages;
    const { owed } = this;
    if (areas > 0) this.space.purge();
    this.lazyPages = 0;
    if (!owed) return { areas, pages, flush: owedFlush([]) };
    this.purges++;
    const range = { start: address(owed.start), end: address(owed.end), pageSize: PAGE };
    return { areas, pages, flush: owedFlush([range]) };
  }

  /** A purge that the kernel makes by itself; without a CPU the flush stays owed till the next one. */
  private drainNow(): void {
    const { flush } = this.drain();
    if (!this.cpu) return;
    flush.discharge(this.cpu);
    this.owed = null;
  }

  private mapPages(start: number, pfns: readonly number[]): boolean {
    const options: MapOptions = { writable: true, executable: false, global: true };
    for (let i = 0; i < pfns.length; i++) {
      const result = this.pageTable.map(address(start + i), BigInt(pfns[i]) << 12n, PAGE, options);
      if (typeof result !== 'string') {
        result.ignore();
        continue;
      }
      for (let j = 0; j < i; j++) this.unmapPage(start + j);
      return false;
    }
    return true;
  }

  /** Nobody flushes the TLB here: that is what the purge is for. */
  private unmapPage(page: number): void {
    const result = this.pageTable.unmap(address(page), PAGE);
    if (typeof result !== 'string') result.ignore();
  }

  /** An area that never came to be: its range goes the way of a freed one. */
  private dropRange(node: number): void {
    const { start, end } = this.space.nodes;
    this.owe(start[node], end[node]);
    this.lazyPages += end[node] - start[node];
    this.areas.clear(node);
    this.space.freeLazily(node);
  }

  private owe(start: number, end: number): void {
    const { owed } = this;
    this.owed = owed
      ? { start: Math.min(owed.start, start), end: Math.max(owed.end, end) }
      : { start, end };
  }

  private noAddress(bytes: number, options: VmallocOptions): VmallocFailure {
    const size = bytes + (options.guard === false ? 0 : PAGE);
    const start = options.start ?? this.layout.VMALLOC_START;
    const end = options.end ?? this.layout.VMALLOC_END;
    return { failure: 'no-address', messages: [this.rules.messages.noAddress(size, start, end)] };
  }
}

function pageOf(va: VirtAddr): number {
  return Number(va >> 12n);
}

function address(page: number): VirtAddr {
  return BigInt(page) << 12n;
}

function waitingLine(start: number, end: number): string {
  return unpurgedLine(address(start), (end - start) * PAGE);
}

function checkedSize(size: number): number {
  if (!Number.isSafeInteger(size) || size <= 0) {
    throw new RangeError(`size: expected a whole number of bytes above 0, got ${size}`);
  }
  return Math.ceil(size / PAGE) * PAGE;
}
