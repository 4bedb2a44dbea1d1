import type { VirtAddr } from '../../x86/addr';
import type { Machine } from '../machine';

/** One shadow byte stands for 8 bytes: 0 all may be used, 1 to 7 only the first so many, the rest none. */
export const KASAN_GRANULE = 8;
export const KASAN_STACK_LEFT = 0xf1;
export const KASAN_STACK_MID = 0xf2;
export const KASAN_STACK_RIGHT = 0xf3;
export const KASAN_FREE_PAGE = 0xff;
export const KASAN_VMALLOC_INVALID = 0xf8;

/** ASAN_RED_ZONE_SIZE of GCC. */
const RED_ZONE = 32;
const MIN_RED_ZONE = 16;

/** The frame of one function as KASAN_STACK lays it out. */
export interface KasanFrame {
  /** Shadow bytes, lowest address first. */
  readonly shadow: Uint8Array;
  /** Offset of each local from the lowest byte. */
  readonly offsets: readonly number[];
  /** Bytes of the locals with their red zones, and without (each rounded up to 8). */
  readonly bytes: number;
  readonly plainBytes: number;
}

/**
 * Lays out the addressable locals of one function between red zones, with the sizes of GCC's
 * asan_var_and_redzone_size(); GCC's own order of the locals is not modelled.
 *
 * @param locals sizes in bytes, lowest address first
 * @throws RangeError unless there is a local, and each is a whole number of bytes above 0
 */
export function kasanFrame(locals: readonly number[]): KasanFrame {
  if (locals.length === 0) throw new RangeError('locals: expected at least one, got none');
  const offsets: number[] = [];
  let at = RED_ZONE;
  for (const size of locals) {
    if (!Number.isSafeInteger(size) || size <= 0)
      throw new RangeError(`locals: expected whole numbers of bytes above 0, got ${size}`);
    offsets.push(at);
    at += roundUp(withRedZone(size), MIN_RED_ZONE);
  }
  const bytes = roundUp(at, RED_ZONE);
  const shadow = new Uint8Array(bytes / KASAN_GRANULE).fill(KASAN_STACK_MID);
  shadow.fill(KASAN_STACK_LEFT, 0, RED_ZONE / KASAN_GRANULE);
  locals.forEach((size, i) => {
    const first = offsets[i] / KASAN_GRANULE;
    const whole = Math.floor(size / KASAN_GRANULE);
    shadow.fill(0, first, first + whole);
    if (size % KASAN_GRANULE > 0) shadow[first + whole] = size % KASAN_GRANULE;
  });
  const last = locals.length - 1;
  const end = Math.ceil((offsets[last] + locals[last]) / KASAN_GRANULE);
  shadow.fill(KASAN_STACK_RIGHT, end);
  const plainBytes = locals.reduce((sum, size) => sum + roundUp(size, 8), 0);
  return { shadow, offsets, bytes, plainBytes };
}

function withRedZone(size: number): number {
  if (size <= 4) return 16;
  if (size <= 16) return 32;
  if (size <= 128) return size + 32;
  if (size <= 512) return size + 64;
  return size + (size <= 4096 ? 128 : 256);
}

const roundUp = (value: number, to: number) => Math.ceil(value / to) * to;

/** The check before one load or store. */
export interface KasanVerdict {
  /** Offset of the first byte that must not be touched; null if all may. */
  readonly bad: number | null;
  /** Its shadow byte. */
  readonly shadow: number;
  /** Shadow bytes loaded. */
  readonly loads: number;
}

/**
 * memory_is_poisoned(): looks up the shadow of `size` bytes at `offset`, before they are accessed. Compiled
 * loads and stores are checked, and memset() and its like; what CALL, PUSH and the CPU itself write is not.
 */
export function kasanCheck(shadow: Uint8Array, offset: number, size: number): KasanVerdict {
  const first = Math.floor(offset / KASAN_GRANULE);
  const last = Math.floor((offset + size - 1) / KASAN_GRANULE);
  for (let granule = first; granule <= last; granule++) {
    const byte = granule >= 0 && granule < shadow.length ? shadow[granule] : 0;
    if (byte === 0) continue;
    const usable = byte < KASAN_GRANULE ? byte : 0;
    const from = Math.max(offset, granule * KASAN_GRANULE + usable);
    const end = Math.min(offset + size, (granule + 1) * KASAN_GRANULE);
    if (from < end) return { bad: from, shadow: byte, loads: granule - first + 1 };
  }
  return { bad: null, shadow: 0, loads: last - first + 1 };
}

/**
 * The shadow of an address outside instrumented frames, as far as the model's books tell: unmapped vmalloc
 * space and free pages are poisoned, everything else is taken to be usable.
 *
 * Not modelled: shadow memory itself, free and padded slab objects, and the red zones in other tasks'
 * frames, for the threads of the model are not compiled with KASAN.
 */
export function kasanShadowOf(m: Machine, address: VirtAddr): number {
  if (m.vmalloc.isVmallocAddr(address)) return m.frameOf(address) ? 0 : KASAN_VMALLOC_INVALID;
  const frame = m.directMap.contains(address) ? m.frameOf(address) : null;
  if (frame === null) return 0;
  const kind = m.pageAllocator.pageInfo.classOf(Number(frame >> 12n));
  return kind === 'free' || kind === 'pcp' ? KASAN_FREE_PAGE : 0;
}

/** The first line of the report for a shadow byte, as far as it is known here. */
export function kasanBugType(shadow: number): string {
  switch (shadow) {
    case KASAN_STACK_LEFT:
    case KASAN_STACK_MID:
    case KASAN_STACK_RIGHT:
      return 'stack-out-of-bounds';
    case KASAN_FREE_PAGE:
      return 'use-after-free';
    case KASAN_VMALLOC_INVALID:
      return 'vmalloc-out-of-bounds';
    default:
      return shadow < KASAN_GRANULE ? 'stack-out-of-bounds' : 'unknown-crash';
  }
}
