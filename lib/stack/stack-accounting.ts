import type { KernelConfig } from './config';
import type { Machine } from './machine';

const KB_A_PAGE = 4;
const MIN_THREADS = 20;
/** FUTEX_TID_MASK: no more thread ids than fit into a futex. */
const MAX_THREADS = 0x3fffffff;

/**
 * NR_KERNEL_STACK_KB (NR_KERNEL_STACK in stacks before 4.9): memory of the stacks that tasks have. A stack in
 * the per-CPU cache has no task and is not counted.
 */
export function kernelStackKb(m: Machine): number {
  const { pageInfo } = m.pageAllocator;
  let pages = 0;
  for (let pfn = 0; pfn < pageInfo.pages; pfn++) if (pageInfo.classOf(pfn) === 'stack') pages++;
  return pages * KB_A_PAGE - (m.cachedStacks.length * m.config.THREAD_SIZE) / 1024;
}

/** The line of /proc/meminfo. */
export function kernelStackLine(m: Machine): string {
  return `KernelStack:    ${String(kernelStackKb(m)).padStart(8)} kB`;
}

/**
 * Default of sysctl kernel.threads-max: thread stacks may take an eighth of memory.
 *
 * @param ramBytes memory that the page allocator has
 * @throws RangeError unless that is a whole number of bytes above 0
 */
export function maxThreads(config: KernelConfig, ramBytes: number): number {
  if (!Number.isSafeInteger(ramBytes) || ramBytes <= 0)
    throw new RangeError(`ramBytes: expected a whole number of bytes above 0, got ${ramBytes}`);
  const threads = Math.floor(ramBytes / (8 * config.THREAD_SIZE));
  const least = Math.max(threads, MIN_THREADS);
  return config.clampsMaxThreads ? Math.min(least, MAX_THREADS) : least;
}

/** Who pays for a stack: a memory cgroup, by name, and how much. */
export type StackCharges = ReadonlyMap<string, number>;

/** What each memory cgroup pays for stacks on a machine, KB: those of its tasks, and cached ones that it still has. */
export function stackCharges(m: Machine): StackCharges {
  const sums = new Map<string, number>();
  const kb = m.config.THREAD_SIZE / 1024;
  for (const cgroup of m.stackPayers.values()) sums.set(cgroup, (sums.get(cgroup) ?? 0) + kb);
  return sums;
}

/**
 * Which memory cgroup pays for which stacks, of one CPU and its cache.
 *
 * While the page allocator charged (__GFP_ACCOUNT), a cached stack went on being paid for by the cgroup in
 * which it was first allocated, which it kept from dying; since the charge follows the task (9b6f7e163cd0,
 * v4.20) it does not. A model without a machine; {@link stackCharges} reads one.
 */
export class StackMemcg {
  private readonly cache: { owner: string | null }[] = [];
  private readonly live: Map<number, { owner: string | null }> = new Map();
  private nextTask = 1;

  constructor(private readonly config: KernelConfig) {}

  /** A task of `cgroup` is forked; answers its number. */
  fork(cgroup: string): number {
    const { memcgCharge } = this.config;
    const stack = this.cache.pop() ?? { owner: memcgCharge === 'allocation' ? cgroup : null };
    if (memcgCharge === 'task') stack.owner = cgroup;
    const task = this.nextTask++;
    this.live.set(task, stack);
    return task;
  }

  /** @throws RangeError if there is no such task */
  exit(task: number): void {
    const stack = this.live.get(task);
    if (!stack) throw new RangeError(`task: expected one that was forked and lives, got ${task}`);
    this.live.delete(task);
    if (this.config.memcgCharge === 'task') stack.owner = null;
    const room = this.config.VMAP_STACK ? this.config.NR_CACHED_STACKS : 0;
    if (this.cache.length < room) this.cache.push(stack);
  }

  /** KB charged to each cgroup. */
  charges(): StackCharges {
    const sums = new Map<string, number>();
    for (const { owner } of [...this.live.values(), ...this.cache]) {
      if (owner === null) continue;
      sums.set(owner, (sums.get(owner) ?? 0) + this.config.THREAD_SIZE / 1024);
    }
    return sums;
  }
}
