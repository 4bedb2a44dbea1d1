import { MAX_PAGE_ORDER } from './free-lists';
import { MIGRATE_TYPES, migrateTypeNumber, type MigrateType } from './migrate-type';
import type { PageAllocator } from './page-allocator';
import { classNumberOf } from './page-info';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES, type Zone } from './zone';

/** Free blocks of one zone by migrate type, each an array of counts by order. */
export interface RecordedFreeLists {
  readonly zone: string;
  readonly free: Readonly<Partial<Record<MigrateType, readonly number[]>>>;
  /** Pageblocks of each type; what is not named stays as it comes. */
  readonly pageblocks?: Readonly<Partial<Record<MigrateType, number>>>;
}

const KERNEL = classNumberOf('kernel');

/**
 * Brings an allocator's free lists into a recorded state: as many free blocks of each order and type,
 * everything else allocated (class 'kernel', single pages). Where the blocks lay is not recorded; here
 * they lie so that no two of them can merge.
 *
 * @throws RangeError when the blocks do not fit into the zone
 */
export function loadFreeLists(
  allocator: PageAllocator,
  recorded: readonly RecordedFreeLists[],
): void {
  allocator.drainAllPages();
  for (const lists of recorded) {
    const zone = allocator.zones.find(({ name }) => name === lists.zone);
    if (!zone) throw new RangeError(`zone: expected one of the allocator's, got ${lists.zone}`);
    loadZone(zone, lists);
  }
}

/** A free range of 2^order pages in which blocks can be placed. */
interface Slot {
  pfn: number;
  order: number;
  /** Its buddy is a free block of this order: it must not become one as a whole. */
  tainted: boolean;
}

function loadZone(zone: Zone, lists: RecordedFreeLists): void {
  const slots = takeEverything(zone);
  const blockTypes = new Map<number, number>();
  const wanted = MIGRATE_TYPES.flatMap((name) => {
    const type = migrateTypeNumber(name);
    return (lists.free[name] ?? []).map((count, order) => ({ type, order, count }));
  }).sort((a, b) => b.order - a.order);
  // Pages of one pageblock all went to the same type: larger blocks choose first.
  for (const { type, order, count } of wanted) {
    for (let i = 0; i < count; i++) place(zone, slots, blockTypes, order, type);
  }
  for (const { pfn, order } of slots) {
    for (let p = pfn; p < pfn + (1 << order); p++) zone.info.setAllocated(p, 0, 0, KERNEL, 0);
  }
  assignPageblocks(zone, lists, blockTypes);
}

/** Empties all lists; what was in them are the slots. */
function takeEverything(zone: Zone): Slot[] {
  const slots: Slot[] = [];
  for (let order = MAX_PAGE_ORDER; order >= 0; order--) {
    for (let type = 0; type < MIGRATE_TYPES.length; type++) {
      for (let pfn = zone.free.takeFirst(order, type); pfn >= 0;) {
        slots.push({ pfn, order, tainted: false });
        pfn = zone.free.takeFirst(order, type);
      }
    }
  }
  zone.freePages = 0;
  return slots;
}

function place(
  zone: Zone,
  slots: Slot[],
  blockTypes: Map<number, number>,
  order: number,
  type: number,
): void {
  const index = bestSlot(slots, blockTypes, order, type);
  if (index < 0) {
    throw new RangeError(
      `counts: expected free blocks that fit into zone ${zone.name}, got one of order ${order} too many`,
    );
  }
  const [slot] = slots.splice(index, 1);
  const { pfn } = slot;
  if (slot.order === order && order < MAX_PAGE_ORDER) {
    const buddy = slots.find(
      (other) => other.order === order && other.pfn === (pfn ^ (1 << order)),
    );
    if (buddy) buddy.tainted = true;
  }
  for (let half = slot.order - 1; half >= order; half--) {
    slots.push({ pfn: pfn + (1 << half), order: half, tainted: half === order });
  }
  for (let p = pfn; p < pfn + (1 << order); p += PAGEBLOCK_PAGES) {
    blockTypes.set(p >> PAGEBLOCK_ORDER, type);
  }
  zone.free.add(pfn, order, type, true);
  zone.freePages += 1 << order;
}

/** The smallest slot that will do, one in a pageblock of the type rather than one in an unused block. */
function bestSlot(
  slots: readonly Slot[],
  blockTypes: ReadonlyMap<number, number>,
  order: number,
  type: number,
): number {
  let best = -1;
  let bestRank = Infinity;
  slots.forEach((slot, i) => {
    if (slot.order < order || (slot.order === order && slot.tainted)) return;
    const taken = blockTypes.get(slot.pfn >> PAGEBLOCK_ORDER);
    if (taken !== undefined && taken !== type) return;
    const rank = slot.order + (taken === undefined ? MAX_PAGE_ORDER + 1 : 0);
    if (rank >= bestRank) return;
    best = i;
    bestRank = rank;
  });
  return best;
}

/** Pageblocks without a free block take the types that are still missing. */
function assignPageblocks(
  zone: Zone,
  lists: RecordedFreeLists,
  blockTypes: ReadonlyMap<number, number>,
): void {
  const missing = MIGRATE_TYPES.map((name) => lists.pageblocks?.[name] ?? 0);
  for (const type of blockTypes.values()) missing[type]--;
  const first = zone.start >> PAGEBLOCK_ORDER;
  for (let block = first; block << PAGEBLOCK_ORDER < zone.end; block++) {
    let type = blockTypes.get(block);
    if (type === undefined) {
      const next = missing.findIndex((count) => count > 0);
      if (next < 0) continue;
      missing[next]--;
      type = next;
    }
    zone.blocks.set(block << PAGEBLOCK_ORDER, type);
  }
}
