import { MAX_PAGE_ORDER } from './free-lists';
import { sinceVersion } from './kernel-version';

/** Objects in one slab at most (the kernel counts them in 15 bits). */
const MAX_OBJS_PER_PAGE = 32767;
/** slub_max_order: PAGE_ALLOC_COSTLY_ORDER. */
const SLUB_MAX_ORDER = 3;
const CACHE_LINE = 64;
const WORD = 8;

export interface SlabLayoutOptions {
  /** Size of an object as its user knows it, bytes. */
  size: number;
  /** Alignment, a power of two; 8 unless given. */
  align?: number;
  /** SLAB_HWCACHE_ALIGN: aligned to the cache line, or to a part of it for small objects. */
  hwcacheAlign?: boolean;
  /** A constructor: the free pointer must not lie inside the object. */
  ctor?: boolean;
  version: string;
  /** Possible CPUs, which raise the objects wanted per slab. 1 unless given. */
  cpus?: number;
}

/** How objects lie in a slab. */
export interface SlabLayout {
  /** Bytes from one object to the next. */
  readonly size: number;
  readonly objectSize: number;
  /** Where in a free object the pointer to the next one is. */
  readonly offset: number;
  readonly order: number;
  readonly objectsPerSlab: number;
}

/** calculate_sizes() and calculate_order() of mm/slub.c, without debugging. */
export function slabLayout(options: SlabLayoutOptions): SlabLayout {
  const { size: objectSize, version } = options;
  if (!Number.isInteger(objectSize) || objectSize < WORD) {
    throw new RangeError(`size: expected a whole number of bytes from ${WORD}, got ${objectSize}`);
  }
  const align = alignment(options);
  let size = alignUp(objectSize, WORD);
  let offset: number;
  if (options.ctor) {
    offset = size;
    size += WORD;
  } else {
    // To the middle of the object, away from its ends, since 5.7 (3202fa62fb43).
    offset = sinceVersion(version, '5.7') ? alignDown(objectSize / 2, WORD) : 0;
  }
  size = alignUp(size, align);
  const order = calculateOrder(size, version, options.cpus ?? 1);
  return { size, objectSize, offset, order, objectsPerSlab: orderObjects(order, size) };
}

function alignment({ size, align = WORD, hwcacheAlign }: SlabLayoutOptions): number {
  if (!Number.isInteger(Math.log2(align))) {
    throw new RangeError(`align: expected a power of two, got ${align}`);
  }
  let line = 1;
  if (hwcacheAlign) {
    line = CACHE_LINE;
    while (size <= line / 2) line /= 2;
  }
  return Math.max(align, line, WORD);
}

/** The smallest order that holds enough objects and wastes little. */
function calculateOrder(size: number, version: string, cpus: number): number {
  const fls = 32 - Math.clz32(cpus);
  const most = orderObjects(SLUB_MAX_ORDER, size);
  const wanted = Math.min(4 * (fls + 1), most);
  if (sinceVersion(version, '6.7')) {
    const least = getOrder(Math.max(wanted, 1) * size);
    if (orderObjects(least, size) > MAX_OBJS_PER_PAGE)
      return getOrder(size * MAX_OBJS_PER_PAGE) - 1;
    for (let fraction = 16; fraction > 1; fraction >>= 1) {
      const order = slabOrder(size, least, fraction);
      if (order <= SLUB_MAX_ORDER) return order;
    }
  } else {
    for (let objects = wanted; objects > 1; objects--) {
      for (let fraction = 16; fraction >= 4; fraction >>= 1) {
        const order = slabOrder(size, getOrder(objects * size), fraction);
        if (order <= SLUB_MAX_ORDER) return order;
      }
    }
  }
  const single = getOrder(size);
  if (single <= MAX_PAGE_ORDER) return single;
  throw new RangeError(`size: expected an object of at most 4 MiB, got ${size} bytes`);
}

/** The first order from `least` on that leaves at most 1/fraction of a slab unused. */
function slabOrder(size: number, least: number, fraction: number): number {
  for (let order = least; order <= SLUB_MAX_ORDER; order++) {
    const slab = 4096 << order;
    if (slab % size <= Math.trunc(slab / fraction)) return order;
  }
  return SLUB_MAX_ORDER + 1;
}

function orderObjects(order: number, size: number): number {
  return Math.trunc((4096 << order) / size);
}

function getOrder(bytes: number): number {
  return Math.max(0, Math.ceil(Math.log2(bytes / 4096)));
}

function alignUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

function alignDown(n: number, to: number): number {
  return Math.floor(n / to) * to;
}
