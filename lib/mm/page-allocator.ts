import type { PhysMemory } from '../x86/phys-memory';
import { allocatorRules, type AllocatorRules } from './allocator-rules';
import { checkAllocator } from './allocator-check';
import { defaultReserved, defaultZones, freeBootMemory, setupMigrateReserve } from './boot-memory';
import { buddyinfoText, pagetypeinfoText } from './buddyinfo';
import { fragmentationIndex, type CompactionReport } from './compaction';
import { takeFromOtherTypes, type FallbackCounters } from './fallback';
import { FreeLists, MAX_PAGE_ORDER } from './free-lists';
import type { Gfp } from './gfp';
import { reserveHighatomic } from './highatomic';
import { Journal } from './journal';
import {
  HIGHATOMIC,
  MOVABLE,
  migrateTypeNumber,
  PCPTYPES,
  RESERVE,
  type MigrateType,
} from './migrate-type';
import { classNumberOf, PageInfo, type PageClass, type ReservedRange } from './page-info';
import { PerCpuPages, type PcpOptions } from './pcp';
import {
  allocSlow,
  compact,
  zeroCounters,
  type AllocatorHooks,
  type Request,
  type SlowPathCounters,
} from './slow-path';
import { setupWatermarks, watermarkOk } from './watermark';
import { PageblockTypes, Zone, type ZoneSpec } from './zone';

export interface PageAllocatorOptions {
  /** Kernel version, '2.6.32' to the newest. */
  version: string;
  /** Zones, lowest first; by default DMA to 16 MiB, DMA32 to 4 GiB, Normal above. */
  zones?: readonly ZoneSpec[];
  /** CONFIG_ZONE_DMA: without it DMA32 begins at 0. True unless given. */
  zoneDma?: boolean;
  /** What the boot keeps; by default `defaultReserved`. */
  reserved?: readonly ReservedRange[];
  /** sysctl vm.min_free_kbytes; computed as the kernel does unless given. */
  minFreeKbytes?: number;
  /** Per-CPU lists in front of the buddy lists; none unless given. `true` for the kernel's sizes. */
  pcp?: boolean | PcpOptions;
  /** CONFIG_COMPACTION; false unless given. */
  compaction?: boolean;
  /** What the machine does when memory is short; more can be set later. */
  hooks?: AllocatorHooks;
}

export interface AllocOptions {
  /** What the block will be used for, as to moving it. UNMOVABLE unless given. */
  migratetype?: MigrateType;
  /** 'kernel' unless given. */
  class?: PageClass;
  /** A number of the caller's that says whose it is; 0 unless given. */
  owner?: number;
  /** Highest zone that will do, by name; the highest but HighMem unless given. */
  zone?: string;
  /** An interrupt cannot wait: GFP_ATOMIC, no reclaim, reserves may be used. */
  atomic?: boolean;
  /** False: without __GFP_DIRECT_RECLAIM, what is not there is not made. */
  mayReclaim?: boolean;
  /** __GFP_NORETRY: fails rather than kills. */
  noretry?: boolean;
  /** False for a task that is being killed itself, and other requests that must not kill. */
  mayOom?: boolean;
  /** __GFP_NOWARN: a failure leaves no line in the log. */
  nowarn?: boolean;
  /** For the log: the mask as the kernel prints it, the task that asks and its oom_score_adj. */
  gfp?: Gfp;
  comm?: string;
  oomScoreAdj?: number;
}

/** Marker nodes of a zone: its runs of boot memory, at most one more than reserved ranges. */
const MARKERS = 64;

/**
 * The physical page allocator of one node (mm/page_alloc.c): zones, buddy lists, watermarks, and what
 * happens when a request cannot be met. Page frames are numbers; the contents of pages stay in
 * simulated memory. struct page and the free lists are kept outside it, so that an overrun cannot
 * damage them here.
 *
 * Simplified: one node, one CPU, no kswapd, no memory hotplug.
 */
export class PageAllocator {
  readonly version: string;
  readonly rules: AllocatorRules;
  readonly zones: readonly Zone[];
  readonly pageInfo: PageInfo;
  readonly blocks: PageblockTypes;
  readonly compaction: boolean;
  readonly hooks: AllocatorHooks;
  readonly counters: FallbackCounters & SlowPathCounters;
  /** The kernel found nobody to kill. */
  panicked = false;
  private readonly pcp: readonly PerCpuPages[] | null;
  private readonly journal: Journal = new Journal();
  private saved: { counters: FallbackCounters & SlowPathCounters; panicked: boolean } | null = null;

  constructor(
    readonly memory: PhysMemory,
    options: PageAllocatorOptions,
  ) {
    this.version = options.version;
    const rules = allocatorRules(options.version);
    this.rules = rules;
    this.compaction = options.compaction ?? false;
    this.hooks = { ...options.hooks };
    this.counters = { fallbacks: 0, claimedPageblocks: 0, ...zeroCounters() };
    const { journal } = this;
    const { pages } = memory;
    const specs = options.zones ?? defaultZones(pages, options.zoneDma ?? true);
    const info = new PageInfo(
      pages,
      options.reserved ?? defaultReserved(pages),
      journal,
      specs.map((spec) => spec.end),
      specs.length * MARKERS,
    );
    this.pageInfo = info;
    this.blocks = new PageblockTypes(pages, MOVABLE, journal);
    this.zones = specs.map((spec, i) => {
      const ascending = rules.bootMemoryAscending;
      const lists = new FreeLists(info, journal, pages + i * MARKERS, MARKERS, ascending);
      return new Zone(spec, i, info, this.blocks, rules, lists);
    });
    this.zones.forEach(freeBootMemory);
    setupWatermarks(this.zones, options.minFreeKbytes);
    if (!rules.highatomic) this.zones.forEach(setupMigrateReserve);
    const pcp = options.pcp === true ? {} : options.pcp;
    this.pcp = pcp ? this.zones.map((zone) => new PerCpuPages(zone, pcp)) : null;
  }

  /**
   * Allocates 2^order pages that lie together.
   *
   * @returns the first page frame, or null when the machine could not give them; `hooks.printk` then
   *   got what the kernel prints
   * @throws RangeError unless order is 0 to 10
   */
  allocPages(order: number, options: AllocOptions = {}): number | null {
    checkOrder(order);
    const type = migrateTypeNumber(options.migratetype ?? 'UNMOVABLE');
    const classNumber = classNumberOf(options.class ?? 'kernel');
    const request = { order, type, highest: this.highestZone(options.zone), options };
    let pfn = this.fromFreelists(request, 'low');
    if (pfn < 0) pfn = allocSlow(this, request);
    if (pfn < 0) return null;
    this.pageInfo.setAllocated(pfn, order, type, classNumber, options.owner ?? 0);
    return pfn;
  }

  /**
   * Gives a block back.
   *
   * @throws RangeError when no block of this order was allocated there
   */
  freePages(pfn: number, order: number): void {
    checkOrder(order);
    const info = this.pageInfo;
    if (!info.isAllocatedHead(pfn) || info.orderOf(pfn) !== order) {
      throw new RangeError(
        `freePages: expected the first page of an allocated block of order ${order}, got pfn ${pfn} (${info.classOf(pfn)}, order ${info.orderOf(pfn)})`,
      );
    }
    info.setFreed(pfn, order);
    const zone = this.zoneOf(pfn);
    const pcp = this.pcp?.[zone.index];
    if (pcp?.takes(order)) pcp.give(pfn, order);
    else zone.freeBlock(pfn, order);
  }

  /** Cuts an allocated block into single pages that are freed one by one (split_page). */
  splitPage(pfn: number, order: number): void {
    this.pageInfo.splitAllocated(pfn, order);
  }

  /** Free blocks of one order in all zones, of one migrate type or of all. */
  freeCount(order: number, migratetype?: MigrateType): number {
    checkOrder(order);
    const type = migratetype === undefined ? -1 : migrateTypeNumber(migratetype);
    return this.zones.reduce(
      (sum, { free }) => sum + (type < 0 ? free.nrFree[order] : free.count(order, type)),
      0,
    );
  }

  /** Pages in the buddy lists of all zones. */
  get freePageCount(): number {
    return this.zones.reduce((sum, zone) => sum + zone.freePages, 0);
  }

  /** Pages that the boot gave to the allocator. */
  get managedPages(): number {
    return this.zones.reduce((sum, zone) => sum + zone.managed, 0);
  }

  /** Pages in the per-CPU lists of one zone, or of all. */
  perCpuPages(zone?: Zone): number {
    if (!this.pcp) return 0;
    if (zone) return this.pcp[zone.index].count;
    return this.pcp.reduce((sum, pcp) => sum + pcp.count, 0);
  }

  /** Empties the per-CPU lists into the buddy lists. */
  drainAllPages(): void {
    this.pcp?.forEach((pcp) => pcp.drain());
  }

  /** @throws RangeError when no zone holds the page */
  zoneOf(pfn: number): Zone {
    for (const zone of this.zones) if (zone.holds(pfn)) return zone;
    throw new RangeError(`pfn: expected one inside a zone, got ${pfn}`);
  }

  /** Compacts one zone until a block of `order` is free, or, by default, as far as it goes. */
  compact(zone: string, order: number = -1): CompactionReport {
    this.drainAllPages();
    return compact(this, this.zoneIndex(zone), order, MOVABLE);
  }

  /** `fragmentationIndex` of one zone. */
  fragmentationIndex(zone: string, order: number): number {
    return fragmentationIndex(this.zones[this.zoneIndex(zone)], order);
  }

  /** The text of /proc/buddyinfo. */
  buddyinfo(): string {
    return buddyinfoText(this.zones);
  }

  /** The text of /proc/pagetypeinfo. */
  pagetypeinfo(): string {
    return pagetypeinfoText(this.zones, this.version);
  }

  /** The text of /proc/buddyinfo. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.buddyinfo().trimEnd();
  }

  /** @throws Error that names the broken invariant; visits every page */
  check(): void {
    checkAllocator(this);
  }

  /** Makes the present state the one that restore() returns to. */
  snapshot(): void {
    this.journal.snapshot();
    this.pageInfo.snapshot();
    this.zones.forEach((zone) => zone.snapshot());
    this.pcp?.forEach((pcp) => pcp.snapshot());
    this.saved = { counters: { ...this.counters }, panicked: this.panicked };
  }

  /** Returns to the snapshot; may be repeated. Goes with PhysMemory.rollback(). */
  restore(): void {
    if (!this.saved) throw new TypeError('restore: expected a snapshot() before it, got none');
    this.journal.restore();
    this.pageInfo.restore();
    this.zones.forEach((zone) => zone.restore());
    this.pcp?.forEach((pcp) => pcp.restore());
    Object.assign(this.counters, this.saved.counters);
    this.panicked = this.saved.panicked;
  }

  /**
   * get_page_from_freelist(): the preferred zone first, then the lower ones; -1 when none may or can
   * give the block. For the slow path; the block is not marked as in use yet.
   */
  fromFreelists(request: Request, mark: 'min' | 'low' | 'high'): number {
    const { order, type, highest, options } = request;
    const flags = { high: options.atomic, harder: options.atomic };
    const spare = this.rules.noFragment && this.zones[highest].name === 'Normal' && highest > 0;
    for (let noFragment = spare; ; noFragment = false) {
      for (let i = highest; i >= 0; i--) {
        const zone = this.zones[i];
        if (zone.managed === 0) continue;
        if (!watermarkOk(zone, order, zone.watermark[mark], highest, flags)) continue;
        const pfn = this.takeFromZone(zone, order, type, options.atomic ?? false, noFragment);
        if (pfn >= 0) return pfn;
      }
      if (!noFragment) return -1;
    }
  }

  /** rmqueue() */
  private takeFromZone(
    zone: Zone,
    order: number,
    type: number,
    atomic: boolean,
    noFragment: boolean,
  ): number {
    const pcp = this.pcp?.[zone.index];
    if (pcp?.takes(order) && type < PCPTYPES) {
      return pcp.take(order, type, () => this.takeFromBuddy(zone, order, type, noFragment));
    }
    const { highatomic } = this.rules;
    if (atomic && order > 0 && highatomic) {
      const pfn = zone.takeSmallest(order, HIGHATOMIC);
      if (pfn >= 0) return pfn;
    }
    const pfn = this.takeFromBuddy(zone, order, type, noFragment);
    if (pfn >= 0 && atomic && order > 0 && highatomic) reserveHighatomic(zone, pfn);
    return pfn;
  }

  /** __rmqueue() */
  private takeFromBuddy(zone: Zone, order: number, type: number, noFragment: boolean): number {
    let pfn = zone.takeSmallest(order, type);
    if (pfn >= 0 || type >= PCPTYPES) return pfn;
    pfn = takeFromOtherTypes(zone, order, type, this.counters, noFragment);
    return pfn < 0 && !this.rules.highatomic ? zone.takeSmallest(order, RESERVE) : pfn;
  }

  private highestZone(name: string | undefined): number {
    if (name !== undefined) return this.zoneIndex(name);
    const last = this.zones.length - 1;
    return this.zones[last].name === 'HighMem' ? last - 1 : last;
  }

  private zoneIndex(name: string): number {
    const index = this.zones.findIndex((zone) => zone.name === name);
    if (index < 0) {
      const names = this.zones.map((zone) => zone.name).join(', ');
      throw new RangeError(`zone: expected one of ${names}, got ${name}`);
    }
    return index;
  }
}

function checkOrder(order: number): void {
  if (!Number.isInteger(order) || order < 0 || order > MAX_PAGE_ORDER) {
    throw new RangeError(`order: expected 0 to ${MAX_PAGE_ORDER}, got ${order}`);
  }
}
