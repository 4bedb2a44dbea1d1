import type { Journal } from './journal';
import { MIGRATE_TYPES } from './migrate-type';
import type { PageInfo } from './page-info';

/** Largest order, inclusive: 4 MiB blocks. The kernel's MAX_ORDER was 11 before 6.4, exclusive. */
export const MAX_PAGE_ORDER = 10;
export const NR_PAGE_ORDERS = MAX_PAGE_ORDER + 1;

const TYPES = MIGRATE_TYPES.length;
const LISTS = NR_PAGE_ORDERS * TYPES;
const NONE = -1;

/** A run of largest blocks that were never handed out: one list node stands for all of them. */
interface VirginRun {
  start: number;
  end: number;
}

/**
 * The free lists of one zone (struct free_area): doubly linked lists in the typed arrays of
 * PageInfo, one for each order and migrate type.
 *
 * Memory that was free at boot is not linked block by block, which would touch one host page for
 * every 4 MiB simulated. It hangs in its list as a run, behind one marker node, and blocks are cut
 * off the run as they are needed. To a caller the run is the blocks it holds.
 */
export class FreeLists {
  /** Blocks by order, all types. */
  readonly nrFree: Int32Array = new Int32Array(NR_PAGE_ORDERS);
  private readonly counts = new Int32Array(LISTS);
  private readonly heads = new Int32Array(LISTS).fill(NONE);
  private readonly tails = new Int32Array(LISTS).fill(NONE);
  private runs: VirginRun[] = [];
  private saved: { arrays: Int32Array[]; runs: VirginRun[] } | null = null;

  /**
   * @param firstMarker index of the first marker node in `info.next`
   * @param ascending boot memory is handed out from its low end (5.10 and later) or its high end
   */
  constructor(
    private readonly info: PageInfo,
    private readonly journal: Journal,
    private readonly firstMarker: number,
    private readonly maxMarkers: number,
    private readonly ascending: boolean,
  ) {}

  /** Number of free blocks of one order and type. */
  count(order: number, type: number): number {
    return this.counts[order * TYPES + type];
  }

  isEmpty(order: number, type: number): boolean {
    return this.counts[order * TYPES + type] === 0;
  }

  /** Adds a run of largest blocks, all of them free. */
  addRun(start: number, end: number, type: number): void {
    if (this.runs.length === this.maxMarkers) {
      throw new RangeError(`runs: expected at most ${this.maxMarkers}, got one more`);
    }
    const blocks = (end - start) >> MAX_PAGE_ORDER;
    const node = this.firstMarker + this.runs.length;
    this.runs.push({ start, end });
    this.link(MAX_PAGE_ORDER * TYPES + type, node, this.ascending);
    this.counts[MAX_PAGE_ORDER * TYPES + type] += blocks;
    this.nrFree[MAX_PAGE_ORDER] += blocks;
  }

  /** Puts a block at the head of its list, or at the tail, and marks it free. */
  add(pfn: number, order: number, type: number, toTail: boolean): void {
    const list = order * TYPES + type;
    this.info.setFreeBlock(pfn, order, type);
    this.link(list, pfn, toTail);
    this.counts[list]++;
    this.nrFree[order]++;
  }

  /** Takes out a block that is in a list. */
  remove(pfn: number, order: number): void {
    if (this.runAt(pfn)) this.materialize(pfn);
    const list = order * TYPES + this.info.typeOf(pfn);
    this.unlink(list, pfn);
    this.info.clearFreeBlock(pfn);
    this.counts[list]--;
    this.nrFree[order]--;
  }

  /** Takes out the first block of a list: its first page frame, or -1 when the list is empty. */
  takeFirst(order: number, type: number): number {
    const list = order * TYPES + type;
    const node = this.heads[list];
    if (node === NONE) return NONE;
    if (node < this.info.pages) {
      this.unlink(list, node);
      this.info.clearFreeBlock(node);
    }
    this.counts[list]--;
    this.nrFree[order]--;
    return node < this.info.pages ? node : this.cut(list, node);
  }

  /** The order of the free block that starts at the page, or -1. */
  freeOrder(pfn: number): number {
    const order = this.info.freeOrder(pfn);
    if (order >= 0) return order;
    return this.runAt(pfn) ? MAX_PAGE_ORDER : NONE;
  }

  /** Blocks of one list, first to last, by first page frame. */
  *blocks(order: number, type: number): Generator<number> {
    for (let node = this.heads[order * TYPES + type]; node !== NONE; node = this.info.next[node]) {
      if (node < this.info.pages) {
        yield node;
        continue;
      }
      const { start, end } = this.runs[node - this.firstMarker];
      const step = 1 << MAX_PAGE_ORDER;
      if (this.ascending) for (let pfn = start; pfn < end; pfn += step) yield pfn;
      else for (let pfn = end - step; pfn >= start; pfn -= step) yield pfn;
    }
  }

  /** The free block that holds the page, or null. */
  blockHolding(pfn: number): { pfn: number; order: number } | null {
    for (let order = 0; order <= MAX_PAGE_ORDER; order++) {
      const head = pfn & ~((1 << order) - 1);
      const found = this.freeOrder(head);
      if (found >= order) return { pfn: head, order: found };
    }
    return null;
  }

  /** Runs of boot memory that are still whole, for a check that must not visit every block. */
  virginRuns(): readonly { start: number; end: number }[] {
    return this.runs.filter(({ start, end }) => start < end);
  }

  /** Links the run's block that starts at `pfn` (and those cut off before it) one by one. */
  materialize(pfn: number): void {
    const run = this.runAt(pfn);
    if (!run) return;
    const node = this.firstMarker + this.runs.indexOf(run);
    const type = this.typeOfMarker(node);
    const list = MAX_PAGE_ORDER * TYPES + type;
    const step = 1 << MAX_PAGE_ORDER;
    // Cut off from the end that is handed out first, so that the order in the list stays.
    for (;;) {
      const block = this.ascending ? run.start : run.end - step;
      if (this.ascending) run.start += step;
      else run.end -= step;
      this.info.setFreeBlock(block, MAX_PAGE_ORDER, type);
      this.linkBefore(list, block, node);
      if (block === pfn) break;
    }
    if (run.start === run.end) this.unlink(list, node);
  }

  snapshot(): void {
    const { heads, tails, counts, nrFree } = this;
    this.saved = {
      arrays: [heads, tails, counts, nrFree].map((array) => array.slice()),
      runs: this.runs.map((run) => ({ ...run })),
    };
  }

  /** Goes with Journal.restore(), which brings back the links. */
  restore(): void {
    if (!this.saved) throw new TypeError('restore: expected a snapshot() before it, got none');
    const { heads, tails, counts, nrFree } = this;
    [heads, tails, counts, nrFree].forEach((array, i) => array.set(this.saved!.arrays[i]));
    this.runs = this.saved.runs.map((run) => ({ ...run }));
  }

  private runAt(pfn: number): VirginRun | null {
    if (pfn & ((1 << MAX_PAGE_ORDER) - 1)) return null;
    for (const run of this.runs) if (pfn >= run.start && pfn < run.end) return run;
    return null;
  }

  private cut(list: number, node: number): number {
    const run = this.runs[node - this.firstMarker];
    const step = 1 << MAX_PAGE_ORDER;
    const pfn = this.ascending ? run.start : run.end - step;
    if (this.ascending) run.start += step;
    else run.end -= step;
    if (run.start === run.end) this.unlink(list, node);
    return pfn;
  }

  private typeOfMarker(marker: number): number {
    for (let type = 0; type < TYPES; type++) {
      let node = this.heads[MAX_PAGE_ORDER * TYPES + type];
      while (node !== NONE && node !== marker) node = this.info.next[node];
      if (node === marker) return type;
    }
    throw new TypeError('a run of boot memory is in no list');
  }

  private link(list: number, node: number, toTail: boolean): void {
    const { heads, tails, journal } = this;
    const { next, prev } = this.info;
    journal.save(next, node);
    journal.save(prev, node);
    if (toTail) {
      const last = tails[list];
      next[node] = NONE;
      prev[node] = last;
      tails[list] = node;
      if (last === NONE) heads[list] = node;
      else {
        journal.save(next, last);
        next[last] = node;
      }
    } else {
      const first = heads[list];
      next[node] = first;
      prev[node] = NONE;
      heads[list] = node;
      if (first === NONE) tails[list] = node;
      else {
        journal.save(prev, first);
        prev[first] = node;
      }
    }
  }

  private linkBefore(list: number, node: number, before: number): void {
    const { next, prev } = this.info;
    const previous = prev[before];
    if (previous === NONE) {
      this.link(list, node, false);
      return;
    }
    this.journal.save(next, node);
    this.journal.save(prev, node);
    this.journal.save(next, previous);
    this.journal.save(prev, before);
    next[previous] = node;
    prev[node] = previous;
    next[node] = before;
    prev[before] = node;
  }

  private unlink(list: number, node: number): void {
    const { heads, tails, journal } = this;
    const { next, prev } = this.info;
    const after = next[node];
    const before = prev[node];
    if (before === NONE) heads[list] = after;
    else {
      journal.save(next, before);
      next[before] = after;
    }
    if (after === NONE) tails[list] = before;
    else {
      journal.save(prev, after);
      prev[after] = before;
    }
  }
}
