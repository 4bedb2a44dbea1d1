import { byVersion } from './kernel-version';

/** How a request that finds its own lists empty takes memory from another migrate type. */
export type FallbackRule =
  /** try_to_steal_freepages(): the rest of a block not claimed stays with its old type. */
  | '2.6.32'
  /** UNMOVABLE steals too, the rest of the split block always changes type (9c0415eb8cbf). */
  | '4.0'
  /** Compatible pages count towards claiming; MOVABLE splits the smallest block (02aa0cdd7248, 3bc48f96cf11). */
  | '4.12'
  /** The rest of a block that was not claimed stays with its old type (consolidated accounting). */
  | '6.10';

/**
 * What differs between kernel versions in mm/page_alloc.c. Left out: watermark boosts (5.0), which only
 * wake kswapd, and the stealing of single pages by 6.15 and later.
 */
export interface AllocatorRules {
  readonly fallback: FallbackRule;
  /** The boot frees memory to the list tails, so the lowest block is handed out first (7fef431be9c9). */
  readonly bootMemoryAscending: boolean;
  /** Free blocks that change type go to the tail of their new list (293ffa5ebb9c). */
  readonly moveToTail: boolean;
  /** A freed block goes to the tail when it will probably merge soon (6dda9d55bf54). */
  readonly tailOnLikelyMerge: boolean;
  /** Watermark test of order > 0: any suitable free block will do, instead of counting down (97a16fc82a7c). */
  readonly watermarkLooksAtLists: boolean;
  /** MIGRATE_HIGHATOMIC in place of MIGRATE_RESERVE (0aaa29a56e4f). */
  readonly highatomic: boolean;
  /** Zone NORMAL first looks at DMA32 before it mixes migrate types in a pageblock (6bb154504f8b). */
  readonly noFragment: boolean;
  /** Orders up to this one go through per-CPU lists (44042b449872). */
  readonly pcpMaxOrder: number;
  /** Distance of low and high from min grows with the zone, 1/1000 of it (795ae7a0de6b). */
  readonly watermarkScale: boolean;
}

const BASE: AllocatorRules = {
  fallback: '2.6.32',
  bootMemoryAscending: false,
  moveToTail: false,
  tailOnLikelyMerge: false,
  watermarkLooksAtLists: false,
  highatomic: false,
  noFragment: false,
  pcpMaxOrder: 0,
  watermarkScale: false,
};

const CHANGES: readonly (readonly [string, Partial<AllocatorRules>])[] = [
  ['2.6.35', { tailOnLikelyMerge: true }],
  ['4.0', { fallback: '4.0' }],
  ['4.4', { watermarkLooksAtLists: true, highatomic: true }],
  ['4.6', { watermarkScale: true }],
  ['4.12', { fallback: '4.12' }],
  ['5.0', { noFragment: true }],
  ['5.10', { bootMemoryAscending: true, moveToTail: true }],
  ['5.13', { pcpMaxOrder: 3 }],
  ['6.10', { fallback: '6.10' }],
];

const TABLE: readonly (readonly [string, AllocatorRules])[] = CHANGES.reduce<
  [string, AllocatorRules][]
>(
  (table, [version, change]) => [...table, [version, { ...table[table.length - 1][1], ...change }]],
  [['2.6.32', BASE]],
);

/** @throws RangeError for a version before 2.6.32 */
export function allocatorRules(version: string): AllocatorRules {
  return byVersion(version, TABLE);
}
