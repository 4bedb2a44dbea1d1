import type { PhysMemory } from '../x86/phys-memory';
import { allocatorRules, type AllocatorRules } from './allocator-rules';
import { buddyinfoText, pagetypeinfoText } from './buddyinfo';
import { takeFromOtherTypes, type FallbackCounters } from './fallback';
import { FreeLists, MAX_PAGE_ORDER } from './free-lists';
import { Journal } from './journal';
import { MOVABLE, migrateTypeNumber, PCPTYPES, type MigrateType } from './migrate-type';
import { classNumberOf, PageInfo, type PageClass, type ReservedRange } from './page-info';
import { minFreeKbytes, setupWatermarks, watermarkOk, type WatermarkFlags } from './watermark';
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
}

export interface AllocOptions {
  /** What the block will be used for, as to moving it. UNMOVABLE unless given. */
  migratetype?: MigrateType;
  /** 'kernel' unless given. */
  class?: PageClass;
  /** A number of the caller's that says whose it is; 0 unless given. */
  owner?: number;
  /** Highest zone that will do, by name; the highest there is unless given. */
  zone?: string;
  /** An interrupt cannot wait: ALLOC_HIGH and ALLOC_HARDER (GFP_ATOMIC). */
  atomic?: boolean;
}

/** Enough marker nodes for the runs of boot memory: two a zone and one a reserved range. */
const MARKERS = 64;

/**
 * The physical page allocator of one node: zones, buddy lists, watermarks. Page frames are numbers;
 * the contents of pages stay in the simulated memory.
 */
export class PageAllocator {
  readonly version: string;
  readonly rules: AllocatorRules;
  readonly zones: readonly Zone[];
  readonly pageInfo: PageInfo;
  readonly counters: FallbackCounters = { fallbacks: 0, claimedPageblocks: 0 };
  readonly blocks: PageblockTypes;
  protected readonly journal: Journal = new Journal();

  constructor(
    readonly memory: PhysMemory,
    options: PageAllocatorOptions,
  ) {
    this.version = options.version;
    this.rules = allocatorRules(options.version);
    const pages = memory.pages;
    const reserved = options.reserved ?? defaultReserved(pages);
    this.pageInfo = new PageInfo(pages, reserved, this.journal, 4 * MARKERS);
    this.blocks = new PageblockTypes(pages, MOVABLE, this.journal);
    const specs = options.zones ?? defaultZones(pages, options.zoneDma ?? true);
    this.zones = specs.map((spec, i) => {
      const marker = pages + i * MARKERS;
      const { pageInfo, journal, rules } = this;
      const lists = new FreeLists(pageInfo, journal, marker, MARKERS, rules.bootMemoryAscending);
      return new Zone(spec, i, pageInfo, this.blocks, rules, lists);
    });
    for (const zone of this.zones) this.freeBootMemory(zone);
    const managed = this.zones.reduce((sum, zone) => sum + zone.managed, 0);
    setupWatermarks(this.zones, options.minFreeKbytes ?? minFreeKbytes(managed));
  }

  /**
   * Allocates 2^order pages that lie together.
   *
   * @returns the first page frame, or null when no zone can give them
   * @throws RangeError unless order is 0 to 10
   */
  allocPages(order: number, options: AllocOptions = {}): number | null {
    checkOrder(order);
    const type = migrateTypeNumber(options.migratetype ?? 'UNMOVABLE');
    const highest = this.highestZone(options.zone);
    const flags = { high: options.atomic, harder: options.atomic };
    for (const mark of ['low', 'min'] as const) {
      const pfn = this.fromFreelists(order, type, highest, mark, flags);
      if (pfn < 0) continue;
      const classNumber = classNumberOf(options.class ?? 'kernel');
      this.pageInfo.setAllocated(pfn, order, type, classNumber, options.owner ?? 0);
      return pfn;
    }
    return null;
  }

  /**
   * Gives a block back.
   *
   * @throws RangeError when no block of this order was allocated there
   */
  freePages(pfn: number, order: number): void {
    checkOrder(order);
    if (!this.pageInfo.isAllocatedHead(pfn) || this.pageInfo.orderOf(pfn) !== order) {
      throw new RangeError(
        `freePages: expected the first page of an allocated block of order ${order}, got pfn ${pfn} (${this.pageInfo.classOf(pfn)}, order ${this.pageInfo.orderOf(pfn)})`,
      );
    }
    this.pageInfo.setFreed(pfn, order);
    this.zoneOf(pfn).freeBlock(pfn, order);
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

  /** @throws RangeError when no zone holds the page */
  zoneOf(pfn: number): Zone {
    for (const zone of this.zones) if (zone.holds(pfn)) return zone;
    throw new RangeError(`pfn: expected one inside a zone, got ${pfn}`);
  }

  /** The text of /proc/buddyinfo. */
  buddyinfo(): string {
    return buddyinfoText(this.zones);
  }

  /** The text of /proc/pagetypeinfo. */
  pagetypeinfo(): string {
    return pagetypeinfoText(this.zones, this.version);
  }

  /** Makes the present state the one that restore() returns to. */
  snapshot(): void {
    this.journal.snapshot();
    this.saved = this.smallState();
    for (const zone of this.zones) zone.free.snapshot();
  }

  /** Returns to the snapshot; may be repeated. Goes with PhysMemory.rollback(). */
  restore(): void {
    if (!this.saved) throw new TypeError('restore: expected a snapshot() before it, got none');
    this.journal.restore();
    for (const zone of this.zones) zone.free.restore();
    this.pageInfo.classPages.set(this.saved.classPages);
    Object.assign(this.counters, this.saved.counters);
    this.zones.forEach((zone, i) => Object.assign(zone, this.saved!.zones[i]));
  }

  private saved: ReturnType<PageAllocator['smallState']> | null = null;

  private smallState() {
    return {
      classPages: this.pageInfo.classPages.slice(),
      counters: { ...this.counters },
      zones: this.zones.map(({ freePages, managed, reservedHighatomic }) => ({
        freePages,
        managed,
        reservedHighatomic,
      })),
    };
  }

  private highestZone(name: string | undefined): number {
    if (name === undefined) {
      const last = this.zones.length - 1;
      return this.zones[last].name === 'HighMem' ? last - 1 : last;
    }
    const index = this.zones.findIndex((zone) => zone.name === name);
    if (index < 0) {
      const names = this.zones.map((zone) => zone.name).join(', ');
      throw new RangeError(`zone: expected one of ${names}, got ${name}`);
    }
    return index;
  }

  /** get_page_from_freelist(): the preferred zone first, then the lower ones. */
  private fromFreelists(
    order: number,
    type: number,
    highest: number,
    mark: 'min' | 'low' | 'high',
    flags: WatermarkFlags,
  ): number {
    const spare = this.rules.noFragment && this.zones[highest].name === 'Normal' && highest > 0;
    for (const noFragment of spare ? [true, false] : [false]) {
      for (let i = highest; i >= 0; i--) {
        const zone = this.zones[i];
        if (zone.managed === 0) continue;
        if (!watermarkOk(zone, order, zone.watermark[mark], highest, flags)) continue;
        const pfn = this.takeFromZone(zone, order, type, noFragment);
        if (pfn >= 0) return pfn;
      }
    }
    return -1;
  }

  /** __rmqueue() */
  private takeFromZone(zone: Zone, order: number, type: number, noFragment: boolean): number {
    const pfn = zone.takeSmallest(order, type);
    if (pfn >= 0 || type >= PCPTYPES) return pfn;
    return takeFromOtherTypes(zone, order, type, this.counters, noFragment);
  }

  /** Puts what the boot left over into the lists: the largest aligned blocks that fit. */
  private freeBootMemory(zone: Zone): void {
    const toTail = this.rules.bootMemoryAscending;
    let pfn = zone.start;
    for (const range of [...this.pageInfo.reserved, { start: zone.end, pages: 0 }]) {
      const end = Math.min(range.start, zone.end);
      while (pfn < end) {
        const largest = 1 << MAX_PAGE_ORDER;
        if (pfn % largest === 0 && pfn + largest <= end) {
          const runEnd = end - (end % largest);
          zone.free.addRun(pfn, runEnd, MOVABLE);
          zone.managed += runEnd - pfn;
          pfn = runEnd;
          continue;
        }
        let order = Math.min(MAX_PAGE_ORDER, pfn === 0 ? MAX_PAGE_ORDER : trailingZeros(pfn));
        while (pfn + (1 << order) > end) order--;
        zone.free.add(pfn, order, MOVABLE, toTail);
        zone.managed += 1 << order;
        pfn += 1 << order;
      }
      pfn = Math.max(pfn, range.start + range.pages);
    }
    zone.freePages = zone.managed;
  }
}

function trailingZeros(n: number): number {
  return 31 - Math.clz32(n & -n);
}

function checkOrder(order: number): void {
  if (!Number.isInteger(order) || order < 0 || order > MAX_PAGE_ORDER) {
    throw new RangeError(`order: expected 0 to ${MAX_PAGE_ORDER}, got ${order}`);
  }
}

/** DMA to 16 MiB, DMA32 to 4 GiB, Normal above; RAM has no hole below 4 GiB in this model. */
export function defaultZones(pages: number, zoneDma = true): ZoneSpec[] {
  const limits: [string, number][] = [
    ['DMA', zoneDma ? 4096 : 0],
    ['DMA32', 1 << 20],
    ['Normal', Infinity],
  ];
  let start = 0;
  const zones: ZoneSpec[] = [];
  for (const [name, limit] of limits) {
    const end = Math.min(limit, pages);
    if (end > start) zones.push({ name, start, end });
    start = Math.max(start, end);
  }
  return zones;
}

/**
 * What a boot keeps for itself: the first MiB, a kernel image of 8 MiB at 16 MiB (at 1 MiB when
 * there is less RAM than 32 MiB), and the mem_map, 64 bytes a page, at the end of RAM. A real image
 * with its initial data is often larger.
 */
export function defaultReserved(pages: number): ReservedRange[] {
  const memMapPages = Math.ceil(pages / 64);
  const imageStart = pages >= 8192 ? 4096 : 256;
  const imagePages = Math.min(2048, Math.max(0, pages - memMapPages - imageStart));
  return [
    {
      start: 0,
      pages: Math.min(256, pages - memMapPages),
      what: 'first MiB: BIOS, real-mode data',
    },
    { start: imageStart, pages: imagePages, what: 'kernel image' },
    { start: pages - memMapPages, pages: memMapPages, what: 'mem_map' },
  ].filter((range) => range.pages > 0);
}
