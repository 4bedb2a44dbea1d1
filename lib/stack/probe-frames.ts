import type { GprName } from '../x86/cpu';

/** Offsets in struct kt, as the compiler places them. RSP_GIVEN, a 32-bit word, lies in the padding before a0. */
export const KT = {
  WQ_HEAD_NEXT: 16n,
  WQ_HEAD_PREV: 24n,
  CMD: 36n,
  DONE: 40n,
  RSP_GIVEN: 44n,
  A0: 48n,
  A1: 56n,
  RC: 64n,
  SIZE: 112,
} as const;

/** Offsets in struct rc, which lies inside struct kt. */
export const RC = { LIMIT: 0n, FRAME: 8n, DEEPEST: 16n, BASE: 24n, DEPTH: 32n, FILL: 40n } as const;

/** Offsets in struct wait_queue_entry, a local of the thread's main loop. */
export const WAIT = { FUNC: 16n, ENTRY: 24n, ENTRY_PREV: 32n, SIZE: 40n } as const;

/** struct kt's cmd */
export const COMMANDS = { recurse: 1, jump: 2, poke: 3, peek: 4 } as const;

/** What kthread() and the main loop save, first pushed first. */
export const KTHREAD_SAVES = ['rbp', 'r14', 'r12', 'rbx'] as const;
export const KFN_SAVES = ['rbp', 'r14', 'r13', 'r12', 'rbx'] as const;

/** Bytes of the frames of kthread() and of the main loop, return addresses included. */
export const KTHREAD_FRAME: bigint = BigInt(8 + 8 * KTHREAD_SAVES.length + 8);
export const KFN_FRAME: bigint = BigInt(8 + 8 * KFN_SAVES.length) + 8n + WAIT.SIZE;

/** Registers that recurse() and jump() may save. */
export type Saved = 'r12' | 'r13' | 'rbx';

/** The registers that a function saves besides RBP, and those in which it keeps its alloca and its argument. */
export interface FrameRegisters {
  readonly saves: readonly Saved[];
  readonly p: GprName;
  readonly c: GprName;
}

/** The module as the recorded stock kernel's build has it. */
export const O2: Readonly<Record<'recurse' | 'jump', FrameRegisters>> = {
  recurse: { saves: ['r13', 'r12', 'rbx'], p: 'r12', c: 'rbx' },
  jump: { saves: ['r12', 'rbx'], p: 'r12', c: 'rbx' },
};

/**
 * As the small kernels' build has it, told by the frames' sizes and by where their guard-page hits came: jump()
 * knows which registers leaf() leaves alone (-fipa-ra) and saves none; which ones it uses is chosen here.
 */
export const OS: typeof O2 = {
  recurse: { saves: ['rbx'], p: 'rbx', c: 'r8' },
  jump: { saves: [], p: 'rcx', c: 'rdx' },
};

/** A bit in struct kthread. */
export const KTHREAD_SHOULD_STOP = 2;
