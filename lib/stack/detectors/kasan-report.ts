import type { VirtAddr } from '../../x86/addr';
import { callTrace, stackWords } from '../call-trace';
import type { Machine } from '../machine';
import { taskLines } from '../oops';
import type { OopsWording } from '../oops-wording';
import { currentTask } from '../task';
import { KASAN_FREE_PAGE, KASAN_GRANULE, kasanBugType, kasanShadowOf } from './kasan';

/** Free slab objects, and what of a slab belongs to no object. */
const KASAN_SLAB_FREE = 0xfb;
const KASAN_SLAB_REDZONE = 0xfc;
/** A longer memset() faults before its end, if nothing is poisoned until there. */
const MOST_CHECKED = 2 ** 20;
const LINE = '='.repeat(66);

/**
 * What an instrumented load or store of `size` bytes asks the shadow first, with CONFIG_KASAN. The first bad
 * byte decides what the bug is called; the address in the report is that of the access. Only the first bad
 * access after boot is reported (kasan_multi_shot is off); the access is made all the same.
 *
 * The shadow is reckoned from the books of the allocators: free pages, free slab objects, what a slab has left
 * over, and vmalloc space without pages. Only the probe's own loads and stores and its memset() are checked:
 * of CALL, PUSH and the exception frame KASAN sees nothing.
 *
 * The text is that of the version. The dump of the shadow and what is said of the page or the object are left
 * out.
 */
export function kasanAccess(m: Machine, address: VirtAddr, size: number, write: boolean): void {
  if (!m.config.KASAN || m.kasanReported) return;
  const granule = BigInt(KASAN_GRANULE);
  const end = address + BigInt(Math.min(size, MOST_CHECKED));
  for (let at = address & -granule; at < end; at += granule) {
    const shadow = shadowOf(m, at);
    if (shadow === 0) continue;
    report(m, address, size, write, shadow);
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

function report(m: Machine, address: VirtAddr, size: number, write: boolean, shadow: number): void {
  const { cpu, config } = m;
  const { kasanHeader } = config.oops;
  const task = currentTask(m);
  const where = `${bugType(shadow, config.oops)} in ${m.text.symbolize(cpu.rip)}`;
  const what = `${write ? 'Write' : 'Read'} of size ${size}`;
  const who = `by task ${task?.comm ?? '?'}/${task?.pid ?? 0}`;
  const at = `at addr ${address.toString(16).padStart(16, '0')}`;
  const header =
    kasanHeader === 'KASAN'
      ? [`BUG: KASAN: ${where}`, `${what} ${at} ${who}`, '']
      : [`BUG: ${kasanHeader.replace(', address', '')}: ${where} ${at}`, `${what} ${who}`];
  const lines = [
    LINE,
    ...header,
    ...taskLines(m),
    ...(config.oops.rawAddresses ? stackWords(m, cpu.rsp) : []),
    ...callTrace(m, { rip: cpu.rip, rsp: cpu.rsp, rbp: cpu.gpr.rbp }),
    LINE,
    // add_taint() with LOCKDEP_NOW_UNRELIABLE, unless an oops has done it.
    ...(kasanHeader !== 'KASan, address' && m.oopses === 0
      ? ['Disabling lock debugging due to kernel taint']
      : []),
  ];
  // The taint is for what comes after it.
  m.kasanReported = true;
  m.printk(...lines);
}

/** What the version calls it. */
function bugType(shadow: number, { kasanHeader, kasanUseAfterFree }: OopsWording): string {
  const free = shadow === KASAN_SLAB_FREE;
  if (kasanHeader === 'KASan, address')
    return free || shadow === KASAN_FREE_PAGE ? kasanUseAfterFree : 'out of bounds access';
  if (free) return kasanUseAfterFree;
  return shadow === KASAN_SLAB_REDZONE ? 'slab-out-of-bounds' : kasanBugType(shadow);
}
