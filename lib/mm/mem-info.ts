import { NR_PAGE_ORDERS } from './free-lists';
import { byVersion } from './kernel-version';
import { MIGRATE_LETTERS, migrateTypesOf } from './migrate-type';
import type { PageAllocator } from './page-allocator';
import type { PageClass } from './page-info';
import type { Zone } from './zone';

/** What a `Mem-Info:` dump says (show_free_areas), as data: names as printed. */
export interface MemInfo {
  /** Pages, machine-wide. */
  readonly totals: Readonly<Record<string, number>>;
  /** kB of the node. */
  readonly node: Readonly<Record<string, number>>;
  readonly allUnreclaimable: boolean;
  readonly zones: readonly ZoneMemInfo[];
  readonly pagecachePages: number;
  readonly ramPages: number;
  readonly highMemPages: number;
  readonly reservedPages: number;
}

export interface ZoneMemInfo {
  readonly name: string;
  /** kB. */
  readonly values: Readonly<Record<string, number>>;
  readonly lowmemReserve: readonly number[];
  /** Free blocks by order, and the letters of the types they are of. */
  readonly blocks: readonly number[];
  readonly letters: readonly string[];
}

/** The fields of each line of a dump. */
interface MemInfoFormat {
  readonly totals: readonly string[];
  readonly node: readonly string[];
  readonly zone: readonly string[];
  /** Ends with the all_unreclaimable? of the node, or of each zone. */
  readonly perZone: boolean;
}

const words = (text: string) => text.split(' ');

/** Field sets of 3.14, 4.9 and 6.1; a version between two prints that of the older one. */
const FORMATS: readonly (readonly [string, MemInfoFormat])[] = [
  [
    '2.6.32',
    {
      totals: [
        'active_anon inactive_anon isolated_anon',
        'active_file inactive_file isolated_file',
        'unevictable dirty writeback unstable',
        'free slab_reclaimable slab_unreclaimable',
        'mapped shmem pagetables bounce',
        'free_cma',
      ],
      node: [],
      zone: words(
        'free min low high active_anon inactive_anon active_file inactive_file unevictable isolated(anon) isolated(file) present managed mlocked dirty writeback mapped shmem slab_reclaimable slab_unreclaimable kernel_stack pagetables unstable bounce free_cma writeback_tmp',
      ),
      perZone: true,
    },
  ],
  [
    '4.8',
    {
      totals: [
        'active_anon inactive_anon isolated_anon',
        'active_file inactive_file isolated_file',
        'unevictable dirty writeback unstable',
        'slab_reclaimable slab_unreclaimable',
        'mapped shmem pagetables bounce',
        'free free_pcp free_cma',
      ],
      node: words(
        'active_anon inactive_anon active_file inactive_file unevictable isolated(anon) isolated(file) mapped dirty writeback shmem writeback_tmp unstable',
      ),
      zone: words(
        'free min low high active_anon inactive_anon active_file inactive_file unevictable writepending present managed mlocked slab_reclaimable slab_unreclaimable kernel_stack pagetables bounce free_pcp local_pcp free_cma',
      ),
      perZone: false,
    },
  ],
  [
    '6.1',
    {
      totals: [
        'active_anon inactive_anon isolated_anon',
        'active_file inactive_file isolated_file',
        'unevictable dirty writeback',
        'slab_reclaimable slab_unreclaimable',
        'mapped shmem pagetables',
        'sec_pagetables bounce',
        'kernel_misc_reclaimable',
        'free free_pcp free_cma',
      ],
      node: words(
        'active_anon inactive_anon active_file inactive_file unevictable isolated(anon) isolated(file) mapped dirty writeback shmem writeback_tmp kernel_stack pagetables sec_pagetables',
      ),
      zone: words(
        'free boost min low high reserved_highatomic active_anon inactive_anon active_file inactive_file unevictable writepending present managed mlocked bounce free_pcp local_pcp free_cma',
      ),
      perZone: false,
    },
  ],
];

/** The lines of a dump, `Mem-Info:` first. */
export function memInfoLines(info: MemInfo, version: string): string[] {
  const format = byVersion(version, FORMATS);
  const unreclaimable = `all_unreclaimable? ${info.allUnreclaimable ? 'yes' : 'no'}`;
  const lines = ['Mem-Info:'];
  format.totals.forEach((row, i) => {
    lines.push((i === 0 ? '' : ' ') + fields(words(row), info.totals, ''));
  });
  if (!format.perZone)
    lines.push(`Node 0 ${fields(format.node, info.node, 'kB')} ${unreclaimable}`);
  for (const zone of info.zones) {
    const line = `${zone.name} ${fields(format.zone, zone.values, 'kB')}`;
    lines.push(format.perZone ? `${line} ${unreclaimable}` : line);
    lines.push(`lowmem_reserve[]: ${zone.lowmemReserve.join(' ')}`);
  }
  for (const zone of info.zones) lines.push(freeListLine(zone.name, zone.blocks, zone.letters));
  return [
    ...lines,
    `${info.pagecachePages} total pagecache pages`,
    `${info.ramPages} pages RAM`,
    `${info.highMemPages} pages HighMem/MovableOnly`,
    `${info.reservedPages} pages reserved`,
  ];
}

/** `DMA32: 3777*4kB (UM) 2*8kB (U) 0*16kB … = 15124kB` */
export function freeListLine(
  zone: string,
  blocks: readonly number[],
  letters: readonly string[],
): string {
  const parts = blocks.map((count, order) => {
    const size = `${count}*${4 << order}kB`;
    return letters[order] ? `${size} (${letters[order]})` : size;
  });
  const total = blocks.reduce((sum, count, order) => sum + count * (4 << order), 0);
  return `${zone}: ${parts.join(' ')} = ${total}kB`;
}

function fields(
  names: readonly string[],
  values: Readonly<Record<string, number>>,
  unit: string,
): string {
  return names
    .map((name) => `${name}:${values[name] ?? 0}${name === 'reserved_highatomic' ? 'KB' : unit}`)
    .join(' ');
}

/**
 * What the model knows of it. Left out, that is 0: the age of pages (all anonymous and file pages
 * count as inactive), isolated, dirty and mapped pages, swap, watermark boosts.
 */
export function memInfoOf(allocator: PageAllocator): MemInfo {
  const { zones, pageInfo, version } = allocator;
  const pages = (pageClass: PageClass, zone?: Zone) => pageInfo.pagesOf(pageClass, zone?.index);
  const counts = (zone?: Zone): Record<string, number> => ({
    inactive_anon: pages('anon', zone) + pages('shmem', zone),
    inactive_file: pages('file', zone),
    shmem: pages('shmem', zone),
    slab_unreclaimable: pages('slab', zone),
    kernel_stack: pages('stack', zone),
    pagetables: pages('pagetable', zone),
  });
  const pcp = (zone: Zone) => allocator.perCpuPages(zone);
  const free = zones.reduce((sum, zone) => sum + zone.freePages, 0);
  const highMem = zones.find((zone) => zone.name === 'HighMem');
  return {
    totals: { ...counts(), free, free_pcp: zones.reduce((sum, zone) => sum + pcp(zone), 0) },
    node: inKb(counts()),
    allUnreclaimable: false,
    zones: zones.map((zone) => ({
      name: zone.name,
      values: inKb({
        ...counts(zone),
        free: zone.freePages,
        ...zone.watermark,
        reserved_highatomic: zone.reservedHighatomic,
        present: zone.present,
        managed: zone.managed,
        free_pcp: pcp(zone),
        local_pcp: pcp(zone),
      }),
      lowmemReserve: zone.lowmemReserve,
      blocks: [...zone.free.nrFree],
      letters: freeLetters(zone, version),
    })),
    pagecachePages: pages('file') + pages('shmem'),
    ramPages: pageInfo.pages,
    highMemPages: highMem?.present ?? 0,
    reservedPages: pageInfo.pages - zones.reduce((sum, zone) => sum + zone.managed, 0),
  };
}

/** The letters of the types that have free blocks, by order. */
export function freeLetters(zone: Zone, version: string): string[] {
  const types = migrateTypesOf(version, { cma: true });
  return Array.from({ length: NR_PAGE_ORDERS }, (_, order) =>
    types
      .filter((type) => !zone.free.isEmpty(order, type))
      .map((type) => MIGRATE_LETTERS[type])
      .join(''),
  );
}

function inKb(pages: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(pages).map(([name, count]) => [name, count * 4]));
}
