import type { PageSize } from './addr';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_GLOBAL,
  _PAGE_NX,
  _PAGE_PAT,
  _PAGE_PAT_LARGE,
  _PAGE_PCD,
  _PAGE_PKEY_SHIFT,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_PWT,
  _PAGE_RW,
  _PAGE_USER,
} from './pte';

/** Memory types in the kernel's order of PAT entries (asm/pgtable_types.h, cache modes). */
export type CacheMode = 'wb' | 'wc' | 'uc-' | 'uc' | 'wp' | 'wt';

/** [PAT, PCD, PWT] of each; Linux programs the PAT so since v4.1 (mm/pat: full PAT support). */
const CACHE_BITS: Record<CacheMode, readonly [number, number, number]> = {
  wb: [0, 0, 0],
  wc: [0, 0, 1],
  'uc-': [0, 1, 0],
  uc: [0, 1, 1],
  wp: [1, 0, 1],
  wt: [1, 1, 1],
};

/** What a mapping allows. */
export interface MapOptions {
  /** True unless given. */
  writable?: boolean;
  /** False unless given. */
  user?: boolean;
  /** False unless given: NX is set. */
  executable?: boolean;
  /** False unless given. Kept by the TLB over a CR3 write. */
  global?: boolean;
  /** 'wb' unless given. */
  cache?: CacheMode;
  /** Protection key, 0 unless given. */
  pkey?: number;
  /** Whether A and D are set from the start, as Linux does for the kernel: true unless `user`. */
  accessed?: boolean;
  dirty?: boolean;
}

/** The bits of a leaf of `size` without its frame. */
export function leafBits(options: MapOptions, size: PageSize): bigint {
  const { writable = true, user = false, executable = false, global = false } = options;
  const { cache = 'wb', pkey = 0, accessed = !user, dirty = !user } = options;
  if (!Number.isInteger(pkey) || pkey < 0 || pkey > 15) {
    throw new RangeError(`pkey: expected 0 to 15, got ${pkey}`);
  }
  if (!(cache in CACHE_BITS)) {
    throw new RangeError(`cache: expected ${Object.keys(CACHE_BITS).join(', ')}, got ${cache}`);
  }
  const [pat, pcd, pwt] = CACHE_BITS[cache];
  return (
    _PAGE_PRESENT |
    (writable ? _PAGE_RW : 0n) |
    (user ? _PAGE_USER : 0n) |
    (pwt ? _PAGE_PWT : 0n) |
    (pcd ? _PAGE_PCD : 0n) |
    (accessed ? _PAGE_ACCESSED : 0n) |
    (dirty ? _PAGE_DIRTY : 0n) |
    (size > 4096 ? _PAGE_PSE : 0n) |
    (pat ? (size > 4096 ? _PAGE_PAT_LARGE : _PAGE_PAT) : 0n) |
    (global ? _PAGE_GLOBAL : 0n) |
    (executable ? 0n : _PAGE_NX) |
    (BigInt(pkey) << _PAGE_PKEY_SHIFT)
  );
}

/** `raw` with what `changes` names set anew, and all else left, frame included. */
export function changeBits(raw: bigint, changes: MapOptions, size: PageSize): bigint {
  const wanted = leafBits(changes, size);
  const patBit = size > 4096 ? _PAGE_PAT_LARGE : _PAGE_PAT;
  const mask =
    (changes.writable === undefined ? 0n : _PAGE_RW) |
    (changes.user === undefined ? 0n : _PAGE_USER) |
    (changes.executable === undefined ? 0n : _PAGE_NX) |
    (changes.global === undefined ? 0n : _PAGE_GLOBAL) |
    (changes.cache === undefined ? 0n : _PAGE_PWT | _PAGE_PCD | patBit) |
    (changes.pkey === undefined ? 0n : 15n << _PAGE_PKEY_SHIFT) |
    (changes.accessed === undefined ? 0n : _PAGE_ACCESSED) |
    (changes.dirty === undefined ? 0n : _PAGE_DIRTY);
  return (raw & ~mask) | (wanted & mask);
}
