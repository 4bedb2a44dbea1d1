import type { FreeLists } from './free-lists';
import { MAX_PAGE_ORDER } from './free-lists';
import type { Journal } from './journal';
import { ISOLATE, MIGRATE_TYPES } from './migrate-type';
import type { PageInfo } from './page-info';
import type { AllocatorRules } from './allocator-rules';

/** log2 of the pages of a pageblock: 2 MiB, as with CONFIG_HUGETLB_PAGE. */
export const PAGEBLOCK_ORDER = 9;
export const PAGEBLOCK_PAGES = 1 << PAGEBLOCK_ORDER;

export interface ZoneSpec {
  /** 'DMA', 'DMA32', 'Normal', 'HighMem' as in /proc/buddyinfo. */
  readonly name: string;
  /** First page frame and the one after the last. */
  readonly start: number;
  readonly end: number;
}

/** Pages; a request that would leave no more than the mark does not pass. */
export interface Watermarks {
  min: number;
  low: number;
  high: number;
}

/** The migrate type of every pageblock of a machine, one byte each. */
export class PageblockTypes {
  private readonly types: Uint8Array;

  constructor(
    pages: number,
    initial: number,
    private readonly journal: Journal,
  ) {
    this.types = new Uint8Array(Math.ceil(pages / PAGEBLOCK_PAGES)).fill(initial);
  }

  of(pfn: number): number {
    return this.types[pfn >> PAGEBLOCK_ORDER];
  }

  set(pfn: number, type: number): void {
    const block = pfn >> PAGEBLOCK_ORDER;
    this.journal.save(this.types, block);
    this.types[block] = type;
  }
}

/** One zone: its free lists and the buddy algorithm on them (mm/page_alloc.c). */
export class Zone {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly free: FreeLists;
  readonly watermark: Watermarks = { min: 0, low: 0, high: 0 };
  /** Pages above `min` that a request which prefers zone i must leave here. */
  readonly lowmemReserve: number[] = [];
  /** Pages in the range, without holes: the model has none. */
  readonly present: number;
  /** Pages that the boot gave to the allocator. */
  managed = 0;
  /** Pages in the buddy lists. */
  freePages = 0;
  /** Pages in pageblocks of type HIGHATOMIC. */
  reservedHighatomic = 0;
  private saved: { freePages: number; managed: number; reservedHighatomic: number } | null = null;

  constructor(
    spec: ZoneSpec,
    readonly index: number,
    readonly info: PageInfo,
    readonly blocks: PageblockTypes,
    readonly rules: AllocatorRules,
    lists: FreeLists,
  ) {
    this.name = spec.name;
    this.start = spec.start;
    this.end = spec.end;
    this.present = spec.end - spec.start;
    this.free = lists;
  }

  /** Takes the smallest block of one type that will do and cuts it down; -1 when there is none. */
  takeSmallest(order: number, type: number): number {
    const { free } = this;
    for (let current = order; current <= MAX_PAGE_ORDER; current++) {
      if (free.isEmpty(current, type)) continue;
      const pfn = free.takeFirst(current, type);
      this.expand(pfn, order, current, type);
      this.freePages -= 1 << order;
      return pfn;
    }
    return -1;
  }

  /** Halves a block down to `low`: the lower half stays, the upper halves go to their lists. */
  expand(pfn: number, low: number, high: number, type: number): void {
    for (let order = high - 1; order >= low; order--) {
      this.free.add(pfn + (1 << order), order, type, false);
    }
  }

  /**
   * Gives a block back: merges it with its buddy as long as that is free and of the same order.
   *
   * @param type list the block goes to; by default that of its pageblock
   */
  freeBlock(pfn: number, order: number, type: number = this.blocks.of(pfn)): void {
    const { free } = this;
    this.freePages += 1 << order;
    let block = pfn;
    let current = order;
    while (current < MAX_PAGE_ORDER) {
      const buddy = block ^ (1 << current);
      if (!this.holds(buddy) || free.freeOrder(buddy) !== current) break;
      if (current >= PAGEBLOCK_ORDER && !this.mayMerge(block, buddy)) break;
      free.remove(buddy, current);
      block &= buddy;
      current++;
    }
    free.add(block, current, type, this.likelyToMerge(block, current));
  }

  /** Moves every free block inside a pageblock to the lists of a type; answers the pages moved. */
  moveFreePages(pfn: number, type: number): number {
    const first = pfn & ~(PAGEBLOCK_PAGES - 1);
    const start = Math.max(first, this.start);
    const end = Math.min(first + PAGEBLOCK_PAGES, this.end);
    let moved = 0;
    for (let p = start; p < end;) {
      const order = this.free.freeOrder(p);
      if (order < 0) {
        p++;
        continue;
      }
      this.free.remove(p, order);
      this.free.add(p, order, type, this.rules.moveToTail);
      moved += 1 << order;
      p += 1 << order;
    }
    return moved;
  }

  /** Pages in the free blocks that begin inside a pageblock. */
  freePagesIn(pfn: number): number {
    const first = pfn & ~(PAGEBLOCK_PAGES - 1);
    let free = 0;
    for (let p = Math.max(first, this.start); p < Math.min(first + PAGEBLOCK_PAGES, this.end);) {
      const order = this.free.freeOrder(p);
      if (order >= 0) free += 1 << order;
      p += order >= 0 ? 1 << order : 1;
    }
    return free;
  }

  /** Pageblocks of each type, in the order of MIGRATE_TYPES. A block that reaches out is counted. */
  pageblockCounts(): number[] {
    const counts = MIGRATE_TYPES.map(() => 0);
    for (let pfn = this.start; pfn < this.end; pfn += PAGEBLOCK_PAGES)
      counts[this.blocks.of(pfn)]++;
    return counts;
  }

  snapshot(): void {
    const { freePages, managed, reservedHighatomic } = this;
    this.saved = { freePages, managed, reservedHighatomic };
    this.free.snapshot();
  }

  restore(): void {
    Object.assign(this, this.saved);
    this.free.restore();
  }

  holds(pfn: number): boolean {
    return pfn >= this.start && pfn < this.end;
  }

  private mayMerge(pfn: number, buddy: number): boolean {
    const one = this.blocks.of(pfn);
    const other = this.blocks.of(buddy);
    return one === other || (one !== ISOLATE && other !== ISOLATE);
  }

  /** buddy_merge_likely(): the buddy one order up is free as well, so keep this block at hand for last. */
  private likelyToMerge(pfn: number, order: number): boolean {
    if (!this.rules.tailOnLikelyMerge || order >= MAX_PAGE_ORDER - 1) return false;
    const parent = pfn & ~(1 << order);
    const parentBuddy = parent ^ (1 << (order + 1));
    return this.holds(parentBuddy) && this.free.freeOrder(parentBuddy) === order + 1;
  }
}
