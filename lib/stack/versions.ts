import { compareKernelVersions, sinceVersion } from '../mm/kernel-version';

/**
 * What changed when, as data: each row holds from its version on, until a later row changes it again.
 * Versions are those whose source trees were read; between two of them the older behaviour is modelled.
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

/** How the kernel words what it has to say about a stack that ran out. */
export interface OopsWording {
  /** `BUG: …stack guard page was hit at …`: since 5.16 (44b979fa302c) it names the kind of stack. */
  readonly guardPageNamesStack: boolean;
  /** Text before `: 0000 [#1]` for a guard hit through #DF and through #PF. */
  readonly guardPageDie: { readonly doubleFault: string; readonly pageFault: string };
  /** `Oops: ` before the die text of a guard hit or a general protection fault. */
  readonly diePrefix: string;
  /** `unable to handle kernel paging request at` (to 4.20), then `unable to handle page fault for address:`. */
  readonly pageFault: string;
  /** Says read or write, user or supervisor in `#PF:` lines. */
  readonly explainsErrorCode: boolean;
  /** Return addresses in the call trace carry their raw value `[<ffffffff81000000>]`. */
  readonly rawAddresses: boolean;
}

/** The part of a kernel that decides what happens to a stack. */
export interface KernelFeatures {
  /** log2 of the pages of a stack: 1 = 8 KB, 2 = 16 KB. */
  readonly THREAD_SIZE_ORDER: number;
  readonly HAVE_ARCH_VMAP_STACK: boolean;
  /** SCHED_STACK_END_CHECK can be configured. */
  readonly hasStackEndCheck: boolean;
  /** thread_info lives in task_struct; the stack's lowest word is the end magic. */
  readonly THREAD_INFO_IN_TASK: boolean;
  readonly threadInfo: ThreadInfoLayout;
  /** Freed vmalloc'ed stacks kept for the next fork, per CPU. */
  readonly NR_CACHED_STACKS: number;
  /** A reused cached stack is cleared. */
  readonly clearsReusedStack: boolean;
  /** Guard pages around the IRQ stack (VMAP_STACK) and between the exception stacks. */
  readonly guardsIrqStack: boolean;
  readonly guardsIstStacks: boolean;
  /** Exception stacks of one CPU, lowest address first, bytes each. */
  readonly istStackSize: number;
  /** Value of the IST field in the #DF gate. */
  readonly istDoubleFault: number;
  /** The #DF handler runs as NMI: in_interrupt() is true, so die() panics. */
  readonly doubleFaultIsNmi: boolean;
  /** The #PF path takes the page above the stack for a guard hit, too. */
  readonly guardHitAbove: boolean;
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

const flagsOnly = (size: number, more: ThreadInfoField[] = []): ThreadInfoLayout => ({
  size,
  fields: [{ name: 'flags', offset: 0, size: 8 }, ...more],
});

const SYSCALL_WORK: ThreadInfoField = { name: 'syscall_work', offset: 8, size: 8 };

const WORDING_2009: OopsWording = {
  guardPageNamesStack: false,
  guardPageDie: {
    doubleFault: 'kernel stack overflow (double-fault)',
    pageFault: 'kernel stack overflow (page fault)',
  },
  diePrefix: '',
  pageFault: 'unable to handle kernel paging request at',
  explainsErrorCode: false,
  rawAddresses: true,
};

const OLDEST: KernelFeatures = {
  THREAD_SIZE_ORDER: 1,
  HAVE_ARCH_VMAP_STACK: false,
  hasStackEndCheck: false,
  THREAD_INFO_IN_TASK: false,
  threadInfo: threadInfo104('preempt_count', 'uaccess_err'),
  NR_CACHED_STACKS: 0,
  clearsReusedStack: false,
  guardsIrqStack: false,
  guardsIstStacks: false,
  istStackSize: 4096,
  istDoubleFault: 2,
  doubleFaultIsNmi: false,
  guardHitAbove: true,
  oops: WORDING_2009,
};

type Change = Partial<Omit<KernelFeatures, 'oops'>> & { readonly oops?: Partial<OopsWording> };

const CHANGES: readonly (readonly [since: string, change: Change])[] = [
  ['2.6.32', {}],
  ['2.6.39', {}],
  ['3.6', {}],
  [
    '3.14',
    { threadInfo: threadInfo104('saved_preempt_count', 'sig_on_uaccess_error, uaccess_err') },
  ],
  // 6538b8ea886e "x86_64: expand kernel stack to 16K"
  ['3.15', { THREAD_SIZE_ORDER: 2 }],
  ['4.4', { hasStackEndCheck: true, threadInfo: THREAD_INFO_40, istDoubleFault: 1 }],
  // ba14a194a434, e37e43a497d5, 15f4eae70d36, ac496bf48d97
  [
    '4.9',
    {
      HAVE_ARCH_VMAP_STACK: true,
      THREAD_INFO_IN_TASK: true,
      threadInfo: flagsOnly(8),
      NR_CACHED_STACKS: 2,
      oops: { rawAddresses: false },
    },
  ],
  ['4.14', { clearsReusedStack: true }],
  ['4.20', { threadInfo: flagsOnly(16, [{ name: 'status', offset: 8, size: 4 }]) }],
  ['5.0', {}],
  [
    '5.2',
    {
      guardsIrqStack: true,
      guardsIstStacks: true,
      oops: { pageFault: 'unable to handle page fault for address:', explainsErrorCode: true },
    },
  ],
  ['5.3', {}],
  ['5.7', {}],
  // The #DF handler enters with nmi_enter(): an overrun through #DF panics the machine.
  ['5.8', { doubleFaultIsNmi: true }],
  ['5.11', { threadInfo: flagsOnly(24, [SYSCALL_WORK, { name: 'status', offset: 16, size: 4 }]) }],
  ['5.14', {}],
  // 44b979fa302c, 7fae4c24a2b8; read in 5.17, dated 5.16 by their pull requests
  [
    '5.16',
    {
      istStackSize: 8192,
      guardHitAbove: false,
      oops: {
        guardPageNamesStack: true,
        guardPageDie: { doubleFault: 'stack guard page', pageFault: 'stack guard page' },
      },
    },
  ],
  ['5.19', {}],
  ['6.1', {}],
  ['6.5', {}],
  [
    '6.8',
    {
      threadInfo: flagsOnly(24, [
        SYSCALL_WORK,
        { name: 'status', offset: 16, size: 4 },
        { name: 'cpu', offset: 20, size: 4 },
      ]),
    },
  ],
  // First release with the prefix is not known; it is absent in 6.8 and present in 6.14.
  ['6.14', { oops: { diePrefix: 'Oops: ' } }],
  ['6.19', {}],
];

/** The versions whose behaviour is known, oldest first. */
export const KNOWN_VERSIONS: readonly string[] = CHANGES.map(([since]) => since);

/**
 * The features of the nearest known version not newer than `version`.
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
  for (const [since, change] of CHANGES) {
    if (!sinceVersion(version, since)) break;
    features = { ...features, ...change, oops: { ...features.oops, ...change.oops } };
    modelled = since;
  }
  return { modelled, features };
}
