import { ISOLATE, MOVABLE, PCPTYPES } from './migrate-type';
import { classNumberOf } from './page-info';
import type { Zone } from './zone';

export interface PcpOptions {
  /** Pages that move between the lists and the buddy allocator at once; computed unless given. */
  batch?: number;
  /** Above this many pages the lists give a batch back; computed unless given. */
  high?: number;
}

const PCP = classNumberOf('pcp');

/**
 * The per-CPU page lists of one zone on the machine's one CPU (struct per_cpu_pages): freed pages
 * are handed out again, last in first, without merging.
 *
 * Simplified: sizes follow zone_batchsize() and the old rule high = 6 * batch; kernels since 5.13
 * derive high from the watermark. A batch goes back from the lists in turn, the oldest page first.
 */
export class PerCpuPages {
  readonly batch: number;
  readonly high: number;
  /** Pages in the lists. */
  count = 0;
  private readonly maxOrder: number;
  /** By order and type; the last element is the next to be handed out. */
  private lists: number[][];
  private saved: { count: number; lists: number[][] } | null = null;

  constructor(
    private readonly zone: Zone,
    options: PcpOptions = {},
  ) {
    this.batch = options.batch ?? zoneBatchSize(zone.managed);
    this.high = options.high ?? 6 * this.batch;
    this.maxOrder = zone.rules.pcpMaxOrder;
    this.lists = Array.from({ length: (this.maxOrder + 1) * PCPTYPES }, () => []);
  }

  takes(order: number): boolean {
    return order <= this.maxOrder;
  }

  /**
   * A block from the list, which is filled from the buddy lists first when it is empty.
   *
   * @param refill takes one block from the zone, or answers -1
   */
  take(order: number, type: number, refill: () => number): number {
    const list = this.lists[order * PCPTYPES + type];
    if (list.length === 0) {
      const blocks = this.batch > 1 ? Math.max(this.batch >> order, 2) : 1;
      const fresh: number[] = [];
      for (let i = 0; i < blocks; i++) {
        const pfn = refill();
        if (pfn < 0) break;
        this.zone.info.setAllocated(pfn, order, type, PCP, 0);
        fresh.push(pfn);
      }
      // The first block taken is the first to be handed out.
      for (let i = fresh.length - 1; i >= 0; i--) list.push(fresh[i]);
      this.count += fresh.length << order;
    }
    const pfn = list.pop();
    if (pfn === undefined) return -1;
    this.count -= 1 << order;
    this.zone.info.setFreed(pfn, order);
    return pfn;
  }

  /** Takes a freed block in. */
  give(pfn: number, order: number): void {
    const type = this.zone.blocks.of(pfn);
    if (type === ISOLATE) {
      this.zone.freeBlock(pfn, order);
      return;
    }
    const list = type < PCPTYPES ? type : MOVABLE;
    this.zone.info.setAllocated(pfn, order, list, PCP, 0);
    this.lists[order * PCPTYPES + list].push(pfn);
    this.count += 1 << order;
    if (this.count >= this.high) this.drain(this.batch, order * PCPTYPES + list);
  }

  /** Gives pages back to the buddy lists; all of them unless a number is given. */
  drain(pages: number = this.count, from = 0): void {
    let left = Math.min(pages, this.count);
    for (let i = 0; left > 0 && i < this.lists.length; i++) {
      const index = (from + i) % this.lists.length;
      const order = Math.trunc(index / PCPTYPES);
      const list = this.lists[index];
      const blocks = Math.min(list.length, Math.ceil(left / (1 << order)));
      for (const pfn of list.splice(0, blocks)) {
        this.zone.info.setFreed(pfn, order);
        this.zone.freeBlock(pfn, order);
        this.count -= 1 << order;
        left -= 1 << order;
      }
    }
  }

  snapshot(): void {
    this.saved = { count: this.count, lists: this.lists.map((list) => list.slice()) };
  }

  restore(): void {
    if (!this.saved) throw new TypeError('restore: expected a snapshot() before it, got none');
    this.count = this.saved.count;
    this.lists = this.saved.lists.map((list) => list.slice());
  }
}

/** zone_batchsize(): about 1/1000 of the zone, at most 1 MiB, a quarter of it, one below a power of two. */
export function zoneBatchSize(managedPages: number): number {
  let batch = Math.min(Math.floor(managedPages / 1024), 256);
  batch = Math.max(Math.floor(batch / 4), 1);
  return 2 ** Math.floor(Math.log2(batch + Math.floor(batch / 2))) - 1 || 1;
}
