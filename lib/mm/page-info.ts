import type { Journal } from './journal';
import { MIGRATE_TYPES, type MigrateType } from './migrate-type';

/** What a page frame is used for. `pcp` is free, but in a per-CPU list. */
export type PageClass =
  | 'free'
  | 'reserved'
  | 'pcp'
  | 'kernel'
  | 'slab'
  | 'stack'
  | 'pagetable'
  | 'anon'
  | 'file'
  | 'vmalloc'
  | 'percpu'
  | 'shmem'
  | 'io';

/** The number of a class is its place here plus 1; 0 is a page that nothing has touched yet. */
export const PAGE_CLASSES: readonly PageClass[] = [
  'free',
  'reserved',
  'pcp',
  'kernel',
  'slab',
  'stack',
  'pagetable',
  'anon',
  'file',
  'vmalloc',
  'percpu',
  'shmem',
  'io',
];

const CLASS_MASK = 0x1f;
const ORDER_SHIFT = 5;
const TYPE_SHIFT = 9;
const HEAD = 1 << 12;
const BUDDY = 1 << 13;

const FREE = 1;
const RESERVED = 2;
const PCP = 3;
/** Room for class numbers in the counters. */
const CLASSES = 16;

/** A run of page frames that the boot left out of the allocator. */
export interface ReservedRange {
  /** First page frame. */
  readonly start: number;
  readonly pages: number;
  /** What lies there, for a reader: 'BIOS area', 'kernel image', 'mem_map'. */
  readonly what: string;
}

/** What is known of one page frame. */
export interface PageDescription {
  readonly pfn: number;
  readonly class: PageClass;
  /** First page of the block it belongs to. */
  readonly head: number;
  readonly order: number;
  /** The type it was allocated as, or of the free list it is in. */
  readonly migratetype: MigrateType;
  /** Who allocated it, a number of the allocator's caller; 0 = nobody. */
  readonly owner: number;
}

/**
 * The mem_map: one record a page frame, packed into typed arrays, kept outside simulated memory. An
 * overrun in this simulation can therefore not damage a struct page; in a real machine it could.
 *
 * Pages that nothing touched are all zero, so that the arrays take resident memory only where the
 * machine is in use.
 */
export class PageInfo {
  readonly pages: number;
  readonly reserved: readonly ReservedRange[];
  /** List links of free blocks, indexed by the block's first page; entries above `pages` are markers. */
  readonly next: Int32Array;
  readonly prev: Int32Array;
  /** Pages in use, by zone and class number. */
  private readonly classPages: Int32Array;
  private savedClassPages: Int32Array | null = null;
  private readonly info: Int32Array;
  private readonly owners: Int32Array;

  /**
   * @param zoneEnds the page frame after the last of each zone, lowest zone first
   * @param markers list nodes besides those of the pages
   */
  constructor(
    pages: number,
    reserved: readonly ReservedRange[],
    private readonly journal: Journal,
    private readonly zoneEnds: readonly number[] = [pages],
    markers = 0,
  ) {
    this.pages = pages;
    this.reserved = [...reserved].sort((a, b) => a.start - b.start);
    this.next = new Int32Array(pages + markers);
    this.prev = new Int32Array(pages + markers);
    this.info = new Int32Array(pages);
    this.owners = new Int32Array(pages);
    this.classPages = new Int32Array(zoneEnds.length * CLASSES);
    for (const { start, pages: count } of this.reserved) {
      this.classPages[this.counterAt(start, RESERVED)] += count;
    }
  }

  /** @throws RangeError when there is no such page frame */
  classOf(pfn: number): PageClass {
    const info = this.info[this.checked(pfn)] & CLASS_MASK;
    if (info !== 0) return PAGE_CLASSES[info - 1];
    return this.isReserved(pfn) ? 'reserved' : 'free';
  }

  /** Order of the block whose first page this is. Meaningless for a page inside a block. */
  orderOf(pfn: number): number {
    return (this.info[this.checked(pfn)] >> ORDER_SHIFT) & 0xf;
  }

  ownerOf(pfn: number): number {
    return this.owners[this.checked(pfn)];
  }

  /** True for a page frame that the boot kept from the allocator. */
  isReserved(pfn: number): boolean {
    for (const range of this.reserved) {
      if (pfn < range.start) return false;
      if (pfn < range.start + range.pages) return true;
    }
    return false;
  }

  /** True when the page is the first of an allocated block (a free block answers false). */
  isAllocatedHead(pfn: number): boolean {
    return (this.info[pfn] & (HEAD | BUDDY)) === HEAD && (this.info[pfn] & CLASS_MASK) !== PCP;
  }

  /** The order of the free block that starts here, or -1 when none does. Virgin blocks answer -1. */
  freeOrder(pfn: number): number {
    const info = this.info[pfn];
    return info & BUDDY ? (info >> ORDER_SHIFT) & 0xf : -1;
  }

  /** Type number of the block that starts here. */
  typeOf(pfn: number): number {
    return (this.info[pfn] >> TYPE_SHIFT) & 7;
  }

  setFreeBlock(pfn: number, order: number, type: number): void {
    this.journal.save(this.info, pfn);
    this.info[pfn] = FREE | (order << ORDER_SHIFT) | (type << TYPE_SHIFT) | HEAD | BUDDY;
  }

  /** The page is no longer the first of a free block; it still counts as free. */
  clearFreeBlock(pfn: number): void {
    this.journal.save(this.info, pfn);
    this.info[pfn] = FREE;
  }

  /** Marks a block as in use. */
  setAllocated(pfn: number, order: number, type: number, classNumber: number, owner: number): void {
    const { info, owners, journal } = this;
    const head = classNumber | (order << ORDER_SHIFT) | (type << TYPE_SHIFT) | HEAD;
    const end = pfn + (1 << order);
    for (let p = pfn; p < end; p++) {
      journal.save(info, p);
      info[p] = classNumber;
      if (owners[p] !== owner) {
        journal.save(owners, p);
        owners[p] = owner;
      }
    }
    info[pfn] = head;
    this.classPages[this.counterAt(pfn, classNumber)] += 1 << order;
  }

  /** Marks the pages of a block as free; the caller then puts the block, or its merger, in a list. */
  setFreed(pfn: number, order: number): void {
    const { info, owners, journal } = this;
    const end = pfn + (1 << order);
    const counters = this.counterAt(pfn, 0);
    for (let p = pfn; p < end; p++) {
      this.classPages[counters + (info[p] & CLASS_MASK)]--;
      journal.save(info, p);
      info[p] = FREE;
      if (owners[p] !== 0) {
        journal.save(owners, p);
        owners[p] = 0;
      }
    }
  }

  /** Gives an allocated page another class or owner: a file page becomes anon, a stack changes hands. */
  retag(pfn: number, pages: number, pageClass: PageClass, owner: number): void {
    const classNumber = classNumberOf(pageClass);
    for (let p = pfn; p < pfn + pages; p++) {
      this.journal.save(this.info, p);
      this.journal.save(this.owners, p);
      this.classPages[this.counterAt(p, this.info[p] & CLASS_MASK)]--;
      this.classPages[this.counterAt(p, classNumber)]++;
      this.info[p] = (this.info[p] & ~CLASS_MASK) | classNumber;
      this.owners[p] = owner;
    }
  }

  /** The list link of a page in use is its owner's: vmalloc chains the pages of an area. */
  linkOf(pfn: number): number {
    return this.next[pfn];
  }

  setLink(pfn: number, to: number): void {
    this.journal.save(this.next, pfn);
    this.next[pfn] = to;
  }

  /** Cuts an allocated block into single pages, as split_page() does. */
  splitAllocated(pfn: number, order: number): void {
    const { info, journal } = this;
    const single = (info[pfn] & (CLASS_MASK | (7 << TYPE_SHIFT))) | HEAD;
    for (let p = pfn; p < pfn + (1 << order); p++) {
      journal.save(info, p);
      info[p] = single;
    }
  }

  /** Pages of a class in use, in one zone or all; not for `free`, which the zones count. */
  pagesOf(pageClass: PageClass, zone?: number): number {
    const classNumber = classNumberOf(pageClass);
    if (zone !== undefined) return this.classPages[zone * CLASSES + classNumber];
    return this.zoneEnds.reduce((sum, _, i) => sum + this.classPages[i * CLASSES + classNumber], 0);
  }

  snapshot(): void {
    this.savedClassPages = this.classPages.slice();
  }

  /** Goes with Journal.restore(), which brings back the rest. */
  restore(): void {
    if (this.savedClassPages) this.classPages.set(this.savedClassPages);
  }

  private counterAt(pfn: number, classNumber: number): number {
    let zone = 0;
    while (pfn >= this.zoneEnds[zone]) zone++;
    return zone * CLASSES + classNumber;
  }

  describe(pfn: number): PageDescription {
    const head = this.headOf(pfn);
    return {
      pfn,
      class: this.classOf(pfn),
      head,
      order: this.orderOf(head),
      migratetype: MIGRATE_TYPES[this.typeOf(head)],
      owner: this.owners[pfn],
    };
  }

  /** First page of the block, free or allocated, that holds the page. */
  headOf(pfn: number): number {
    this.checked(pfn);
    for (let order = 0; order <= 10; order++) {
      const head = pfn & ~((1 << order) - 1);
      const info = this.info[head];
      if (info & HEAD && (info >> ORDER_SHIFT) % 16 >= order) return head;
    }
    return pfn;
  }

  private checked(pfn: number): number {
    if (!Number.isInteger(pfn) || pfn < 0 || pfn >= this.pages) {
      throw new RangeError(`pfn: expected 0 to ${this.pages - 1}, got ${pfn}`);
    }
    return pfn;
  }
}

/** @throws RangeError for an unknown class */
export function classNumberOf(pageClass: PageClass): number {
  const index = PAGE_CLASSES.indexOf(pageClass);
  if (index < 0) {
    throw new RangeError(`class: expected ${PAGE_CLASSES.join(', ')}, got ${String(pageClass)}`);
  }
  return index + 1;
}
