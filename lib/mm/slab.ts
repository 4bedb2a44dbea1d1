import { offsetBy, type VirtAddr } from '../x86/addr';
import type { Cpu } from '../x86/cpu';
import { isFault, makeFault, VECTOR_UD, type Fault } from '../x86/fault';
import type { DirectMap } from './direct-map';
import { slabGfp } from './gfp';
import type { SlabUsage } from './oom';
import type { PageAllocator } from './page-allocator';
import { slabLayout, type SlabLayout, type SlabLayoutOptions } from './slab-order';

export interface KmemCacheOptions extends Omit<SlabLayoutOptions, 'version'> {
  name: string;
  /** CONFIG_SLAB_FREELIST_HARDENED (4.14): free pointers are stored xor'ed with this secret. */
  hardened?: bigint;
  /** Number that the page frames of its slabs get as owner; 0 unless given. */
  owner?: number;
}

/** What struct page keeps of a slab: outside simulated memory. */
interface Slab {
  readonly pfn: number;
  /** Smaller than the cache's when memory was short. */
  readonly order: number;
  /** First free object that is not in the CPU's list; 0 when there is none. */
  freelist: VirtAddr;
  /** Objects handed out, or in the CPU's list. */
  inuse: number;
  /** In the list of partly used slabs, and its neighbours there. */
  partial: boolean;
  next: Slab | null;
  previous: Slab | null;
}

/**
 * A slab cache (SLUB, one CPU, one node): objects of one size in pages from the page allocator. The
 * free objects of a slab form a list whose pointers lie in the objects themselves, in simulated
 * memory. They are read and written through the MMU when the list is used: a pointer that an overrun
 * changed is followed at a later allocation, to a fault or to an object that lies over something else.
 *
 * Simplified: no per-CPU partial lists, no debugging, no randomized order of objects.
 */
export class KmemCache {
  readonly name: string;
  readonly layout: SlabLayout;
  private readonly secret: bigint;
  private readonly owner: number;
  private readonly minPartial: number;
  private readonly swabs: boolean;
  private readonly pointerOffset: bigint;
  /** By the first page frame. */
  private readonly slabs = new Map<number, Slab>();
  /** The slab that the CPU allocates from, and its list: kmem_cache_cpu. */
  private page: Slab | null = null;
  private freelist: VirtAddr = 0n;
  /** Partly used slabs: the first is taken first, a new one goes to the end. */
  private firstPartial: Slab | null = null;
  private lastPartial: Slab | null = null;
  private partialCount = 0;
  private active = 0;
  private saved: ReturnType<KmemCache['state']> | null = null;
  /** Since the snapshot: slabs changed, as they were then; slabs made; slabs given up. */
  private readonly before = new Map<Slab, Slab>();
  private readonly made = new Set<Slab>();
  private readonly gone = new Set<Slab>();

  constructor(
    private readonly pageAllocator: PageAllocator,
    private readonly directMap: DirectMap,
    private readonly cpu: Cpu,
    options: KmemCacheOptions,
  ) {
    const { version } = pageAllocator;
    this.name = options.name;
    this.layout = slabLayout({ ...options, version });
    this.pointerOffset = BigInt(this.layout.offset);
    this.secret = options.hardened ?? 0n;
    this.owner = options.owner ?? 0;
    this.swabs = options.hardened !== undefined;
    this.minPartial = Math.min(10, Math.max(5, Math.trunc(Math.log2(this.layout.size) / 2)));
  }

  /**
   * Takes an object.
   *
   * @returns its address; null when there is no memory; the fault that the CPU met in the free list
   */
  alloc(): VirtAddr | null | Fault {
    if (this.freelist === 0n) {
      const refilled = this.refill();
      if (refilled !== true) return refilled;
    }
    const object = this.freelist;
    const next = this.readPointer(object);
    if (isFault(next)) return next;
    this.freelist = next;
    this.active++;
    return object;
  }

  /**
   * Gives an object back.
   *
   * @returns null, or the fault: of the store to the object, or #UD from the kernel's BUG_ON when
   *   the address is in no slab of this cache
   */
  free(object: VirtAddr): Fault | null {
    const slab = this.slabOf(object);
    if (!slab) return makeFault(VECTOR_UD);
    this.active--;
    if (slab === this.page) {
      const fault = this.writePointer(object, this.freelist);
      if (!fault) this.freelist = object;
      return fault;
    }
    const fault = this.writePointer(object, slab.freelist);
    if (fault) return fault;
    this.change(slab);
    slab.freelist = object;
    slab.inuse--;
    if (slab.inuse === 0 && this.partialCount >= this.minPartial) this.discard(slab);
    else if (!slab.partial) this.addPartial(slab);
    return null;
  }

  /** True when the address lies in a slab of this cache. */
  holds(va: VirtAddr): boolean {
    return this.slabOf(va) !== null;
  }

  /** Address of the first object of every slab, lowest first. */
  slabAddresses(): VirtAddr[] {
    return [...this.slabs.keys()].sort((a, b) => a - b).map((pfn) => this.addressOf(pfn));
  }

  /**
   * Free objects, found as a debugger finds them: along the lists, while they stay in slabs of this cache.
   *
   * @param peek reads a word without the CPU
   */
  freeObjects(peek: (at: VirtAddr) => bigint | null): Set<VirtAddr> {
    const found = new Set<VirtAddr>();
    for (const head of [this.freelist, ...[...this.slabs.values()].map((slab) => slab.freelist)]) {
      for (let object = head; this.holds(object) && !found.has(object);) {
        found.add(object);
        const at = object + BigInt(this.layout.offset);
        object = this.mangle(peek(at) ?? 0n, at);
      }
    }
    return found;
  }

  /** Objects handed out. */
  get activeObjects(): number {
    return this.active;
  }

  get slabCount(): number {
    return this.slabs.size;
  }

  /** What the cache takes, as the OOM killer's report lists it. */
  usage(): SlabUsage {
    const { size } = this.layout;
    let totalBytes = 0;
    for (const { order } of this.slabs.values()) totalBytes += 4096 << order;
    return { name: this.name, usedBytes: this.active * size, totalBytes };
  }

  /** The line of /proc/slabinfo. */
  slabinfo(): string {
    const { size, order, objectsPerSlab } = this.layout;
    const slabs = this.slabs.size;
    let objects = 0;
    for (const slab of this.slabs.values()) objects += this.objectsIn(slab.order);
    const column = (value: number, width: number) => String(value).padStart(width);
    return `${this.name.padEnd(17)} ${column(this.active, 6)} ${column(objects, 6)} ${column(size, 6)} ${column(objectsPerSlab, 4)} ${column(1 << order, 4)} : tunables ${column(0, 4)} ${column(0, 4)} ${column(0, 4)} : slabdata ${column(slabs, 6)} ${column(slabs, 6)} ${column(0, 6)}`;
  }

  snapshot(): void {
    this.forgetChanges();
    this.saved = this.state();
  }

  /** Returns to the snapshot; may be repeated. Goes with PhysMemory.rollback(). */
  restore(): void {
    if (!this.saved) throw new TypeError('restore: expected a snapshot() before it, got none');
    for (const [slab, old] of this.before) Object.assign(slab, old);
    for (const slab of this.made) this.slabs.delete(slab.pfn);
    for (const slab of this.gone) this.slabs.set(slab.pfn, slab);
    const { saved } = this;
    this.page = saved.page;
    this.freelist = saved.freelist;
    this.active = saved.active;
    this.firstPartial = saved.firstPartial;
    this.lastPartial = saved.lastPartial;
    this.partialCount = saved.partialCount;
    this.forgetChanges();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.slabinfo();
  }

  private forgetChanges(): void {
    for (const changes of [this.before, this.made, this.gone])
      if (changes.size > 0) changes.clear();
  }

  private state() {
    const { page, freelist, active, firstPartial, lastPartial, partialCount } = this;
    return { page, freelist, active, firstPartial, lastPartial, partialCount };
  }

  /** ___slab_alloc(): the slab's own list, a partly used slab, a new slab. */
  private refill(): true | null | Fault {
    if (this.page && this.page.freelist !== 0n) {
      this.takeFreelist(this.page);
      return true;
    }
    this.page = null;
    const slab = this.firstPartial;
    if (!slab) return this.newSlab();
    this.removePartial(slab);
    this.takeFreelist(slab);
    return true;
  }

  private takeFreelist(slab: Slab): void {
    this.change(slab);
    this.page = slab;
    this.freelist = slab.freelist;
    slab.freelist = 0n;
    slab.inuse = this.objectsIn(slab.order);
  }

  private objectsIn(order: number): number {
    return Math.trunc((4096 << order) / this.layout.size);
  }

  /** The smallest order that holds an object: oo_min. */
  private get minOrder(): number {
    return Math.max(0, Math.ceil(Math.log2(this.layout.size / 4096)));
  }

  /** allocate_slab(): tries the cache's order, kills nobody for it, and makes do with less. */
  private newSlab(): true | null | Fault {
    const { size } = this.layout;
    const gfp = slabGfp(this.pageAllocator.version, this.layout.order > 0);
    const options = { class: 'slab', owner: this.owner, gfp } as const;
    let { order } = this.layout;
    let pfn: number | null = null;
    if (order > this.minOrder) {
      pfn = this.pageAllocator.allocPages(order, { ...options, noretry: true, nowarn: true });
    }
    if (pfn === null) {
      order = this.minOrder;
      pfn = this.pageAllocator.allocPages(order, options);
    }
    if (pfn === null) return null;
    const start = this.addressOf(pfn);
    const objects = this.objectsIn(order);
    for (let i = 0; i < objects; i++) {
      const next = i + 1 < objects ? start + BigInt((i + 1) * size) : 0n;
      const fault = this.writePointer(start + BigInt(i * size), next);
      if (fault) return fault;
    }
    const links = { partial: false, next: null, previous: null };
    const slab: Slab = { pfn, order, freelist: 0n, inuse: objects, ...links };
    this.slabs.set(pfn, slab);
    if (this.saved) this.made.add(slab);
    this.page = slab;
    this.freelist = start;
    return true;
  }

  private discard(slab: Slab): void {
    if (slab.partial) this.removePartial(slab);
    this.slabs.delete(slab.pfn);
    if (this.saved && !this.made.delete(slab)) this.gone.add(slab);
    this.pageAllocator.freePages(slab.pfn, slab.order);
  }

  private readPointer(object: VirtAddr): VirtAddr | Fault {
    const at = offsetBy(object, this.pointerOffset);
    const stored = this.cpu.load64(at);
    return isFault(stored) ? stored : this.mangle(stored, at);
  }

  private writePointer(object: VirtAddr, next: VirtAddr): Fault | null {
    const at = offsetBy(object, this.pointerOffset);
    return this.cpu.store64(at, this.mangle(next, at));
  }

  /** freelist_ptr(): the pointer xor the secret xor its own address, byte-swapped. */
  private mangle(pointer: bigint, at: VirtAddr): bigint {
    return this.swabs ? pointer ^ this.secret ^ swab64(at) : pointer;
  }

  private slabOf(va: VirtAddr): Slab | null {
    const pfn = this.directMap.pfnOf(va);
    if (pfn < 0) return null;
    const slab = this.slabs.get(pfn & ~((1 << this.layout.order) - 1));
    if (slab && pfn < slab.pfn + (1 << slab.order)) return slab;
    return this.slabs.get(pfn & ~((1 << this.minOrder) - 1)) ?? null;
  }

  private addressOf(pfn: number): VirtAddr {
    return this.directMap.physToVirt(BigInt(pfn) << 12n);
  }

  private change(slab: Slab): void {
    if (this.saved && !this.before.has(slab)) this.before.set(slab, { ...slab });
  }

  private addPartial(slab: Slab): void {
    const last = this.lastPartial;
    slab.partial = true;
    slab.next = null;
    slab.previous = last;
    this.lastPartial = slab;
    this.partialCount++;
    if (!last) {
      this.firstPartial = slab;
      return;
    }
    this.change(last);
    last.next = slab;
  }

  private removePartial(slab: Slab): void {
    const { next, previous } = slab;
    this.change(slab);
    slab.partial = false;
    if (next) {
      this.change(next);
      next.previous = previous;
    } else this.lastPartial = previous;
    if (previous) {
      this.change(previous);
      previous.next = next;
    } else this.firstPartial = next;
    this.partialCount--;
  }
}

function swab64(value: bigint): bigint {
  let swapped = 0n;
  for (let i = 0n; i < 8n; i++) swapped = (swapped << 8n) | ((value >> (8n * i)) & 0xffn);
  return swapped;
}
