import { MAX_PAGE_ORDER } from './free-lists';
import { FALLBACKS, HIGHATOMIC, MOVABLE, RECLAIMABLE, UNMOVABLE } from './migrate-type';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES, type Zone } from './zone';

/** Counts what fallbacks did: they are where fragmentation comes from. */
export interface FallbackCounters {
  /** Requests served from another type's blocks. */
  fallbacks: number;
  /** Pageblocks whose type changed. */
  claimedPageblocks: number;
}

/**
 * __rmqueue_fallback(): serves a request from the lists of another migrate type, the largest block
 * first, and claims the whole pageblock when enough of it is free.
 *
 * @param noFragment only whole pageblocks may be taken (ALLOC_NOFRAGMENT)
 * @returns first page frame, or -1
 */
export function takeFromOtherTypes(
  zone: Zone,
  order: number,
  type: number,
  counters: FallbackCounters,
  noFragment = false,
): number {
  const lowest = noFragment && order < PAGEBLOCK_ORDER ? PAGEBLOCK_ORDER : order;
  const found = largestForeignBlock(zone, lowest, order, type);
  if (!found) return -1;
  counters.fallbacks++;
  const pfn = zone.free.takeFirst(found.order, found.type);
  const restType = claim(zone, pfn, found, type, counters);
  if (restType !== type || zone.rules.fallback === '2.6.32' || zone.rules.fallback === '4.0') {
    zone.expand(pfn, order, found.order, restType);
    zone.freePages -= 1 << order;
    return pfn;
  }
  // Since 4.12 the stolen block joins the list of its new type and the search starts anew there.
  zone.free.add(pfn, found.order, type, zone.rules.moveToTail);
  return zone.takeSmallest(order, type);
}

interface Found {
  order: number;
  type: number;
  whole: boolean;
}

function largestForeignBlock(
  zone: Zone,
  lowest: number,
  order: number,
  type: number,
): Found | null {
  for (let current = MAX_PAGE_ORDER; current >= lowest; current--) {
    const from = foreignType(zone, current, type);
    if (from < 0) continue;
    const whole = maySteal(zone, current, type);
    if (since412(zone) && !whole && type === MOVABLE && current > order) {
      return smallestForeignBlock(zone, order, type);
    }
    return { order: current, type: from, whole };
  }
  return null;
}

/** The pageblock cannot be had as a whole, so splitting a small block does less harm. */
function smallestForeignBlock(zone: Zone, order: number, type: number): Found | null {
  for (let current = order; current <= MAX_PAGE_ORDER; current++) {
    const from = foreignType(zone, current, type);
    if (from >= 0) return { order: current, type: from, whole: maySteal(zone, current, type) };
  }
  return null;
}

function foreignType(zone: Zone, order: number, type: number): number {
  for (const from of FALLBACKS[type]) if (!zone.free.isEmpty(order, from)) return from;
  return -1;
}

/** can_steal_fallback(): may the free pages around the block change type with it? */
function maySteal(zone: Zone, order: number, type: number): boolean {
  if (order >= PAGEBLOCK_ORDER >> 1 || type === RECLAIMABLE) return true;
  return type === UNMOVABLE && zone.rules.fallback !== '2.6.32';
}

function since412(zone: Zone): boolean {
  return zone.rules.fallback === '4.12' || zone.rules.fallback === '6.10';
}

/**
 * steal_suitable_fallback(), with the block already off its list: changes the type of the free pages
 * around it, and of the pageblock when at least half of it is free or compatible.
 *
 * @returns the type for what is left of the block after the request is cut from it
 */
function claim(
  zone: Zone,
  pfn: number,
  found: Found,
  type: number,
  counters: FallbackCounters,
): number {
  const { blocks, rules } = zone;
  const oldType = blocks.of(pfn);
  const unclaimed = rules.fallback === '2.6.32' || rules.fallback === '6.10' ? found.type : type;
  if (oldType === HIGHATOMIC) return unclaimed;
  if (found.order >= PAGEBLOCK_ORDER) {
    for (let p = pfn; p < pfn + (1 << found.order); p += PAGEBLOCK_PAGES) blocks.set(p, type);
    counters.claimedPageblocks += 1 << (found.order - PAGEBLOCK_ORDER);
    return type;
  }
  if (!found.whole) return unclaimed;
  // Up to 6.9 the free pages around it change lists even when the pageblock is not claimed.
  const keep = rules.fallback === '6.10';
  const around = keep ? zone.freePagesIn(pfn) : zone.moveFreePages(pfn, type);
  const free = around + (1 << found.order);
  if (free + alikePages(zone, pfn, found.order, oldType, type, free) >= PAGEBLOCK_PAGES >> 1) {
    if (keep) zone.moveFreePages(pfn, type);
    blocks.set(pfn, type);
    counters.claimedPageblocks++;
    return type;
  }
  return unclaimed;
}

/** Since 4.12: pages in use that suit the new type count towards the half. */
function alikePages(
  zone: Zone,
  pfn: number,
  order: number,
  oldType: number,
  type: number,
  free: number,
): number {
  if (!since412(zone)) return 0;
  const movable = movablePages(zone, pfn, order);
  if (type === MOVABLE) return movable;
  return oldType === MOVABLE ? PAGEBLOCK_PAGES - (free + movable) : 0;
}

/** Pages of movable allocations in the pageblock (PageLRU or movable in the kernel). */
function movablePages(zone: Zone, pfn: number, takenOrder: number): number {
  const first = pfn & ~(PAGEBLOCK_PAGES - 1);
  const end = Math.min(first + PAGEBLOCK_PAGES, zone.end);
  let movable = 0;
  for (let p = Math.max(first, zone.start); p < end;) {
    if (p === pfn) {
      p += 1 << takenOrder;
      continue;
    }
    const free = zone.free.freeOrder(p);
    if (free >= 0) {
      p += 1 << free;
      continue;
    }
    if (zone.info.isAllocatedHead(p)) {
      const order = zone.info.orderOf(p);
      if (zone.info.typeOf(p) === MOVABLE) movable += 1 << order;
      p += 1 << order;
      continue;
    }
    p++;
  }
  return movable;
}
