import { hex, PAGE_SIZE, type VirtAddr } from '../x86/addr';
import { gfpOf } from '../mm/gfp';
import { takeBlock } from '../mm/given-block';
import type { VmallocFailure, VmStruct } from '../mm/vm-struct';
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
  const { config, vmalloc } = m;
  const expected = 'an address in the vmalloc area, a multiple of THREAD_SIZE and free';
  if (at !== null && !(vmalloc.isVmallocAddr(at) && isAligned(config, at))) refuse(m, at, expected);
  const cached = at === null ? m.cachedStacks.pop() : takeCached(m, at);
  let stack = cached ?? null;
  if (stack === null) {
    const end = at === null ? 0n : at + BigInt(config.THREAD_SIZE + PAGE_SIZE);
    const area = newArea(m, at === null ? rangesLeft(m) : [{ start: at, end }]);
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

function takeCached(m: Machine, at: VirtAddr): VirtAddr | undefined {
  const index = m.cachedStacks.indexOf(at);
  return index < 0 ? undefined : m.cachedStacks.splice(index, 1)[0];
}

interface Range {
  readonly start?: VirtAddr;
  readonly end?: VirtAddr;
}

function newArea(m: Machine, ranges: readonly Range[]): VmStruct | VmallocFailure {
  const { config, text, vmalloc } = m;
  const caller = text.symbolize(text.named('kernel_clone').address + 0xbfn);
  const size = config.THREAD_SIZE;
  const inRange = (range: Range) =>
    vmalloc.vmalloc(size, { align: size, caller, class: 'stack', ...range });
  const [first, second] = ranges;
  const area = inRange(first);
  return 'addr' in area || !second ? area : inRange(second);
}

/** From one vmalloc'ed stack to the next where nothing else lies between: THREAD_SIZE, the guard page, alignment. */
export function vmapStride({ THREAD_SIZE }: KernelConfig): bigint {
  return BigInt(2 * THREAD_SIZE);
}

/**
 * Where stacks may lie that were not asked for at an address. While the machine is being filled, one that was
 * is left its place, and the others lie whole strides from it, as if it had been given out in its turn.
 */
function rangesLeft({ config, vmalloc, hasSnapshot }: Machine): readonly Range[] {
  const { stackBase: base, THREAD_SIZE } = config;
  if (base === null || hasSnapshot || !vmalloc.isVmallocAddr(base)) return [{}];
  const { VMALLOC_START } = vmalloc.layout;
  const first = VMALLOC_START + ((base - VMALLOC_START) % vmapStride(config));
  const above = { start: base + BigInt(THREAD_SIZE + PAGE_SIZE) };
  return first < base ? [{ start: first, end: base }, above] : [above];
}

/** Whether THREADINFO_GFP has __GFP_ZERO: since 4.17 always, before that for DEBUG_STACK_USAGE. */
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

/** The block at `at`: out of the free lists, or kept for this stack by {@link holdStack}. */
function directStackAt(m: Machine, at: VirtAddr): VirtAddr {
  if (!isHeld(m, at) && !holdStack(m, at)) {
    refuse(m, at, 'an address in the direct map, a multiple of THREAD_SIZE and free');
  }
  if (clearsNew(m.config)) m.fill(at, m.config.THREAD_SIZE, 0);
  return at;
}

/**
 * Keeps the block of the direct map at `at` for the stack that is asked for there later.
 *
 * @returns false if no stack can lie there, or the block is not free
 */
export function holdStack(m: Machine, at: VirtAddr): boolean {
  const { config, directMap, pageAllocator } = m;
  if (!directMap.contains(at) || !isAligned(config, at)) return false;
  const pfn = Number(directMap.virtToPhys(at) >> 12n);
  return takeBlock(pageAllocator, pfn, config.THREAD_SIZE_ORDER, 'stack');
}

function isHeld(m: Machine, at: VirtAddr): boolean {
  const { config, directMap, tasks, exited } = m;
  if (!directMap.contains(at) || !isAligned(config, at)) return false;
  const { pageInfo } = m.pageAllocator;
  const pfn = Number(directMap.virtToPhys(at) >> 12n);
  if (pageInfo.classOf(pfn) !== 'stack' || !pageInfo.isAllocatedHead(pfn)) return false;
  return ![...tasks, ...exited].some(({ stack }) => stack === at);
}

function isAligned({ THREAD_SIZE }: KernelConfig, at: VirtAddr): boolean {
  return at % BigInt(THREAD_SIZE) === 0n;
}

function refuse(m: Machine, at: VirtAddr, expected: string): never {
  const there = occupant(m, at);
  throw new RangeError(
    `stackBase: expected ${expected} (THREAD_SIZE is ${m.config.THREAD_SIZE}), got ${hex(at)}${there && `, where ${there}`}`,
  );
}

/** Who has the place of a stack at `at`, in words; empty if nobody, or if none can lie there. */
export function occupant(m: Machine, at: VirtAddr): string {
  const { config, directMap, vmalloc, pageAllocator } = m;
  const { THREAD_SIZE, VMAP_STACK } = config;
  const size = THREAD_SIZE + (VMAP_STACK ? PAGE_SIZE : 0);
  if (!isAligned(config, at) || m.cachedStacks.includes(at)) return '';
  for (let page = at; page < at + BigInt(size); page += BigInt(PAGE_SIZE)) {
    const task = m.tasks.find(({ stack }) => stack <= page && page < stack + BigInt(size));
    if (task) return `the stack of ${task.comm} lies`;
    if (VMAP_STACK) {
      const area = vmalloc.isVmallocAddr(page) ? vmalloc.findVmArea(page) : null;
      if (area) return `an area of ${area.caller} lies`;
    } else if (directMap.contains(page)) {
      const kind = pageAllocator.pageInfo.classOf(Number(directMap.virtToPhys(page) >> 12n));
      if (kind !== 'free') return `${hex(page)} is a page of class ${kind}`;
    }
  }
  return '';
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
