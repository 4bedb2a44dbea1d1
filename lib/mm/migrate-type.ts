import { sinceVersion } from './kernel-version';

/** What a pageblock is for (enum migratetype). RESERVE to 4.3, HIGHATOMIC from 4.4. */
export type MigrateType =
  'UNMOVABLE' | 'MOVABLE' | 'RECLAIMABLE' | 'RESERVE' | 'HIGHATOMIC' | 'CMA' | 'ISOLATE';

/** The number of a type is its place here; it is ours, the kernel's own order differs by version. */
export const MIGRATE_TYPES: readonly MigrateType[] = [
  'UNMOVABLE',
  'MOVABLE',
  'RECLAIMABLE',
  'RESERVE',
  'HIGHATOMIC',
  'CMA',
  'ISOLATE',
];

export const UNMOVABLE = 0;
export const MOVABLE = 1;
export const RECLAIMABLE = 2;
export const RESERVE = 3;
export const HIGHATOMIC = 4;
export const CMA = 5;
export const ISOLATE = 6;

/** The types that have per-CPU lists and that fall back on each other (below MIGRATE_PCPTYPES). */
export const PCPTYPES = 3;

/**
 * Whom a request asks when its own lists are empty, in this order (fallbacks[] in mm/page_alloc.c,
 * the same from 2.6.32 to 6.19).
 */
export const FALLBACKS: readonly (readonly number[])[] = [
  [RECLAIMABLE, MOVABLE],
  [RECLAIMABLE, UNMOVABLE],
  [UNMOVABLE, MOVABLE],
];

/** The letter that free-list lines in Mem-Info use for the type. */
export const MIGRATE_LETTERS = ['U', 'M', 'E', 'R', 'H', 'C', 'I'] as const;

const NAMES = [
  'Unmovable',
  'Movable',
  'Reclaimable',
  'Reserve',
  'HighAtomic',
  'CMA',
  'Isolate',
] as const;

/** As /proc/pagetypeinfo spells it: 'Unmovable'. */
export function migrateTypeName(type: number): string {
  return NAMES[type];
}

/** Our number of a name in /proc/pagetypeinfo, or -1. */
export function migrateTypeByName(name: string): number {
  return (NAMES as readonly string[]).indexOf(name);
}

/** @throws RangeError for an unknown name */
export function migrateTypeNumber(type: MigrateType): number {
  const index = MIGRATE_TYPES.indexOf(type);
  if (index < 0) {
    throw new RangeError(`migratetype: expected ${MIGRATE_TYPES.join(', ')}, got ${type}`);
  }
  return index;
}

/**
 * The types of a kernel version in its own order, as /proc/pagetypeinfo lists them. Since 4.4
 * (016c13daa5c9) MOVABLE comes before RECLAIMABLE.
 *
 * @param options.cma CONFIG_CMA: adds the CMA type (3.5 and later)
 */
export function migrateTypesOf(version: string, options: { cma?: boolean } = {}): number[] {
  const cma = options.cma && sinceVersion(version, '3.5') ? [CMA] : [];
  return sinceVersion(version, '4.4')
    ? [UNMOVABLE, MOVABLE, RECLAIMABLE, HIGHATOMIC, ...cma, ISOLATE]
    : [UNMOVABLE, RECLAIMABLE, MOVABLE, RESERVE, ...cma, ISOLATE];
}
