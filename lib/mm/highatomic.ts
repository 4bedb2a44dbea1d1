import { MAX_PAGE_ORDER } from './free-lists';
import { CMA, HIGHATOMIC, ISOLATE } from './migrate-type';
import { PAGEBLOCK_PAGES, type Zone } from './zone';

/**
 * reserve_highatomic_pageblock(): after an atomic request of order > 0 its pageblock is kept for
 * such requests, up to about 1 % of the zone (0aaa29a56e4f, 4.4).
 */
export function reserveHighatomic(zone: Zone, pfn: number): void {
  const max = Math.trunc(zone.managed / 100) + PAGEBLOCK_PAGES;
  if (zone.reservedHighatomic >= max) return;
  const type = zone.blocks.of(pfn);
  if (type === HIGHATOMIC || type === ISOLATE || type === CMA) return;
  zone.reservedHighatomic += PAGEBLOCK_PAGES;
  zone.blocks.set(pfn, HIGHATOMIC);
  zone.moveFreePages(pfn, HIGHATOMIC);
}

/**
 * unreserve_highatomic_pageblock(): the last resort before the OOM killer, since 4.10 (29fac03bef72):
 * one reserved pageblock with a free page goes back to ordinary use.
 *
 * @returns whether there was one
 */
export function unreserveHighatomic(zone: Zone, type: number): boolean {
  for (let order = 0; order <= MAX_PAGE_ORDER; order++) {
    if (zone.free.isEmpty(order, HIGHATOMIC)) continue;
    const [pfn] = zone.free.blocks(order, HIGHATOMIC);
    zone.reservedHighatomic = Math.max(0, zone.reservedHighatomic - PAGEBLOCK_PAGES);
    zone.blocks.set(pfn, type);
    return zone.moveFreePages(pfn, type) > 0;
  }
  return false;
}
