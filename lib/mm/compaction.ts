import type { PhysMemory } from '../x86/phys-memory';
import { MAX_PAGE_ORDER } from './free-lists';
import { CMA, FALLBACKS, MOVABLE } from './migrate-type';
import { classNumberOf, type PageClass } from './page-info';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES, type Zone } from './zone';

/** A page that compaction moved: its owner has to point its mapping at the new frame. */
export interface PageMove {
  readonly from: number;
  readonly to: number;
  readonly class: PageClass;
  readonly owner: number;
}

export interface CompactionReport {
  readonly moved: readonly PageMove[];
  /** Pages looked at by the two scanners: compact_migrate_scanned, compact_free_scanned. */
  readonly migrateScanned: number;
  readonly freeScanned: number;
  /** A block of the wanted order is there now; false when none was wanted. */
  readonly success: boolean;
}

/** Pages that are moved before the result is looked at (COMPACT_CLUSTER_MAX). */
const CLUSTER = 32;

/**
 * compact_zone(): one scanner goes up and collects movable pages, another comes down from the end of
 * the zone and collects free ones; pages are moved from the first to the second until a block of the
 * order is free or the scanners meet. The bytes really move.
 *
 * Simplified: both scanners always start at the ends of the zone, only single pages are moved, and
 * nothing is pinned.
 *
 * @param order -1: until the scanners meet, as /proc/sys/vm/compact_memory does
 * @param sync also empties pageblocks that are not of type MOVABLE (the later, synchronous passes)
 */
export function compactZone(
  zone: Zone,
  memory: PhysMemory,
  order: number,
  type: number,
  onMove: (move: PageMove) => void,
  sync = true,
): CompactionReport {
  const moved: PageMove[] = [];
  const scanned = { migrate: 0, free: 0 };
  const targets = new FreePages(zone, scanned);
  const success = () => order >= 0 && hasBlock(zone, order, type);
  const first = zone.start - (zone.start % PAGEBLOCK_PAGES);
  let sinceCheck = 0;
  for (let block = first; block < targets.scannedDownTo && !success(); block += PAGEBLOCK_PAGES) {
    const blockType = zone.blocks.of(block);
    if (!sync && blockType !== MOVABLE && blockType !== CMA) continue;
    const end = Math.min(block + PAGEBLOCK_PAGES, targets.scannedDownTo);
    for (let pfn = Math.max(block, zone.start); pfn < end;) {
      const free = zone.free.freeOrder(pfn);
      const step = free >= 0 ? 1 << free : allocatedPages(zone, pfn);
      scanned.migrate += step;
      if (free < 0 && isMovable(zone, pfn)) {
        const to = targets.take(block + PAGEBLOCK_PAGES);
        if (to < 0) break;
        const move = movePage(zone, memory, pfn, to);
        moved.push(move);
        onMove(move);
        if (++sinceCheck === CLUSTER) {
          sinceCheck = 0;
          if (success()) break;
        }
      }
      pfn += step;
    }
  }
  targets.release();
  return {
    moved,
    migrateScanned: scanned.migrate,
    freeScanned: scanned.free,
    success: success(),
  };
}

function allocatedPages(zone: Zone, pfn: number): number {
  return zone.info.isAllocatedHead(pfn) ? 1 << zone.info.orderOf(pfn) : 1;
}

function isMovable(zone: Zone, pfn: number): boolean {
  const { info } = zone;
  return info.isAllocatedHead(pfn) && info.orderOf(pfn) === 0 && info.typeOf(pfn) === MOVABLE;
}

function movePage(zone: Zone, memory: PhysMemory, from: number, to: number): PageMove {
  const { info } = zone;
  const move = { from, to, class: info.classOf(from), owner: info.ownerOf(from) };
  memory.writeBytes(BigInt(to) << 12n, memory.readBytes(BigInt(from) << 12n, 4096));
  info.setAllocated(to, 0, MOVABLE, classNumberOf(move.class), move.owner);
  info.setFreed(from, 0);
  zone.freeBlock(from, 0);
  return move;
}

/** compact_finished(): a block is there, or one that a fallback would take. */
function hasBlock(zone: Zone, order: number, type: number): boolean {
  for (let o = order; o <= MAX_PAGE_ORDER; o++) {
    if (!zone.free.isEmpty(o, type)) return true;
    for (const other of FALLBACKS[type]) if (!zone.free.isEmpty(o, other)) return true;
  }
  return false;
}

/** isolate_freepages(): free pages from MOVABLE pageblocks, from the end of the zone down. */
class FreePages {
  /** The free scanner has seen everything from here on. */
  scannedDownTo: number;
  private readonly isolated: number[] = [];

  constructor(
    private readonly zone: Zone,
    private readonly scanned: { free: number },
  ) {
    this.scannedDownTo = zone.end;
  }

  /** The next free page at or above `floor`, or -1 when the scanners met. */
  take(floor: number): number {
    while (this.isolated.length === 0) {
      const block = (this.scannedDownTo - 1) & ~(PAGEBLOCK_PAGES - 1);
      if (block < floor || block < this.zone.start) return -1;
      this.isolateBlock(block);
      this.scannedDownTo = block;
    }
    return this.isolated.shift() ?? -1;
  }

  /** What was collected and not used goes back to the lists. */
  release(): void {
    for (const pfn of this.isolated) this.zone.freeBlock(pfn, 0);
  }

  private isolateBlock(block: number): void {
    const { zone } = this;
    const end = Math.min(block + PAGEBLOCK_PAGES, this.scannedDownTo);
    const blockType = zone.blocks.of(block);
    if (blockType !== MOVABLE && blockType !== CMA) return;
    // A block that is free as a whole needs no compaction; it stays a large block.
    const whole = zone.free.blockHolding(block);
    if (whole && whole.order >= PAGEBLOCK_ORDER) return;
    for (let pfn = block; pfn < end;) {
      const order = zone.free.freeOrder(pfn);
      if (order < 0) {
        this.scanned.free++;
        pfn++;
        continue;
      }
      zone.free.remove(pfn, order);
      zone.freePages -= 1 << order;
      this.scanned.free += 1 << order;
      for (let p = pfn; p < pfn + (1 << order); p++) this.isolated.push(p);
      pfn += 1 << order;
    }
  }
}

/**
 * fragmentation_index(): would a request fail for lack of memory (towards 0) or because free memory
 * lies scattered (towards 1)? −1 when a block is there. As in /sys/kernel/debug/extfrag/extfrag_index.
 */
export function fragmentationIndex(zone: Zone, order: number): number {
  const { nrFree } = zone.free;
  let blocks = 0;
  let suitable = 0;
  for (let o = 0; o <= MAX_PAGE_ORDER; o++) {
    blocks += nrFree[o];
    if (o >= order) suitable += nrFree[o] << (o - order);
  }
  if (blocks === 0) return 0;
  if (suitable > 0) return -1;
  const requested = 1 << order;
  const scaled = Math.trunc((zone.freePages * 1000) / requested);
  return (1000 - Math.trunc((1000 + scaled) / blocks)) / 1000;
}

/** The part of the free memory that a request of this order cannot use (unusable_index), 0 to 1. */
export function unusableFreeIndex(zone: Zone, order: number): number {
  if (zone.freePages === 0) return 1;
  let usable = 0;
  for (let o = order; o <= MAX_PAGE_ORDER; o++) usable += zone.free.nrFree[o] << o;
  return Math.trunc(((zone.freePages - usable) * 1000) / zone.freePages) / 1000;
}
