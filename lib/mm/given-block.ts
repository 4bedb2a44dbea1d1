import { migrateTypeNumber, type MigrateType } from './migrate-type';
import type { PageAllocator } from './page-allocator';
import { classNumberOf, type PageClass } from './page-info';

/**
 * Takes one given block out of the free lists and leaves the others as they are, as take_page_off_buddy()
 * does with a page whose memory is bad (mm/page_alloc.c, since 5.10).
 *
 * @returns false if the block is not free as a whole
 * @throws RangeError when no zone holds the page
 */
export function takeBlock(
  allocator: PageAllocator,
  pfn: number,
  order: number,
  pageClass: PageClass,
): boolean {
  allocator.drainAllPages();
  const zone = allocator.zoneOf(pfn);
  const holding = zone.free.blockHolding(pfn);
  if (!holding || holding.order < order) return false;
  zone.free.materialize(holding.pfn);
  const type = allocator.pageInfo.typeOf(holding.pfn);
  zone.free.remove(holding.pfn, holding.order);
  // break_down_buddy_pages(): the half that the block is not in goes back, again and again.
  let head = holding.pfn;
  for (let half = holding.order - 1; half >= order; half--) {
    const middle = head + (1 << half);
    zone.free.add(pfn < middle ? middle : head, half, type, false);
    if (pfn >= middle) head = middle;
  }
  zone.freePages -= 1 << order;
  const unmovable = migrateTypeNumber('UNMOVABLE');
  allocator.pageInfo.setAllocated(pfn, order, unmovable, classNumberOf(pageClass), 0);
  return true;
}

/**
 * Gives an allocated block, or single pages that make one up, to the head of a free list, so that the next
 * request of its order and of `type` gets it. Its buddy must be in use.
 */
export function freeBlockTo(
  allocator: PageAllocator,
  pfn: number,
  order: number,
  type: MigrateType,
): void {
  allocator.pageInfo.setFreed(pfn, order);
  const zone = allocator.zoneOf(pfn);
  zone.free.add(pfn, order, migrateTypeNumber(type), false);
  zone.freePages += 1 << order;
}
