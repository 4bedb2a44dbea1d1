import { compareKernelVersions, sinceVersion } from '../mm/kernel-version';
import { WORDING_CHANGES, WORDING_OLDEST, type OopsWording } from './oops-wording';

export type { OopsWording } from './oops-wording';

/**
 * What changed when, as data: each row holds from its version on, until a later row changes it again. A row's
 * version is that of a source tree or a log that was read, or of the commit that is named; between two rows the
 * older behaviour is modelled. Nothing else of a kernel's stacks, traps and texts asks for the version.
 */

/** Where struct thread_info lies, and what is in it, from low to high address. */
export interface ThreadInfoLayout {
  /** sizeof(struct thread_info), bytes. */
  readonly size: number;
  readonly fields: readonly ThreadInfoField[];
}

export interface ThreadInfoField {
  readonly name: string;
  /** Offset from the start of thread_info, bytes. */
  readonly offset: number;
  readonly size: number;
}

/** An exception stack, as the version declares it. */
export interface IstStackSpec {
  /** As the oops names it. */
  readonly name: '#SS' | '#DF' | 'NMI' | '#DB' | '#MC' | '#VC';
  readonly vector: number;
  /** Bytes. */
  readonly size: number;
}

/** The part of a kernel that decides what happens to a stack. */
export interface KernelFeatures {
  /** log2 of the pages of a stack: 1 = 8 KB, 2 = 16 KB. KASAN adds 1 (see {@link kernelConfig}). */
  readonly THREAD_SIZE_ORDER: number;
  readonly HAVE_ARCH_VMAP_STACK: boolean;
  /** SCHED_STACK_END_CHECK can be configured, and what it does: BUG() or panic() (29d6455178a0). */
  readonly stackEndCheck: 'none' | 'bug' | 'panic';
  /** thread_info lives in task_struct; the stack's lowest word is the end magic. */
  readonly THREAD_INFO_IN_TASK: boolean;
  readonly threadInfo: ThreadInfoLayout;
  /** Freed vmalloc'ed stacks kept for the next fork, per CPU. */
  readonly NR_CACHED_STACKS: number;
  /** A reused cached stack is cleared. */
  readonly clearsReusedStack: boolean;
  /** THREADINFO_GFP has __GFP_ZERO, whatever is configured: a stack fresh from the allocator is clear. */
  readonly clearsNewStack: boolean;
  /**
   * Who charges a stack to its memory cgroup: nobody, the allocation (__GFP_KMEMCG or __GFP_ACCOUNT, so that a
   * cached stack stays with the cgroup that first had it), or fork and exit by hand.
   */
  readonly memcgCharge: 'none' | 'allocation' | 'task';
  /** Guard pages around the IRQ stack (VMAP_STACK) and between the exception stacks. */
  readonly guardsIrqStack: boolean;
  readonly guardsIstStacks: boolean;
  /** Per-CPU IRQ stack, bytes: IRQ_STACK_ORDER 2 in every version. */
  readonly IRQ_STACK_SIZE: number;
  /** Exception stacks of one CPU in the order of their IST index. */
  readonly istStacks: readonly IstStackSpec[];
  /** DEBUG_STACKOVERFLOW can be configured for x86-64, and how it words its warning: see irq.ts. */
  readonly stackOverflowCheck: 'none' | 'near' | 'overflown' | 'overflown, ip';
  /** The #DF handler runs as NMI: in_interrupt() is true, so die() panics. */
  readonly doubleFaultIsNmi: boolean;
  /** A #DF that is no guard hit: the task dies, or df_debug() panics with `Machine halted.` at once. */
  readonly doubleFault: 'dies' | 'halts';
  /** Who calls do_exit() on behalf of a task that is killed. */
  readonly killer: 'oops_end' | 'rewind_stack_do_exit' | 'make_task_dead';
  /** Entry code is asm_exc_… and asm_common_interrupt, and calls __common_interrupt() instead of do_IRQ(). */
  readonly asmEntries: boolean;
  /** oops_end() goes back to the top of the task's stack before it ends the task (2deb4be28077, v4.8). */
  readonly rewindsStack: boolean;
  /** The #PF path takes the page above the stack for a guard hit, too. */
  readonly guardHitAbove: boolean;
  /** Spinlocks are tickets, or queued. */
  readonly spinlocks: 'tickets' | 'queued';
  /** try_to_wake_up() looks whether the thread may run on the CPU that thread_info names. */
  readonly wakeChecksCpu: boolean;
  /** cpuacct_charge() finds its counter through thread_info's `cpu`. */
  readonly cpuacctByThreadInfo: boolean;
  /** STRICT_MODULE_RWX: a module's text is read-only in the direct map, too. */
  readonly protectsModuleText: boolean;
  /** set_max_threads() knows an upper end. */
  readonly clampsMaxThreads: boolean;
  /** The kernel switches SMEP and SMAP on. */
  readonly smep: boolean;
  readonly smap: boolean;
  readonly oops: OopsWording;
}

const threadInfo104 = (preemptCount: string, uaccess: string): ThreadInfoLayout => ({
  size: 104,
  fields: [
    { name: 'task', offset: 0, size: 8 },
    { name: 'exec_domain', offset: 8, size: 8 },
    { name: 'flags', offset: 16, size: 4 },
    { name: 'status', offset: 20, size: 4 },
    { name: 'cpu', offset: 24, size: 4 },
    { name: preemptCount, offset: 28, size: 4 },
    { name: 'addr_limit', offset: 32, size: 8 },
    { name: 'restart_block.fn', offset: 40, size: 8 },
    { name: 'restart_block', offset: 48, size: 40 },
    { name: 'sysenter_return', offset: 88, size: 8 },
    { name: uaccess, offset: 96, size: 4 },
  ],
});

/** Read in a 4.4-rt tree; its extra preempt_lazy_count is left out. */
const THREAD_INFO_40: ThreadInfoLayout = {
  size: 40,
  fields: [
    { name: 'task', offset: 0, size: 8 },
    { name: 'flags', offset: 8, size: 4 },
    { name: 'status', offset: 12, size: 4 },
    { name: 'cpu', offset: 16, size: 4 },
    { name: 'addr_limit', offset: 24, size: 8 },
    { name: 'uaccess_err', offset: 32, size: 4 },
  ],
};

/** Debug information of Ubuntu's 4.8.0-22: addr_limit (13d4ea097d18) and uaccess_err are in thread_struct. */
const THREAD_INFO_24: ThreadInfoLayout = {
  size: 24,
  fields: THREAD_INFO_40.fields.slice(0, 4),
};

const flagsOnly = (size: number, more: ThreadInfoField[] = []): ThreadInfoLayout => ({
  size,
  fields: [{ name: 'flags', offset: 0, size: 8 }, ...more],
});

const SYSCALL_WORK: ThreadInfoField = { name: 'syscall_work', offset: 8, size: 8 };

const KB4 = 4096;
const KB8 = 8192;

/** Five stacks up to 3.15, #SS first; #DB of two pages (DEBUG_STACK_ORDER 1). */
const IST_2009: readonly IstStackSpec[] = [
  { name: '#SS', vector: 12, size: KB4 },
  { name: '#DF', vector: 8, size: KB4 },
  { name: 'NMI', vector: 2, size: KB4 },
  { name: '#DB', vector: 1, size: KB8 },
  { name: '#MC', vector: 18, size: KB4 },
];
const IST_WITHOUT_SS = IST_2009.slice(1);
const ofSize = (stacks: readonly IstStackSpec[], size: number) =>
  stacks.map((stack) => ({ ...stack, size }));
/** SEV-ES #VC; its fall-back stack VC2 is no IST stack of its own and is left out. */
const IST_WITH_VC: readonly IstStackSpec[] = [
  ...ofSize(IST_WITHOUT_SS, KB4),
  { name: '#VC', vector: 29, size: KB4 },
];

const OLDEST: KernelFeatures = {
  THREAD_SIZE_ORDER: 1,
  HAVE_ARCH_VMAP_STACK: false,
  stackEndCheck: 'none',
  THREAD_INFO_IN_TASK: false,
  threadInfo: threadInfo104('preempt_count', 'uaccess_err'),
  NR_CACHED_STACKS: 0,
  clearsReusedStack: false,
  clearsNewStack: false,
  memcgCharge: 'none',
  guardsIrqStack: false,
  guardsIstStacks: false,
  IRQ_STACK_SIZE: 16384,
  istStacks: IST_2009,
  stackOverflowCheck: 'near',
  doubleFaultIsNmi: false,
  doubleFault: 'dies',
  killer: 'oops_end',
  asmEntries: false,
  rewindsStack: false,
  guardHitAbove: true,
  spinlocks: 'tickets',
  wakeChecksCpu: false,
  cpuacctByThreadInfo: true,
  protectsModuleText: false,
  clampsMaxThreads: false,
  smep: false,
  smap: false,
  oops: WORDING_OLDEST,
};

type Change = Partial<Omit<KernelFeatures, 'oops'>>;

const CHANGES: readonly (readonly [since: string, change: Change])[] = [
  ['2.6.32', {}],
  // Tree; that of 2.6.32 takes the lock of the run queue at once.
  ['2.6.39', { wakeChecksCpu: true }],
  // de5397ad5b9a: the release was not looked up; in mainline by July 2011.
  ['3.0', { smep: true }],
  // Tree of a 3.4; one of 3.1 has the old check. 55af77969fbd is in between.
  ['3.4', { stackOverflowCheck: 'overflown' }],
  ['3.6', {}],
  // 52b6179ac87d
  ['3.7', { smap: true }],
  [
    '3.14',
    {
      threadInfo: threadInfo104('saved_preempt_count', 'sig_on_uaccess_error, uaccess_err'),
      // df_debug(): not in 3.6.
      doubleFault: 'halts',
      // 2ad306b17c0a, v3.8: THREADINFO_GFP_ACCOUNTED
      memcgCharge: 'allocation',
    },
  ],
  // 6538b8ea886e "x86_64: expand kernel stack to 16K"
  ['3.15', { THREAD_SIZE_ORDER: 2 }],
  // 0d9e26329b0c; absent in the tree of 3.17, present in one of 3.18.140. "Recursive oops [...] until a panic
  // happened" (29d6455178a0); here it is a hang after as many faults as the machine counts for one.
  ['3.18', { stackEndCheck: 'bug' }],
  ['4.2', { spinlocks: 'queued' }],
  [
    '4.4',
    {
      // Mainline's since 4.7, which 4.4's stable releases took over: so the tree of 4.4.70.
      stackEndCheck: 'panic',
      threadInfo: THREAD_INFO_40,
      istStacks: IST_WITHOUT_SS,
    },
  ],
  // 73e6aafd9ea8
  ['4.6', { cpuacctByThreadInfo: false }],
  // 2deb4be28077 "x86/dumpstack: When OOPSing, rewind the stack before do_exit()"
  ['4.8', { rewindsStack: true, killer: 'rewind_stack_do_exit', threadInfo: THREAD_INFO_24 }],
  // ba14a194a434, e37e43a497d5, 15f4eae70d36, ac496bf48d97
  [
    '4.9',
    {
      HAVE_ARCH_VMAP_STACK: true,
      THREAD_INFO_IN_TASK: true,
      threadInfo: flagsOnly(8),
      NR_CACHED_STACKS: 2,
      // Tree; that of 3.14 knows the lower end only.
      clampsMaxThreads: true,
    },
  ],
  ['4.10', {}],
  ['4.11', { protectsModuleText: true }],
  // Tree; those of 4.8 and 4.9 do without `,ip:`.
  ['4.12', { stackOverflowCheck: 'overflown, ip' }],
  ['4.14', {}],
  ['4.15', {}],
  [
    '4.17',
    {
      // Debug information of Ubuntu's 4.15.0-20 (with stable's patches) has `status`, of 4.13.0-16 not.
      threadInfo: flagsOnly(16, [{ name: 'status', offset: 8, size: 4 }]),
      // e01e80634ecd. Stable took it over in 4.14.60; that of mainline's releases 4.17 was the first is not
      // verified: a mail of July 2018 has it in Linus's tree, the tree of 4.20 has it.
      clearsReusedStack: true,
      clearsNewStack: true,
    },
  ],
  // 9b6f7e163cd0 "mm: rework memcg kernel stack accounting"
  ['4.20', { memcgCharge: 'task' }],
  ['5.0', {}],
  [
    '5.2',
    {
      guardsIrqStack: true,
      guardsIstStacks: true,
      istStacks: ofSize(IST_WITHOUT_SS, KB4),
      // Offered for 32-bit only.
      stackOverflowCheck: 'none',
    },
  ],
  ['5.3', {}],
  // 93efbde2c331: a 5.2 log has df_debug()'s text, one of 5.5.0+ has die()'s.
  ['5.6', { doubleFault: 'dies' }],
  ['5.7', {}],
  // The #DF handler enters with nmi_enter(): an overrun through #DF panics the machine.
  ['5.8', { doubleFaultIsNmi: true, asmEntries: true }],
  [
    '5.11',
    {
      threadInfo: flagsOnly(24, [SYSCALL_WORK, { name: 'status', offset: 16, size: 4 }]),
      istStacks: IST_WITH_VC,
    },
  ],
  ['5.14', {}],
  // 44b979fa302c, 7fae4c24a2b8, bcf9033e5449 (`cpu`); the first two read in 5.17, dated by their pull requests
  [
    '5.16',
    {
      istStacks: ofSize(IST_WITH_VC, KB8),
      guardHitAbove: false,
      threadInfo: flagsOnly(24, [
        SYSCALL_WORK,
        { name: 'status', offset: 16, size: 4 },
        { name: 'cpu', offset: 20, size: 4 },
      ]),
    },
  ],
  // 0e25498f8cd4 "exit: Add and use make_task_dead."
  ['5.17', { killer: 'make_task_dead' }],
  ['5.19', {}],
  ['6.1', {}],
  ['6.5', {}],
  ['6.8', {}],
  ['6.10', {}],
  ['6.12', {}],
  ['6.14', {}],
  ['6.19', {}],
];

/** The versions that a row holds from, oldest first. */
export const KNOWN_VERSIONS: readonly string[] = [
  ...new Set([...CHANGES, ...WORDING_CHANGES].map(([since]) => since)),
].sort(compareKernelVersions);

const CHANGE_OF = new Map(CHANGES);

/**
 * The features of a version: those of the last row that is not newer, and which one that is.
 *
 * @throws RangeError outside 2.6.32 … 6.19
 */
export function featuresOf(version: string): { modelled: string; features: KernelFeatures } {
  const [oldest, newest] = [KNOWN_VERSIONS[0], KNOWN_VERSIONS[KNOWN_VERSIONS.length - 1]];
  if (compareKernelVersions(version, oldest) < 0 || compareKernelVersions(version, newest) > 0) {
    throw new RangeError(`kernel: expected a version from ${oldest} to ${newest}, got ${version}`);
  }
  let features = OLDEST;
  let modelled = oldest;
  for (const since of KNOWN_VERSIONS) {
    if (!sinceVersion(version, since)) break;
    const oops = { ...features.oops, ...WORDING_CHANGES.get(since) };
    features = { ...features, ...CHANGE_OF.get(since), oops };
    modelled = since;
  }
  return { modelled, features };
}
