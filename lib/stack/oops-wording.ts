/** How the kernel words what it has to say about a stack that ran out, and how it lays an oops out. */
export interface OopsWording {
  /** `BUG: …stack guard page was hit at …`: since 5.16 (44b979fa302c) it names the kind of stack. */
  readonly guardPageNamesStack: boolean;
  /** Text before `: 0000 [#1]` for a guard hit through #DF and through #PF. */
  readonly guardPageDie: { readonly doubleFault: string; readonly pageFault: string };
  /** `Oops: ` before whatever die() says, also before its own `Oops`. */
  readonly diePrefix: string;
  /**
   * After `[#1]`: how a distribution's kernel was built. A blank at the end of the line, up to 4.6 or so, is
   * left out. See {@link KernelConfig.SMP} for what the tiny configuration prints.
   */
  readonly dieFlags: string;
  /** Words between `BUG: ` and the address, for a bad page and for page 0. */
  readonly pageFault: string;
  readonly nullPointer: string;
  /** What the error code is taken to mean: unsaid, as `#PF error: [WRITE]`, or in two `#PF:` lines. */
  readonly explainsErrorCode: 'no' | 'list' | 'sentences';
  /** A line `IP: …` before the page-table entries. */
  readonly ipLine: boolean;
  /** The p4d entry stands among the page-table entries. */
  readonly printsP4d: boolean;
  /** `general protection fault, probably for non-canonical address 0x…`. */
  readonly gpAddress: boolean;
  /** What stands before `PANIC: double fault`; null where there is no such line. */
  readonly doubleFaultPrefix: string | null;
  /** Code addresses carry their raw value `[<ffffffff81000000>]`, and the stack is dumped word by word. */
  readonly rawAddresses: boolean;
  /** The line that says who was running. */
  readonly taskLine: 'Pid' | 'CPU PID' | 'CPU UID PID';
  /** The line that gives task_struct and stack: `Process …`, `task: … ti: …`, `task: … task.stack: …`. */
  readonly taskPointers: 'process' | 'ti' | 'stack' | 'none';
  /** Debug registers are printed even if nobody set them. */
  readonly debugRegisters: boolean;
  /** Where the list of modules stands. */
  readonly modules: 'inside' | 'before' | 'after';
  /** What is printed once more at the end of an oops. */
  readonly summary: 'raw' | 'line' | 'registers';
  /** `<TASK>` and `</TASK>` around the task's part of a call trace. */
  readonly namesTaskStack: boolean;
  /** A call trace begins where the stack is now, not where it was when the exception came: see call-trace.ts. */
  readonly traceBeginsHere: boolean;
  /** `stack-protector: Kernel stack is corrupted in: ` an address by %p, or a symbol by %pB. */
  readonly stackChkFail: 'address' | 'symbol';
  /** panic() dumps the stack even after an oops. */
  readonly panicAlwaysDumps: boolean;
  /** A message that ends with a line feed leaves an empty line. */
  readonly panicKeepsLineFeed: boolean;
  /** Last line of a panic: none, without and with its closing bracket. */
  readonly panicEnd: 'none' | 'open' | 'closed';
  /** `Kernel Offset: …` in a panic. */
  readonly kernelOffset: boolean;
  /** `note: … exited with irqs disabled`. */
  readonly notesIrqsDisabled: boolean;
  /** What killing process 1 says; % stands for the exit code. */
  readonly killedInit: string;
  /** How many letters print_tainted() has: one for each reason there is, or a blank. */
  readonly taintFlags: number;
  /** The function that panic() calls for the stack. */
  readonly dumpStack: 'dump_stack' | 'dump_stack_lvl';
  /** `()` behind the place of a WARN(). */
  readonly warnBrackets: boolean;
  /** `used greatest stack depth` names the pid, too. */
  readonly stackUsageNamesPid: boolean;
  /** `BUG: KASan: … at addr …`, `BUG: KASAN: … at addr …` and a taint, or with the address in the second line. */
  readonly kasanHeader: 'KASan, address' | 'KASAN, address' | 'KASAN';
  /** What KASAN calls an access to a free slab object. */
  readonly kasanUseAfterFree: 'use after free' | 'use-after-free' | 'slab-use-after-free';
  /** %p prints a hash unless booted with no_hash_pointers (ad67b74d2469, v4.15). */
  readonly hashesPointers: boolean;
}

/** 2.6.32. */
export const WORDING_OLDEST: OopsWording = {
  guardPageNamesStack: false,
  guardPageDie: {
    doubleFault: 'kernel stack overflow (double-fault)',
    pageFault: 'kernel stack overflow (page fault)',
  },
  diePrefix: '',
  dieFlags: ' SMP',
  pageFault: 'unable to handle kernel paging request at',
  nullPointer: 'unable to handle kernel NULL pointer dereference at',
  explainsErrorCode: 'no',
  ipLine: true,
  printsP4d: false,
  gpAddress: false,
  doubleFaultPrefix: null,
  rawAddresses: true,
  taskLine: 'Pid',
  taskPointers: 'process',
  debugRegisters: true,
  modules: 'inside',
  summary: 'raw',
  namesTaskStack: false,
  traceBeginsHere: false,
  stackChkFail: 'address',
  panicAlwaysDumps: true,
  panicKeepsLineFeed: true,
  panicEnd: 'none',
  kernelOffset: false,
  notesIrqsDisabled: false,
  killedInit: 'Attempted to kill init!',
  taintFlags: 11,
  dumpStack: 'dump_stack',
  warnBrackets: true,
  stackUsageNamesPid: false,
  kasanHeader: 'KASan, address',
  kasanUseAfterFree: 'use after free',
  hashesPointers: false,
};

/**
 * What changed with which version, added to what came before. Each row stands for a tree or a log of that
 * version; where between it and the row before the change was made was not looked up, unless a commit is named.
 *
 * `taintFlags` was counted in logs of 2.6.32, 2.6.38, 3.2, 3.15, 3.17, 4.1, 4.15, 4.19, 6.1 and 6.17; by its
 * patch the last but one came with 6.0.
 */
export const WORDING_CHANGES: ReadonlyMap<string, Partial<OopsWording>> = new Map<
  string,
  Partial<OopsWording>
>([
  ['2.6.38', { taintFlags: 12 }],
  ['3.2', { taintFlags: 13 }],
  // Tree of 3.6 (dumpstack.c); the two others are taken to be of about that time.
  ['3.6', { panicAlwaysDumps: false, killedInit: 'Attempted to kill init! exitcode=%' }],
  // Trees: without the pid in 3.4, with it in 3.8.13.
  ['3.8', { stackUsageNamesPid: true }],
  [
    '3.14',
    {
      // Ubuntu's 3.13 tree; dump_stack_print_info() replaced show_regs_common().
      ...{ taskLine: 'CPU PID', taskPointers: 'ti', debugRegisters: false },
      // df_debug(): not in 3.6.
      doubleFaultPrefix: '',
    },
  ],
  ['3.15', { taintFlags: 14 }],
  ['3.17', { taintFlags: 15 }],
  ['4.1', { taintFlags: 16 }],
  [
    '4.4',
    {
      // A 4.4.0 log of a corrupted stack end.
      ...{ panicEnd: 'open', kernelOffset: true },
      // "kasan: update log messages", "kasan: always taint kernel on report": merged for 4.4
      ...{ kasanHeader: 'KASAN, address', kasanUseAfterFree: 'use-after-free' },
    },
  ],
  // Tree: ti is gone with thread_info from the stack.
  ['4.9', { taskPointers: 'stack', warnBrackets: false }],
  // bb5e5ce545f2 and 0ee1dd9f5e7e: no kernel text addresses, no raw stack in a dump.
  ['4.10', { rawAddresses: false, summary: 'line' }],
  // "kasan: change report header", merged for 4.12
  ['4.12', { kasanHeader: 'KASAN' }],
  // A 4.14.4 log; p4d came with 4.12.
  ['4.14', { printsP4d: true }],
  // Logs of 4.15-rc: `task:` and `task.stack:` are hashed. Page-table isolation is named since; logs of
  // 4.16.0-rc1 and -rc7 have ` SMP PTI`.
  ['4.15', { hashesPointers: true, dieFlags: ' SMP NOPTI', taintFlags: 17 }],
  // A 4.17.3 log: no task line. %pB is 0862ca422b79, between commits of 4.15 and 4.18 in the history of panic.c.
  ['4.17', { taskPointers: 'none', ipLine: false, panicEnd: 'closed', stackChkFail: 'symbol' }],
  ['4.19', { taintFlags: 18 }],
  // exec_summary_regs; 4.18 by its commit 602bd705da33.
  ['4.20', { modules: 'after', summary: 'registers' }],
  // Logs of 5.0 and 5.1: `#PF error: [normal kernel read fault]`.
  ['5.0', { explainsErrorCode: 'list' }],
  [
    '5.2',
    {
      pageFault: 'unable to handle page fault for address:',
      nullPointer: 'kernel NULL pointer dereference, address:',
      explainsErrorCode: 'sentences',
    },
  ],
  // 5.5.0+ and 5.6.16 logs.
  ['5.6', { gpAddress: true, doubleFaultPrefix: 'traps: ' }],
  // Tree of 5.10.13: panic() cuts a line feed off.
  ['5.11', { panicKeepsLineFeed: false }],
  ['5.14', { dumpStack: 'dump_stack_lvl' }],
  [
    '5.16',
    {
      guardPageNamesStack: true,
      guardPageDie: { doubleFault: 'stack guard page', pageFault: 'stack guard page' },
      namesTaskStack: true,
    },
  ],
  ['6.0', { taintFlags: 19 }],
  // The recorded 6.1.192 has PREEMPT_DYNAMIC, as distributions built it by then.
  ['6.1', { dieFlags: ' PREEMPT SMP NOPTI', notesIrqsDisabled: true }],
  // A log of 6.4-rc5; 2e4be0d011f2.
  ['6.4', { kasanUseAfterFree: 'slab-use-after-free', traceBeginsHere: true }],
  // Absent in 6.8; in logs of 6.10-rc. A page fault then reads `Oops: Oops: 0002`.
  ['6.10', { diePrefix: 'Oops: ' }],
  // A 6.12.52 log.
  ['6.12', { taskLine: 'CPU UID PID' }],
  // 2c118f50d7fd
  ['6.15', { traceBeginsHere: false }],
  ['6.17', { taintFlags: 20 }],
  // Logs of 6.15 on: how the kernel preempts is said in the task's line instead.
  ['6.19', { dieFlags: ' SMP NOPTI' }],
]);
