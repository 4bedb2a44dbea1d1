import { MAX_PAGE_ORDER, NR_PAGE_ORDERS } from './free-lists';
import { ISOLATE, MIGRATE_TYPES } from './migrate-type';
import type { PageAllocator } from './page-allocator';
import type { Zone } from './zone';

/**
 * Checks the invariants of the page allocator: free + allocated = managed, every free block in the
 * list of its order and type, no two blocks overlap, no two buddies of one order both free.
 *
 * @throws Error that names the first broken one
 */
export function checkAllocator(allocator: PageAllocator): void {
  for (const zone of allocator.zones) checkZone(allocator, zone);
}

function checkZone(allocator: PageAllocator, zone: Zone): void {
  const { pageInfo } = allocator;
  const fail = (what: string) => {
    throw new Error(`zone ${zone.name}: ${what}`);
  };
  const free = new Map<number, number>();
  let freePages = 0;
  for (let order = 0; order < NR_PAGE_ORDERS; order++) {
    let blocks = 0;
    for (let type = 0; type < MIGRATE_TYPES.length; type++) {
      let listed = 0;
      for (const pfn of zone.free.blocks(order, type)) {
        listed++;
        if (pfn & ((1 << order) - 1)) fail(`free block ${pfn} is not aligned to order ${order}`);
        if (!zone.holds(pfn) || pfn + (1 << order) > zone.end)
          fail(`free block ${pfn} reaches out`);
        if (zone.free.freeOrder(pfn) !== order)
          fail(`free block ${pfn} does not say order ${order}`);
        if (free.has(pfn)) fail(`page ${pfn} is in two free lists`);
        free.set(pfn, order);
      }
      if (listed !== zone.free.count(order, type)) {
        fail(
          `order ${order} ${MIGRATE_TYPES[type]}: ${listed} listed, counted ${zone.free.count(order, type)}`,
        );
      }
      blocks += listed;
    }
    if (blocks !== zone.free.nrFree[order]) fail(`order ${order}: nr_free is not ${blocks}`);
    freePages += blocks << order;
  }
  if (freePages !== zone.freePages) fail(`${freePages} pages listed, counted ${zone.freePages}`);
  for (const [pfn, order] of free) {
    if (order === MAX_PAGE_ORDER || free.get(pfn ^ (1 << order)) !== order) continue;
    const types = [allocator.blocks.of(pfn), allocator.blocks.of(pfn ^ (1 << order))];
    if (types[0] === types[1] || !types.includes(ISOLATE)) {
      fail(`buddies ${pfn} and ${pfn ^ (1 << order)} of order ${order} are both free`);
    }
  }

  let managed = 0;
  for (let pfn = zone.start; pfn < zone.end;) {
    const order = free.get(pfn);
    if (order !== undefined) {
      for (let p = pfn + 1; order < MAX_PAGE_ORDER && p < pfn + (1 << order); p++) {
        if (free.has(p) || pageInfo.isAllocatedHead(p))
          fail(`block at ${p} lies inside a free one`);
        if (pageInfo.classOf(p) !== 'free') fail(`page ${p} inside a free block is not free`);
      }
      managed += 1 << order;
      pfn += 1 << order;
    } else if (pageInfo.isAllocatedHead(pfn) || pageInfo.classOf(pfn) === 'pcp') {
      const size = 1 << pageInfo.orderOf(pfn);
      for (let p = pfn + 1; p < pfn + size; p++) {
        if (free.has(p)) fail(`free block ${p} lies inside an allocated one`);
        if (pageInfo.classOf(p) !== pageInfo.classOf(pfn))
          fail(`page ${p} is not of its block's class`);
      }
      managed += size;
      pfn += size;
    } else {
      if (!pageInfo.isReserved(pfn)) fail(`page ${pfn} is neither free nor allocated`);
      pfn++;
    }
  }
  if (managed !== zone.managed) fail(`${managed} pages free or allocated of ${zone.managed}`);
}
