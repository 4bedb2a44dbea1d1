import { MAX_PAGE_ORDER } from './free-lists';
import { MOVABLE, RESERVE } from './migrate-type';
import type { ReservedRange } from './page-info';
import { PAGEBLOCK_PAGES, type Zone, type ZoneSpec } from './zone';

/** DMA to 16 MiB, DMA32 to 4 GiB, Normal above; RAM has no hole below 4 GiB in this model. */
export function defaultZones(pages: number, zoneDma = true): ZoneSpec[] {
  const limits: [string, number][] = [
    ['DMA', zoneDma ? 4096 : 0],
    ['DMA32', 1 << 20],
    ['Normal', Infinity],
  ];
  let start = 0;
  const zones: ZoneSpec[] = [];
  for (const [name, limit] of limits) {
    const end = Math.min(limit, pages);
    if (end > start) zones.push({ name, start, end });
    start = Math.max(start, end);
  }
  return zones;
}

/**
 * What a boot keeps for itself: the first MiB, a kernel image of 8 MiB at 16 MiB (at 1 MiB when
 * there is less RAM than 32 MiB), and the mem_map, 64 bytes a page, at the end of RAM. A real image
 * with its initial data is often larger.
 */
export function defaultReserved(pages: number): ReservedRange[] {
  const memMapPages = Math.ceil(pages / 64);
  const imageStart = pages >= 8192 ? 4096 : 256;
  const imagePages = Math.min(2048, Math.max(0, pages - memMapPages - imageStart));
  return [
    {
      start: 0,
      pages: Math.min(256, pages - memMapPages),
      what: 'first MiB: BIOS, real-mode data',
    },
    { start: imageStart, pages: imagePages, what: 'kernel image' },
    { start: pages - memMapPages, pages: memMapPages, what: 'mem_map' },
  ].filter((range) => range.pages > 0);
}

/** Puts what the boot left over into a zone's lists: the largest aligned blocks that fit. */
export function freeBootMemory(zone: Zone): void {
  const largest = 1 << MAX_PAGE_ORDER;
  const toTail = zone.rules.bootMemoryAscending;
  let pfn = zone.start;
  for (const range of [...zone.info.reserved, { start: zone.end, pages: 0 }]) {
    const end = Math.min(range.start, zone.end);
    while (pfn < end) {
      if (pfn % largest === 0 && pfn + largest <= end) {
        const runEnd = end - (end % largest);
        zone.free.addRun(pfn, runEnd, MOVABLE);
        zone.managed += runEnd - pfn;
        pfn = runEnd;
        continue;
      }
      let order = pfn === 0 ? MAX_PAGE_ORDER : Math.min(MAX_PAGE_ORDER, trailingZeros(pfn));
      while (pfn + (1 << order) > end) order--;
      zone.free.add(pfn, order, MOVABLE, toTail);
      zone.managed += 1 << order;
      pfn += 1 << order;
    }
    pfn = Math.max(pfn, range.start + range.pages);
  }
  zone.freePages = zone.managed;
}

/**
 * Before 4.4: up to two pageblocks without reserved pages become MIGRATE_RESERVE, enough for the
 * min watermark (setup_zone_migrate_reserve).
 */
export function setupMigrateReserve(zone: Zone): void {
  let left = Math.min(2, Math.ceil(zone.watermark.min / PAGEBLOCK_PAGES));
  const first = Math.ceil(zone.start / PAGEBLOCK_PAGES) * PAGEBLOCK_PAGES;
  for (
    let block = first;
    left > 0 && block + PAGEBLOCK_PAGES <= zone.end;
    block += PAGEBLOCK_PAGES
  ) {
    const touched = zone.info.reserved.some(
      ({ start, pages }) => start < block + PAGEBLOCK_PAGES && block < start + pages,
    );
    if (touched) continue;
    zone.blocks.set(block, RESERVE);
    zone.moveFreePages(block, RESERVE);
    left--;
  }
}

function trailingZeros(n: number): number {
  return 31 - Math.clz32(n & -n);
}
