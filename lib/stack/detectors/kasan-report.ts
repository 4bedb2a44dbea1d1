import type { VirtAddr } from '../../x86/addr';
import { callTrace } from '../call-trace';
import type { Machine } from '../machine';
import { modulesLine, taskLines } from '../oops';
import { currentTask } from '../task';
import { KASAN_GRANULE, kasanBugType, kasanShadowOf } from './kasan';

/** Free slab objects, and what of a slab belongs to no object. */
const KASAN_SLAB_FREE = 0xfb;
const KASAN_SLAB_REDZONE = 0xfc;
/** A longer memset() faults before its end, if nothing is poisoned until there. */
const MOST_CHECKED = 2 ** 20;
const LINE = '='.repeat(66);

/**
 * What an instrumented load or store of `size` bytes asks the shadow first, with CONFIG_KASAN. The first bad
 * address that is met after boot is reported, no other (kasan_multi_shot is off); the access is made all the
 * same.
 *
 * The shadow is reckoned from the books of the allocators: free pages, free slab objects, what a slab has left
 * over, and vmalloc space without pages. Only the probe's own loads and stores and its memset() are checked:
 * of CALL, PUSH and the exception frame KASAN sees nothing. The text is that of 6.1 for every version; the dump
 * of the shadow and the objects' history are left out.
 */
export function kasanAccess(m: Machine, address: VirtAddr, size: number, write: boolean): void {
  if (!m.config.KASAN || m.kasanReported) return;
  const granule = BigInt(KASAN_GRANULE);
  const end = address + BigInt(Math.min(size, MOST_CHECKED));
  for (let at = address & -granule; at < end; at += granule) {
    const shadow = shadowOf(m, at);
    if (shadow === 0) continue;
    report(m, at < address ? address : at, size, write, shadow);
    return;
  }
}

function shadowOf(m: Machine, address: VirtAddr): number {
  const known = kasanShadowOf(m, address);
  if (known !== 0 || !m.directMap.contains(address)) return known;
  for (const cache of m.caches.values()) {
    if (!cache.holds(address)) continue;
    const slab = cache
      .slabAddresses()
      .filter((start) => start <= address)
      .pop();
    if (slab === undefined) return 0;
    const { size, objectsPerSlab } = cache.layout;
    const index = Math.floor(Number(address - slab) / size);
    if (index >= objectsPerSlab) return KASAN_SLAB_REDZONE;
    const free = cache.freeObjects((at) => m.peek64(at));
    return free.has(slab + BigInt(index * size)) ? KASAN_SLAB_FREE : 0;
  }
  return 0;
}

function report(m: Machine, bad: VirtAddr, size: number, write: boolean, shadow: number): void {
  m.kasanReported = true;
  const task = currentTask(m);
  const type =
    shadow === KASAN_SLAB_FREE
      ? 'use-after-free'
      : shadow === KASAN_SLAB_REDZONE
        ? 'slab-out-of-bounds'
        : kasanBugType(shadow);
  const { cpu } = m;
  m.printk(
    LINE,
    `BUG: KASAN: ${type} in ${m.text.symbolize(cpu.rip)}`,
    `${write ? 'Write' : 'Read'} of size ${size} at addr ${bad.toString(16).padStart(16, '0')} by task ${task?.comm ?? '?'}/${task?.pid ?? 0}`,
    '',
    ...taskLines(m),
    ...callTrace(m, { rip: cpu.rip, rsp: cpu.rsp, rbp: cpu.gpr.rbp }),
    modulesLine(m),
    LINE,
  );
}
