import { HAVE_ARCH_VMAP_STACK_SINCE, selectedSince, type Arch } from './architectures';
import type { KconfigContext } from './kconfig';

/** An option of the table, in which each may refer to those above it. */
export interface KconfigOption {
  readonly name: string;
  /** False: selected by the architecture, or derived. */
  readonly prompt: boolean;
  /** Why nothing is said of it for this architecture; null or left out if something is. */
  readonly unknown?: (context: KconfigContext) => string | null;
  /** Why its dependencies are not met; null if they are. */
  readonly unmet: (context: KconfigContext) => string | null;
  /** Its value where nothing is answered. */
  readonly value: (context: KconfigContext) => boolean;
  /** Where the value comes from if nothing is answered. */
  readonly why: string;
}

const always = () => true;
const never = () => false;
const met = () => null;

/** In trees and releases older than `first` there is no such option. */
const inTree =
  (first: string, what: string) =>
  ({ since, version }: KconfigContext) =>
    since(first) ? null : `${what} came with ${first}, which ${version} is older than`;

/** Releases older than `first` were read without it; where in between it came was not looked up. */
const firstRead =
  (first: string) =>
  ({ since, version }: KconfigContext) =>
    since(first) ? null : `in no tree read that is older than ${first}; this is ${version}`;

/** Only the sides of these architectures were looked up. */
const knownFor =
  (...known: readonly Arch[]) =>
  ({ arch }: KconfigContext) =>
    known.includes(arch) ? null : `known here for ${known.join(' and ')} only, not for ${arch}`;

/**
 * Sources: arch/Kconfig, lib/Kconfig.debug, lib/Kconfig.kasan, arch/x86/Kconfig and Kconfig.debug of the
 * trees named in `inTree` calls; where only a tree is known, the release may have had it a little earlier.
 */
export const OPTIONS: readonly KconfigOption[] = [
  {
    name: 'HAVE_ARCH_VMAP_STACK',
    prompt: false,
    unmet: ({ arch, since, version }) => {
      const first = HAVE_ARCH_VMAP_STACK_SINCE[arch];
      if (first !== null && since(first)) return null;
      return `${arch} selects it ${selectedSince(arch)}; this is ${version}`;
    },
    value: always,
    why: 'the architecture selects it',
  },
  {
    name: 'THREAD_INFO_IN_TASK',
    prompt: false,
    unknown: knownFor('x86_64', 'x86_32'),
    unmet: inTree('4.9', 'it'),
    value: always,
    why: 'x86 selects it (15f4eae70d36)',
  },
  {
    name: 'KASAN',
    prompt: true,
    unknown: knownFor('x86_64'),
    unmet: inTree('4.0', 'KASAN'),
    value: never,
    why: 'off by default: it costs a shadow of an eighth of memory, and doubles THREAD_SIZE',
  },
  {
    name: 'KASAN_VMALLOC',
    prompt: true,
    unknown: knownFor('x86_64'),
    unmet: (context) =>
      inTree('4.0', 'KASAN')(context) ??
      (context.is('KASAN') ? inTree('5.5', 'KASAN_VMALLOC')(context) : 'depends on KASAN'),
    value: never,
    why: 'off by default: real shadow memory for the vmalloc area (3c5c3cfb9ef4)',
  },
  {
    name: 'VMAP_STACK',
    prompt: true,
    unmet: (context) => {
      const { arch, version, is } = context;
      if (!is('HAVE_ARCH_VMAP_STACK')) {
        const who = `${arch} selects ${selectedSince(arch)}`;
        return `depends on HAVE_ARCH_VMAP_STACK, which ${who}; this is ${arch} ${version}`;
      }
      if (!is('KASAN') || is('KASAN_VMALLOC')) return null;
      return context.since('5.5')
        ? 'depends on !KASAN || KASAN_VMALLOC: without it KASAN has no shadow for a stack in vmalloc space'
        : 'depends on !KASAN: KASAN computes a shadow address that is wrong for a stack in vmalloc space';
    },
    value: always,
    why: 'default y',
  },
  {
    name: 'SCHED_STACK_END_CHECK',
    prompt: true,
    unmet: inTree('3.18', 'it'),
    value: never,
    why: 'off by default (0d9e26329b0c)',
  },
  {
    name: 'STACKPROTECTOR',
    prompt: true,
    unmet: met,
    value: ({ since }) => since('4.16'),
    why: 'CC_STACKPROTECTOR before 4.18; on by default since 4.16 (CC_STACKPROTECTOR_AUTO)',
  },
  {
    name: 'DEBUG_STACK_USAGE',
    prompt: true,
    unmet: met,
    value: never,
    why: 'off by default: clears every new stack and counts its untouched words at exit',
  },
  {
    name: 'DEBUG_STACKOVERFLOW',
    prompt: true,
    unmet: ({ arch, since, version }) =>
      arch === 'x86_64' && since('5.2')
        ? `offered on x86 for 32 bits only since 5.2, whose IRQ stacks have guard pages; this is ${version}`
        : null,
    value: never,
    why: 'off by default: a look at RSP at every device interrupt',
  },
  {
    name: 'STACK_TRACER',
    prompt: true,
    unmet: met,
    value: never,
    why: 'off by default: a look at RSP at every function call',
  },
  {
    name: 'STACKLEAK',
    prompt: true,
    unmet: inTree('4.20', 'GCC_PLUGIN_STACKLEAK (KSTACK_ERASE by 6.19)'),
    value: never,
    why: 'off by default: erases the used part of the stack before user mode; no check for overruns',
  },
  {
    name: 'RANDOMIZE_KSTACK_OFFSET_DEFAULT',
    prompt: true,
    unmet: firstRead('5.14'),
    value: never,
    why: 'off by default: takes up to 1008 bytes of a stack at each system call',
  },
];
