import type { Levels, VirtAddr } from '../x86/addr';
import { sinceVersion } from '../mm/kernel-version';
import { kconfig } from './kconfig';
import { featuresOf, type KernelFeatures } from './versions';

/** The three eras: how large a kernel stack is, and whether it lies in the vmalloc area. */
export type Era = '8k' | '16k' | 'vmap';

export const ERAS: readonly Era[] = ['8k', '16k', 'vmap'];

/** The kernel that stands for an era if none is named. */
export const DEFAULT_KERNEL: Readonly<Record<Era, string>> = {
  '8k': '3.14',
  '16k': '3.15',
  vmap: '6.1',
};

/**
 * The era of a version as it shipped: 8k up to 3.14, 16k from 3.15, vmap from 4.9 on.
 *
 * @throws RangeError for a version that does not exist
 */
export function eraOf(version: string): Era {
  const { HAVE_ARCH_VMAP_STACK, THREAD_SIZE_ORDER } = featuresOf(version).features;
  if (HAVE_ARCH_VMAP_STACK) return 'vmap';
  return THREAD_SIZE_ORDER === 1 ? '8k' : '16k';
}

/** STACK_END_MAGIC, include/uapi/linux/magic.h. */
export const STACK_END_MAGIC = 0x57ac6e9dn;

/** sizeof(struct pt_regs) on x86-64. */
export const PT_REGS_SIZE = 168;

/** One kernel as built: what the version offers and what was configured. */
export interface KernelConfig extends KernelFeatures {
  readonly era: Era;
  /** The version asked for. */
  readonly version: string;
  /**
   * The version whose behaviour this is: of what versions.ts knows, nothing changed between it and `version`.
   * Memory (layout, page allocator, slab, vmalloc) and Kconfig go by `version` itself.
   */
  readonly modelled: string;
  /** Bytes. */
  readonly THREAD_SIZE: number;
  readonly VMAP_STACK: boolean;
  readonly SCHED_STACK_END_CHECK: boolean;
  readonly STACKPROTECTOR: boolean;
  /**
   * Built for more than one CPU; the model has one in either case. Without it the kernel is the tiny one of
   * the recordings: PREEMPT_NONE, no PAGE_TABLE_ISOLATION; an oops names none of the three.
   */
  readonly SMP: boolean;
  readonly DEBUG_STACK_USAGE: boolean;
  readonly DEBUG_STACKOVERFLOW: boolean;
  /** Doubles THREAD_SIZE, the IRQ and exception stacks; the probe's loads and stores are checked. See detectors/kasan-report. */
  readonly KASAN: boolean;
  /** Memory is compacted for a request of a higher order; the recorded small kernels had it off. */
  readonly COMPACTION: boolean;
  /** Each schedule() charges the time that ran out to a counter of the CPU that thread_info names. */
  readonly CGROUP_CPUACCT: boolean;
  /** sysctl kernel.panic_on_oops */
  readonly panicOnOops: boolean;
  /** sysctl kernel.panic_on_stackoverflow, where DEBUG_STACKOVERFLOW exists. */
  readonly panicOnStackOverflow: boolean;
  /** %p prints hashes, as it does since 4.15 unless booted with no_hash_pointers. */
  readonly hashPointers: boolean;
  /** #DF has a stack of its own. Taken away only to see what it is for. */
  readonly doubleFaultIst: boolean;
  /** THREAD_SIZE_ORDER differs from what the version ships: it builds, with a patched header. */
  readonly patched: boolean;
  /** Bytes of a stack above end magic and, where it lies there, thread_info. */
  readonly usable: number;
  /** Levels of the page tables. */
  readonly levels: Levels;
  /** KASLR: image and regions lie where the boot's random numbers put them. */
  readonly kaslr: boolean;
  /** An address that stacks must be able to have: KASLR has put the regions so that they can. */
  readonly stackBase: VirtAddr | null;
}

export interface KernelOptions {
  /** Any version from 2.6.32 to 6.19; the era's own if left out. */
  readonly kernel?: string;
  /** Default: as a distribution builds it, on for vmap, off in the direct-map eras. */
  readonly stackEndCheck?: boolean;
  readonly stackProtector?: boolean;
  /**
   * CONFIG_SMP; on unless given, as distributions build it. False is the configuration of the recorded tiny
   * kernels: no preemption and no page-table isolation either.
   */
  readonly smp?: boolean;
  /** CONFIG_DEBUG_STACK_USAGE; off unless given. */
  readonly stackUsage?: boolean;
  /** CONFIG_DEBUG_STACKOVERFLOW; off unless given. x86-64 had it up to 5.1. */
  readonly stackOverflowCheck?: boolean;
  /** CONFIG_KASAN (with KASAN_VMALLOC where it is needed and can be had): 32 KB stacks. Off unless given. */
  readonly kasan?: boolean;
  /** CONFIG_COMPACTION; off unless given. */
  readonly compaction?: boolean;
  /**
   * CONFIG_CGROUP_CPUACCT; off unless given, though distributions had it: with it a damaged `cpu` in a
   * thread_info on the stack is met at the next schedule() (up to 4.5), without it when the thread is woken.
   */
  readonly cpuacct?: boolean;
  readonly panicOnOops?: boolean;
  readonly panicOnStackOverflow?: boolean;
  /** False unless given: as booted with no_hash_pointers. */
  readonly hashPointers?: boolean;
  /** False leaves #DF on the stack that overflowed. */
  readonly doubleFaultIst?: boolean;
  /** RANDOMIZE_BASE (since 3.14) and RANDOMIZE_MEMORY (since 4.8); off unless given, as with nokaslr. */
  readonly kaslr?: boolean;
  /** Where a stack is to lie: decides, if need be, where KASLR has put the direct map or the vmalloc area. */
  readonly stackBase?: VirtAddr;
}

/**
 * The configuration of a kernel of `era`.
 *
 * @throws RangeError for an era or a version that does not exist, and for options that the version lacks
 */
export function kernelConfig(era: Era, options: KernelOptions = {}): KernelConfig {
  if (!ERAS.includes(era)) {
    throw new RangeError(`era: expected ${ERAS.join(', ')}, got ${JSON.stringify(era)}`);
  }
  const version = options.kernel ?? DEFAULT_KERNEL[era];
  const { modelled, features } = featuresOf(version);
  const VMAP_STACK = era === 'vmap';
  if (VMAP_STACK && !features.HAVE_ARCH_VMAP_STACK) {
    throw new RangeError(
      `VMAP_STACK needs HAVE_ARCH_VMAP_STACK, which x86 selects since 4.9: expected kernel 4.9 or newer, got ${version}, ` +
        `whose era is ${eraOf(version)} (${eraOf(version) === '8k' ? '16k' : '8k'} with a patched header)`,
    );
  }
  if (options.stackEndCheck && features.stackEndCheck === 'none') {
    throw new RangeError(
      `SCHED_STACK_END_CHECK is not in ${version}: expected a kernel from 3.18 on (0d9e26329b0c)`,
    );
  }
  if (options.hashPointers && !features.oops.hashesPointers) {
    throw new RangeError(
      `hashPointers: %p prints addresses as they are in ${version}: expected a kernel from 4.15 on`,
    );
  }
  const KASAN = options.kasan ?? false;
  if (KASAN && VMAP_STACK && !sinceVersion(version, '5.5')) {
    throw new RangeError(
      `VMAP_STACK depends on !KASAN until KASAN_VMALLOC came with 5.5: expected era 16k with KASAN, got vmap for ${version}`,
    );
  }
  const DEBUG_STACKOVERFLOW = options.stackOverflowCheck ?? false;
  // Refuses, with Kconfig's reason, what this version can't be built with.
  kconfig({
    arch: 'x86_64',
    version,
    options: {
      VMAP_STACK: features.HAVE_ARCH_VMAP_STACK ? VMAP_STACK : undefined,
      KASAN: KASAN || undefined,
      KASAN_VMALLOC: (KASAN && VMAP_STACK) || undefined,
      DEBUG_STACKOVERFLOW: DEBUG_STACKOVERFLOW || undefined,
    },
  });
  const shippedOrder = features.THREAD_SIZE_ORDER + (KASAN ? 1 : 0);
  const THREAD_SIZE_ORDER = (era === '8k' ? 1 : 2) + (KASAN ? 1 : 0);
  const THREAD_SIZE = 4096 << THREAD_SIZE_ORDER;
  return {
    ...features,
    era,
    version,
    modelled,
    THREAD_SIZE_ORDER,
    THREAD_SIZE,
    // KASAN_STACK_ORDER: of every kind of stack, in page_64_types.h since 4.0.
    IRQ_STACK_SIZE: features.IRQ_STACK_SIZE * (KASAN ? 2 : 1),
    istStacks: features.istStacks.map((stack) => ({
      ...stack,
      size: stack.size * (KASAN ? 2 : 1),
    })),
    VMAP_STACK,
    SCHED_STACK_END_CHECK: options.stackEndCheck ?? VMAP_STACK,
    STACKPROTECTOR: options.stackProtector ?? VMAP_STACK,
    SMP: options.smp ?? true,
    DEBUG_STACK_USAGE: options.stackUsage ?? false,
    DEBUG_STACKOVERFLOW,
    KASAN,
    COMPACTION: options.compaction ?? false,
    CGROUP_CPUACCT: options.cpuacct ?? false,
    panicOnOops: options.panicOnOops ?? false,
    panicOnStackOverflow: options.panicOnStackOverflow ?? false,
    hashPointers: options.hashPointers ?? false,
    doubleFaultIst: options.doubleFaultIst ?? true,
    patched: THREAD_SIZE_ORDER !== shippedOrder,
    usable: THREAD_SIZE - endOfStackOffset(features) - 8,
    levels: levelsFor(options.stackBase),
    kaslr: options.kaslr ?? false,
    stackBase: options.stackBase ?? null,
  };
}

/** Addresses of the kernel half that 4 levels can't translate need 5. */
export function levelsFor(stackBase: VirtAddr | undefined): Levels {
  return stackBase !== undefined && stackBase >= 1n << 63n && stackBase < 0xffff800000000000n
    ? 5
    : 4;
}

/** Offset of the end magic from the stack's base: above thread_info, or at the very bottom. */
export function endOfStackOffset(features: KernelFeatures): number {
  return features.THREAD_INFO_IN_TASK ? 0 : features.threadInfo.size;
}
