import type { VirtAddr } from '../x86/addr';
import type { Machine } from './machine';

/**
 * alloc_thread_stack_node(): from the vmalloc area with VMAP_STACK (ba14a194a434, since v4.9), else
 * 2^THREAD_SIZE_ORDER pages of the direct map.
 *
 * @returns the lowest address, or null if there is no memory
 */
export function allocThreadStack(machine: Machine): VirtAddr | null {
  const { config, vmalloc, pageAllocator, directMap } = machine;
  if (config.VMAP_STACK) {
    const cached = machine.cachedStacks.pop();
    const stack = cached ?? vmallocStack(machine);
    if (stack !== null && (cached === undefined || config.clearsReusedStack)) {
      machine.fill(stack, config.THREAD_SIZE, 0);
    }
    return stack;
  }
  const pfn = pageAllocator.allocPages(config.THREAD_SIZE_ORDER, { class: 'stack' });
  return pfn === null ? null : directMap.physToVirt(BigInt(pfn) << 12n);

  function vmallocStack({ text }: Machine): VirtAddr | null {
    const caller = text.symbolize(text.define('kernel_clone', 0x430).address + 0xbfn);
    const area = vmalloc.vmalloc(config.THREAD_SIZE, {
      align: config.THREAD_SIZE,
      caller,
      class: 'stack',
    });
    return 'addr' in area ? area.addr : null;
  }
}

/** Frees a dead task's stack; with VMAP_STACK into the CPU's cache while it has room (ac496bf48d97, v4.9). */
export function freeThreadStack(machine: Machine, stack: VirtAddr): void {
  const { config, cachedStacks, vmalloc, pageAllocator, directMap } = machine;
  if (!config.VMAP_STACK) {
    pageAllocator.freePages(Number(directMap.virtToPhys(stack) >> 12n), config.THREAD_SIZE_ORDER);
  } else if (cachedStacks.length < config.NR_CACHED_STACKS) {
    cachedStacks.push(stack);
  } else {
    vmalloc.vfree(stack);
  }
}
