import { MAX_PAGE_ORDER } from './free-lists';
import { CMA, HIGHATOMIC, PCPTYPES } from './migrate-type';
import type { Zone } from './zone';

/** What a request may disregard when it looks at the watermarks (ALLOC_* in mm/internal.h). */
export interface WatermarkFlags {
  /** ALLOC_HIGH: __GFP_HIGH, half of the mark. */
  readonly high?: boolean;
  /** ALLOC_HARDER: atomic requests and real-time tasks, a quarter less; may use HIGHATOMIC. */
  readonly harder?: boolean;
  /** A movable request may count CMA memory. */
  readonly cma?: boolean;
}

/**
 * __zone_watermark_ok(): is there enough free memory for a request of this order, and, above order
 * 0, a block to serve it?
 *
 * @param mark pages
 * @param highestZone index of the zone that the request would like best
 */
export function watermarkOk(
  zone: Zone,
  order: number,
  mark: number,
  highestZone: number,
  flags: WatermarkFlags = {},
): boolean {
  const { free } = zone;
  let min = mark;
  if (flags.high) min -= Math.trunc(min / 2);
  if (flags.harder) min -= Math.trunc(min / 4);
  let available = zone.freePages - ((1 << order) - 1);
  if (zone.rules.watermarkLooksAtLists && !flags.harder) available -= zone.reservedHighatomic;
  if (available <= min + (zone.lowmemReserve[highestZone] ?? 0)) return false;
  if (order === 0) return true;

  if (!zone.rules.watermarkLooksAtLists) {
    for (let o = 0; o < order; o++) {
      available -= free.nrFree[o] << o;
      min >>= 1;
      if (available <= min) return false;
    }
    return true;
  }
  for (let o = order; o <= MAX_PAGE_ORDER; o++) {
    if (free.nrFree[o] === 0) continue;
    for (let type = 0; type < PCPTYPES; type++) if (!free.isEmpty(o, type)) return true;
    if (flags.cma && !free.isEmpty(o, CMA)) return true;
    if (flags.harder && !free.isEmpty(o, HIGHATOMIC)) return true;
  }
  return false;
}

/** min_free_kbytes as init_per_zone_wmark_min() computes it: 4 * sqrt(low memory in kB), clamped. */
export function minFreeKbytes(managedPages: number): number {
  const computed = Math.floor(Math.sqrt(managedPages * 4 * 16));
  return Math.min(Math.max(computed, 128), 65536);
}

/**
 * Sets min, low and high of every zone, and what each keeps for requests that may go lower. HighMem
 * (32-bit machines) has no part in the reserve of the others.
 *
 * @param minFreeKb sysctl vm.min_free_kbytes; computed from the low memory unless given
 */
export function setupWatermarks(zones: readonly Zone[], minFreeKb?: number): void {
  const isHigh = (zone: Zone) => zone.name === 'HighMem';
  const lowMemory = zones.reduce((sum, zone) => sum + (isHigh(zone) ? 0 : zone.managed), 0);
  const minPages = (minFreeKb ?? minFreeKbytes(lowMemory)) >> 2;
  for (const zone of zones) {
    const { watermark } = zone;
    if (isHigh(zone)) watermark.min = Math.min(Math.max(zone.managed >> 10, 32), 128);
    else if (lowMemory > 0) watermark.min = Math.floor((minPages * zone.managed) / lowMemory);
    const quarter = watermark.min >> 2;
    const step = zone.rules.watermarkScale
      ? Math.max(quarter, Math.floor((zone.managed * 10) / 10000))
      : quarter;
    watermark.low = watermark.min + step;
    watermark.high = watermark.min + (zone.rules.watermarkScale ? 2 * step : watermark.min >> 1);
  }
  // lowmem_reserve: what the zones above it hold, divided by sysctl_lowmem_reserve_ratio.
  zones.forEach((zone, i) => {
    const ratio = zone.name.startsWith('DMA') ? 256 : 32;
    let above = 0;
    zone.lowmemReserve.length = 0;
    for (let j = 0; j < zones.length; j++) {
      if (j > i) above += zones[j].managed;
      zone.lowmemReserve.push(j > i ? Math.floor(above / ratio) : 0);
    }
  });
}
