import {
  alignDown,
  entrySpan,
  hex,
  isCanonical,
  PTRS_PER_TABLE,
  tableIndex,
  type Levels,
  type PageSize,
  type PhysAddr,
  type VirtAddr,
} from './addr';
import { changeBits, leafBits, type MapOptions } from './map-options';
import { listMappings, type AddressRange, type Mapping } from './mappings';
import type { PhysMemory } from './phys-memory';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_PAT,
  _PAGE_PAT_LARGE,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_RW,
  _PAGE_USER,
  entryTarget,
  isLeaf,
  PTE_PFN_MASK,
} from './pte';
import { ptdump, type AddressMarker } from './ptdump';
import { owedFlush, type TlbFlush } from './tlb-flush';

export type { MapOptions, CacheMode } from './map-options';
export type { TlbFlush } from './tlb-flush';

/**
 * Why a mapping could not be changed. 'large-page': a larger leaf is in the way, split it
 * first. 'small-pages': smaller ones are. 'bad-table': an entry on the way points outside RAM.
 */
export type MapError =
  | 'no-memory'
  | 'already-mapped'
  | 'not-mapped'
  | 'large-page'
  | 'small-pages'
  | 'not-mergeable'
  | 'bad-table';

export interface PageTableOptions {
  levels: Levels;
  /** Hands out the page frame of a new table, which is cleared here; null when there is none. */
  allocTable: () => number | null;
  /** Takes back the page frame of a table no longer used. */
  freeTable?: (pfn: number) => void;
  /** Page frame of the first table; a new one is allocated unless given. */
  root?: number;
}

/** Where an address is mapped. */
export interface Lookup {
  /** 1, 2 or 3. */
  level: number;
  raw: bigint;
  /** Physical address of the leaf entry. */
  entryPa: PhysAddr;
  pageSize: PageSize;
}

/** _KERNPG_TABLE: what Linux sets in an entry that points to a table. */
const KERNPG_TABLE = _PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | _PAGE_DIRTY;
const MARKS = _PAGE_ACCESSED | _PAGE_DIRTY;
const SIZES: readonly number[] = [4096, 0x200000, 0x40000000];

/** Where a descent ended: the entry at `level`, and why it went no further. */
interface Place {
  level: number;
  entryPa: PhysAddr;
  raw: bigint;
}

/**
 * Page tables as an operating system keeps them: in simulated memory, written directly.
 * Every change of a present entry returns the TLB flush it owes. What stands in the way is
 * returned as a MapError; a misaligned or non-canonical address throws RangeError.
 */
export class PageTable {
  readonly levels: Levels;
  /** Page frame of the first table. */
  readonly root: number;
  private readonly memory: PhysMemory;
  private readonly allocTable: () => number | null;
  private readonly freeTable: (pfn: number) => void;

  /** @throws RangeError if there is no page for the first table */
  constructor(memory: PhysMemory, options: PageTableOptions) {
    this.memory = memory;
    this.levels = options.levels;
    this.allocTable = options.allocTable;
    this.freeTable = options.freeTable ?? (() => undefined);
    const root = options.root ?? this.newTable();
    if (root === null) throw new RangeError('allocTable: expected a page for the first table');
    this.root = root;
  }

  /** CR3 for these tables. */
  get cr3(): PhysAddr {
    return BigInt(this.root) << 12n;
  }

  /** Maps one page of `size`. Tables that were allocated before memory ran out stay. */
  map(va: VirtAddr, pa: PhysAddr, size: PageSize, options: MapOptions = {}): TlbFlush | MapError {
    const target = this.levelOf(va, size);
    if (pa % BigInt(size) !== 0n || pa < 0n || pa + BigInt(size) > 1n << 52n) {
      throw new RangeError(`pa: expected a multiple of ${hex(BigInt(size), 1)}, got ${hex(pa)}`);
    }
    const bits = leafBits(options, size);
    let place = this.descend(va, target);
    while (place.level > target) {
      if (place.raw & _PAGE_PRESENT) {
        return isLeaf(place.raw, place.level) ? 'already-mapped' : 'bad-table';
      }
      const pfn = this.newTable();
      if (pfn === null) return 'no-memory';
      this.memory.write64(place.entryPa, (BigInt(pfn) << 12n) | KERNPG_TABLE);
      place = this.descend(va, target);
    }
    const freed: number[] = [];
    if (place.raw & _PAGE_PRESENT) {
      if (isLeaf(place.raw, target)) return 'already-mapped';
      if (!this.collectIfEmpty(place.raw, target, freed)) return 'already-mapped';
    }
    if (options.user) this.allowUser(va, target);
    this.memory.write64(place.entryPa, pa | bits);
    for (const pfn of freed) this.freeTable(pfn);
    return owedFlush([]);
  }

  /**
   * Gives every entry of the first table that covers part of `start` to `end` (the last address) a table of
   * the next level, so that copies of the first table never lack one.
   *
   * @throws RangeError if there is no memory for them
   */
  preallocate(start: VirtAddr, end: VirtAddr): void {
    const span = BigInt(entrySpan(this.levels));
    for (let va = start - (start % span); va <= end; va += span) {
      const { level, entryPa, raw } = this.descend(va, this.levels);
      if (level !== this.levels || raw & _PAGE_PRESENT) continue;
      const pfn = this.newTable();
      if (pfn === null)
        throw new RangeError('allocTable: expected a page for each first-level entry');
      this.memory.write64(entryPa, (BigInt(pfn) << 12n) | KERNPG_TABLE);
    }
  }

  /** Takes away one page of `size`. The tables stay, as they do in Linux. */
  unmap(va: VirtAddr, size: PageSize): TlbFlush | MapError {
    const place = this.leafAt(va, size);
    if (typeof place === 'string') return place;
    this.memory.write64(place.entryPa, 0n);
    return this.owed(va, size);
  }

  /** Changes what `changes` names, and nothing else, for one page of `size`. */
  protect(va: VirtAddr, size: PageSize, changes: MapOptions): TlbFlush | MapError {
    const place = this.leafAt(va, size);
    if (typeof place === 'string') return place;
    const raw = changeBits(place.raw, changes, size);
    if (changes.user) this.allowUser(va, place.level);
    if (raw === place.raw) return owedFlush([]);
    this.memory.write64(place.entryPa, raw);
    return this.owed(va, size);
  }

  /** Replaces the large leaf that maps `va` by a table of 512 leaves of the next smaller size. */
  split(va: VirtAddr): TlbFlush | MapError {
    const found = this.lookup(va);
    if (found === null) return 'not-mapped';
    const { level, raw, entryPa, pageSize } = found;
    if (level === 1) return 'small-pages';
    const pfn = this.newTable();
    if (pfn === null) return 'no-memory';
    const first = entryTarget(raw, level);
    const span = BigInt(entrySpan(level - 1));
    let bits = raw & ~(PTE_PFN_MASK & ~_PAGE_PAT_LARGE);
    if (level === 2) {
      bits &= ~(_PAGE_PSE | _PAGE_PAT_LARGE);
      if (raw & _PAGE_PAT_LARGE) bits |= _PAGE_PAT;
    }
    const table = BigInt(pfn) << 12n;
    for (let i = 0n; i < 512n; i++) this.memory.write64(table + 8n * i, (first + i * span) | bits);
    this.memory.write64(entryPa, table | KERNPG_TABLE | (raw & _PAGE_USER));
    return this.owed(alignDown(va, pageSize), pageSize);
  }

  /**
   * Puts the 512 leaves around `va` back into one large leaf, if they are contiguous, aligned
   * and alike but for A and D, which are or-ed. The table goes to `freeTable`.
   */
  merge(va: VirtAddr): TlbFlush | MapError {
    const found = this.lookup(va);
    if (found === null) return 'not-mapped';
    if (found.level === 3) return 'not-mergeable';
    const { level, pageSize } = found;
    const parent = this.descend(va, level + 1);
    const table = entryTarget(parent.raw, level + 1);
    const first = this.memory.read64(table);
    let marks = 0n;
    for (let i = 0n; i < 512n; i++) {
      const raw = this.memory.read64(table + 8n * i);
      if (!isLeaf(raw, level)) return 'not-mergeable';
      if ((raw & ~MARKS) !== (first & ~MARKS) + i * BigInt(pageSize)) return 'not-mergeable';
      marks |= raw & MARKS;
    }
    const size = entrySpan(level + 1) as PageSize;
    const pa = entryTarget(first, level);
    if (!(first & _PAGE_PRESENT) || pa % BigInt(size) !== 0n) return 'not-mergeable';
    let bits = (first & ~(PTE_PFN_MASK & ~_PAGE_PAT_LARGE)) | marks | _PAGE_PSE;
    if (level === 1) bits = (bits & ~_PAGE_PAT_LARGE) | (first & _PAGE_PAT ? _PAGE_PAT_LARGE : 0n);
    this.memory.write64(parent.entryPa, pa | bits);
    this.freeTable(Number(table >> 12n));
    const start = alignDown(va, size);
    return owedFlush([{ start, end: start + BigInt(size), pageSize }]);
  }

  /** The leaf that maps `va`, or null. */
  lookup(va: VirtAddr): Lookup | null {
    if (!isCanonical(va, this.levels)) return null;
    const { level, raw, entryPa } = this.descend(va, 1);
    if (!(raw & _PAGE_PRESENT) || !isLeaf(raw, level)) return null;
    return { level, raw, entryPa, pageSize: entrySpan(level) as PageSize };
  }

  /** All mappings, ascending; neighbours that continue each other with the same bits are one. */
  mappings(range?: AddressRange): Mapping[] {
    return listMappings(this.memory, { cr3: this.cr3, levels: this.levels }, range);
  }

  /** Like /sys/kernel/debug/page_tables/kernel (CONFIG_PTDUMP_DEBUGFS). */
  dump(markers?: readonly AddressMarker[]): string {
    return ptdump(this.memory, { cr3: this.cr3, levels: this.levels }, markers);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `PageTable ${this.levels} levels, root pfn 0x${this.root.toString(16)}`;
  }

  private newTable(): number | null {
    const pfn = this.allocTable();
    if (pfn !== null) this.memory.clearPage(pfn);
    return pfn;
  }

  /** Down towards the entry of `target`; ends above it at a leaf, a hole, or a bad table. */
  private descend(va: VirtAddr, target: number): Place {
    let table = this.cr3;
    for (let level: number = this.levels; ; level--) {
      const entryPa = table + BigInt(8 * tableIndex(va, level));
      const raw = this.memory.read64(entryPa);
      const stop = level === target || !(raw & _PAGE_PRESENT) || isLeaf(raw, level);
      if (stop) return { level, entryPa, raw };
      table = entryTarget(raw, level);
      if (!this.memory.hasPage(Number(table >> 12n))) return { level, entryPa, raw };
    }
  }

  private leafAt(va: VirtAddr, size: PageSize): Place | MapError {
    const target = this.levelOf(va, size);
    const place = this.descend(va, target);
    if (!(place.raw & _PAGE_PRESENT)) return 'not-mapped';
    if (place.level > target) return isLeaf(place.raw, place.level) ? 'large-page' : 'bad-table';
    return isLeaf(place.raw, target) ? place : 'small-pages';
  }

  /** The level of the leaf for `size`, once `va` is known to fit it. */
  private levelOf(va: VirtAddr, size: PageSize): number {
    const level = SIZES.indexOf(size) + 1;
    if (level === 0) throw new RangeError(`size: expected ${SIZES.join(', ')}, got ${size}`);
    if (!isCanonical(va, this.levels) || va % BigInt(size) !== 0n) {
      const kind = `a canonical multiple of ${hex(BigInt(size), 1)}`;
      throw new RangeError(`va: expected ${kind}, got ${hex(va)}`);
    }
    return level;
  }

  /** Whether no page is mapped below this entry; then `freed` gets the tables. */
  private collectIfEmpty(raw: bigint, level: number, freed: number[]): boolean {
    const table = entryTarget(raw, level);
    if (!this.memory.hasPage(Number(table >> 12n))) return false;
    for (let i = 0; i < PTRS_PER_TABLE; i++) {
      const child = this.memory.read64(table + BigInt(8 * i));
      if (!(child & _PAGE_PRESENT)) continue;
      if (isLeaf(child, level - 1)) return false;
      if (!this.collectIfEmpty(child, level - 1, freed)) return false;
    }
    freed.push(Number(table >> 12n));
    return true;
  }

  /** Sets US in the entries above the leaf: the rights of a page are those of all its levels. */
  private allowUser(va: VirtAddr, target: number): void {
    for (let level: number = this.levels; level > target; level--) {
      const { entryPa, raw } = this.descend(va, level);
      this.memory.write64(entryPa, raw | _PAGE_USER);
    }
  }

  private owed(start: VirtAddr, pageSize: PageSize): TlbFlush {
    return owedFlush([{ start, end: start + BigInt(pageSize), pageSize }]);
  }
}
