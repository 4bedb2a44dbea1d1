import type { AllocOptions, PageAllocator } from './page-allocator';
import { compactZone, type CompactionReport, type PageMove } from './compaction';
import { gfpOf, type Gfp } from './gfp';
import { unreserveHighatomic } from './highatomic';
import { sinceVersion } from './kernel-version';
import { memInfoLines, memInfoOf } from './mem-info';
import {
  allocationFailureLine,
  oomDeadlockLines,
  oomHeaderLines,
  oomKillLines,
  oomTaskLines,
  selectVictim,
  unreclaimableSlabLines,
  type OomKiller,
  type SlabUsage,
} from './oom';

/** Above this order a request is costly: it may fail, and kills nobody. */
export const PAGE_ALLOC_COSTLY_ORDER = 3;
/** MAX_RECLAIM_RETRIES and MAX_COMPACT_RETRIES. */
const MAX_RETRIES = 16;

/** What the rest of the machine does for the allocator when memory is short. */
export interface AllocatorHooks {
  /** Takes a line of the kernel log. */
  printk?: (line: string) => void;
  /** Gives up page cache and the like with freePages(); answers the pages freed. */
  reclaim?: (order: number) => number;
  /** Compaction moved a page: the owner points its mapping at the new frame. */
  onMigrate?: (move: PageMove) => void;
  /** Without one a request fails where the kernel would kill. */
  oomKiller?: OomKiller;
  /** The slab caches, for the report. */
  slabCaches?: () => readonly SlabUsage[];
  /** Nobody is left to kill; the machine stops. */
  onPanic?: (reason: string) => void;
  /** Lines of the call trace, if the machine knows it. */
  dumpStack?: () => string[];
  /** current->comm, for requests that do not say who asks. */
  comm?: () => string;
}

/** How often what happened, with the names of /proc/vmstat. */
export interface SlowPathCounters {
  allocstall: number;
  compact_stall: number;
  compact_success: number;
  compact_fail: number;
  compact_migrate_scanned: number;
  compact_free_scanned: number;
  compact_isolated: number;
  oom_kill: number;
}

export function zeroCounters(): SlowPathCounters {
  return {
    allocstall: 0,
    compact_stall: 0,
    compact_success: 0,
    compact_fail: 0,
    compact_migrate_scanned: 0,
    compact_free_scanned: 0,
    compact_isolated: 0,
    oom_kill: 0,
  };
}

/** One request, as the slow path and the fast path share it. */
export interface Request {
  readonly order: number;
  readonly type: number;
  readonly highest: number;
  readonly options: AllocOptions;
}

/**
 * __alloc_pages_slowpath(): below the low watermark; direct reclaim; compaction; the OOM killer for
 * orders up to 3. Answers the first page frame or -1.
 *
 * Simplified: there is no kswapd and no kcompactd, so that everything happens in the request; who is
 * killed gives his memory back at once.
 */
export function allocSlow(allocator: PageAllocator, request: Request): number {
  const { order, options } = request;
  const { hooks, counters } = allocator;
  for (let loop = 0; ; loop++) {
    let pfn = allocator.fromFreelists(request, 'min');
    if (pfn >= 0) return pfn;
    if (options.atomic || options.mayReclaim === false) break;

    counters.allocstall++;
    const progress = (hooks.reclaim?.(order) ?? 0) > 0;
    if (!progress) allocator.drainAllPages();
    pfn = allocator.fromFreelists(request, 'min');
    if (pfn >= 0) return pfn;

    if (allocator.compaction && order > 0) {
      pfn = compactAndTry(allocator, request);
      if (pfn >= 0) return pfn;
    }
    if (options.noretry || order > PAGE_ALLOC_COSTLY_ORDER) break;
    if (progress && loop < MAX_RETRIES) continue;
    if (sinceVersion(allocator.version, '4.10') && unreserveAny(allocator, request)) continue;
    pfn = allocator.fromFreelists(request, 'high');
    if (pfn >= 0) return pfn;
    // "Avoid allocations with no watermarks from looping endlessly."
    if (hooks.oomKiller?.currentIsVictim?.()) break;
    if (options.mayOom === false || !outOfMemory(allocator, request)) break;
  }
  if (!options.nowarn) warnAlloc(allocator, request);
  return -1;
}

/** __alloc_pages_direct_compact(): first the gentle pass, then the thorough one. */
function compactAndTry(allocator: PageAllocator, request: Request): number {
  const { counters } = allocator;
  counters.compact_stall++;
  for (const sync of [false, true]) {
    for (let i = request.highest; i >= 0; i--) {
      compact(allocator, i, request.order, request.type, sync);
      const pfn = allocator.fromFreelists(request, 'min');
      if (pfn < 0) continue;
      counters.compact_success++;
      return pfn;
    }
  }
  counters.compact_fail++;
  return -1;
}

/** Compacts one zone for a request, or as far as it goes. */
export function compact(
  allocator: PageAllocator,
  zoneIndex: number,
  order: number,
  type: number,
  sync = true,
): CompactionReport {
  const { counters, hooks, memory } = allocator;
  const zone = allocator.zones[zoneIndex];
  const onMove = hooks.onMigrate ?? (() => undefined);
  const report = compactZone(zone, memory, order, type, onMove, sync);
  counters.compact_migrate_scanned += report.migrateScanned;
  counters.compact_free_scanned += report.freeScanned;
  counters.compact_isolated += 2 * report.moved.length;
  return report;
}

function unreserveAny(allocator: PageAllocator, request: Request): boolean {
  for (let i = request.highest; i >= 0; i--) {
    if (unreserveHighatomic(allocator.zones[i], request.type)) return true;
  }
  return false;
}

function gfpFor(allocator: PageAllocator, options: AllocOptions): Gfp {
  const name = options.atomic ? 'GFP_ATOMIC' : 'GFP_KERNEL';
  return options.gfp ?? gfpOf(allocator.version, name);
}

/** Who asks: the idle task, which boots, if nobody says. */
function commOf({ hooks }: PageAllocator, options: AllocOptions): string {
  return options.comm ?? hooks.comm?.() ?? 'swapper/0';
}

/** out_of_memory(): true when somebody was killed and the request may try again. */
function outOfMemory(allocator: PageAllocator, request: Request): boolean {
  const { hooks, version, counters } = allocator;
  const { oomKiller } = hooks;
  if (!oomKiller) return false;
  const { order, options } = request;
  const print = (lines: readonly string[]) => lines.forEach((line) => hooks.printk?.(line));
  const tasks = oomKiller.tasks();
  const totalPages = allocator.managedPages;
  const victim = selectVictim(tasks, totalPages, version);
  print(
    oomHeaderLines({
      comm: commOf(allocator, options),
      order,
      gfp: gfpFor(allocator, options),
      oomScoreAdj: options.oomScoreAdj ?? 0,
      compaction: allocator.compaction,
      version,
    }),
  );
  print(hooks.dumpStack?.() ?? []);
  print(memInfoLines(memInfoOf(allocator), version));
  if (hooks.slabCaches && mostlySlab(allocator)) print(unreclaimableSlabLines(hooks.slabCaches()));
  print(oomTaskLines(tasks, version));
  if (!victim) {
    const { lines, panic } = oomDeadlockLines(version);
    print([...lines, `Kernel panic - not syncing: ${panic}`]);
    allocator.panicked = true;
    hooks.onPanic?.(panic);
    return false;
  }
  print(oomKillLines(victim, totalPages, version));
  counters.oom_kill++;
  oomKiller.kill(victim.pid);
  return true;
}

/** should_dump_unreclaim_slab() */
function mostlySlab({ pageInfo, version }: PageAllocator): boolean {
  if (!sinceVersion(version, '4.15')) return false;
  const lru = pageInfo.pagesOf('anon') + pageInfo.pagesOf('file') + pageInfo.pagesOf('shmem');
  return pageInfo.pagesOf('slab') > lru;
}

/** warn_alloc() */
function warnAlloc(allocator: PageAllocator, request: Request): void {
  const { hooks, version } = allocator;
  if (!hooks.printk || allocator.panicked) return;
  const { order, options } = request;
  const gfp = gfpFor(allocator, options);
  const lines = [
    allocationFailureLine(commOf(allocator, options), order, gfp, version),
    ...(hooks.dumpStack?.() ?? []),
    ...memInfoLines(memInfoOf(allocator), version),
  ];
  for (const line of lines) hooks.printk(line);
}
