import { PAGE_SIZE, type VirtAddr } from '../x86/addr';
import { gfpOf } from '../mm/gfp';
import type { KernelConfig } from './config';
import type { Machine } from './machine';
import { currentTask } from './task';

/**
 * alloc_thread_stack_node(): from the vmalloc area with VMAP_STACK (ba14a194a434, since v4.9), else
 * 2^THREAD_SIZE_ORDER pages of the direct map. A refusal is in the kernel's log.
 *
 * @param cgroup that pays for it, if any: for a new stack where the allocator charges (__GFP_ACCOUNT), for any
 *   where the charge goes with the task
 * @returns the lowest address, or null if there is no memory
 * @throws RangeError if a stack was asked for at an address where none can lie
 */
export function allocThreadStack(m: Machine, cgroup?: string): VirtAddr | null {
  const at = m.nextStack;
  m.nextStack = null;
  const { memcgCharge, VMAP_STACK } = m.config;
  const cached = m.cachedStacks.length;
  const stack = VMAP_STACK ? vmapStack(m, at) : at === null ? directStack(m) : directStackAt(m, at);
  const isNew = m.cachedStacks.length === cached;
  if (stack !== null && cgroup !== undefined) {
    if (memcgCharge === 'task' || (memcgCharge === 'allocation' && isNew))
      m.stackPayers.set(stack, cgroup);
  }
  return stack;
}

function vmapStack(m: Machine, at: VirtAddr | null): VirtAddr | null {
  const { config, vmalloc, text } = m;
  const expected = 'an address in the vmalloc area, a multiple of THREAD_SIZE and free';
  if (at !== null && !vmalloc.isVmallocAddr(at)) refuse(m, at, expected);
  const cached = at === null ? m.cachedStacks.pop() : undefined;
  let stack = cached ?? null;
  if (stack === null) {
    const caller = text.symbolize(text.define('kernel_clone', 0x430).address + 0xbfn);
    const size = config.THREAD_SIZE;
    const range = at === null ? {} : { start: at, end: at + BigInt(size + PAGE_SIZE) };
    const area = vmalloc.vmalloc(size, { align: size, caller, class: 'stack', ...range });
    if (!('addr' in area)) {
      if (at !== null) refuse(m, at, expected);
      m.printk(...area.messages);
      return null;
    }
    stack = area.addr;
  }
  if (cached === undefined ? clearsNew(config) : config.clearsReusedStack) {
    m.fill(stack, config.THREAD_SIZE, 0);
  }
  return stack;
}

/** Whether THREADINFO_GFP has __GFP_ZERO: since 4.14 always, before that for DEBUG_STACK_USAGE. */
function clearsNew(config: KernelConfig): boolean {
  return config.clearsNewStack || config.DEBUG_STACK_USAGE;
}

function directStack(m: Machine): VirtAddr | null {
  const { config } = m;
  const pfn = m.pageAllocator.allocPages(config.THREAD_SIZE_ORDER, {
    class: 'stack',
    gfp: gfpOf(config.version, 'THREADINFO_GFP'),
    comm: currentTask(m)?.comm,
  });
  if (pfn === null) return null;
  const stack = m.directMap.physToVirt(BigInt(pfn) << 12n);
  if (clearsNew(config)) m.fill(stack, config.THREAD_SIZE, 0);
  return stack;
}

/** Takes blocks until the one at `at` comes, then gives the others back. */
function directStackAt(m: Machine, at: VirtAddr): VirtAddr {
  const order = m.config.THREAD_SIZE_ORDER;
  const possible = m.directMap.contains(at) && at % BigInt(m.config.THREAD_SIZE) === 0n;
  const others: number[] = [];
  let found = false;
  while (possible && !found) {
    const pfn = m.pageAllocator.allocPages(order, { class: 'stack' });
    if (pfn === null) break;
    if (m.directMap.physToVirt(BigInt(pfn) << 12n) === at) found = true;
    else others.push(pfn);
  }
  for (const pfn of others) m.pageAllocator.freePages(pfn, order);
  if (!found) refuse(m, at, 'an address in the direct map, a multiple of THREAD_SIZE and free');
  return at;
}

function refuse(m: Machine, at: VirtAddr, expected: string): never {
  throw new RangeError(
    `stack base: expected ${expected} (THREAD_SIZE is ${m.config.THREAD_SIZE}), got 0x${at.toString(16)}`,
  );
}

/** Frees a dead task's stack; with VMAP_STACK into the CPU's cache while it has room (ac496bf48d97, v4.9). */
export function freeThreadStack(m: Machine, stack: VirtAddr): void {
  const { config, cachedStacks, vmalloc, pageAllocator, directMap } = m;
  const keeps = config.VMAP_STACK && cachedStacks.length < config.NR_CACHED_STACKS;
  if (config.memcgCharge === 'task' || !keeps) m.stackPayers.delete(stack);
  if (!config.VMAP_STACK) {
    pageAllocator.freePages(Number(directMap.virtToPhys(stack) >> 12n), config.THREAD_SIZE_ORDER);
  } else if (keeps) {
    cachedStacks.push(stack);
  } else {
    vmalloc.vfree(stack);
  }
}
