import type { VirtAddr } from '../x86/addr';
import { X86_PF_INSTR } from '../x86/fault';
import { RFLAGS_IF } from '../x86/registers';
import { endOfStackOffset, PT_REGS_SIZE, STACK_END_MAGIC, type KernelConfig } from './config';
import { isExiting } from './exit';
import { DEVICE_VECTOR, interruptEntry } from './irq';
import type { Machine } from './machine';
import { oopsLines, pointerText, showRegs } from './oops';
import { pageFaultLines, tableEntries } from './page-fault-text';
import { panic, panicAfterOops } from './panic';
import { PT_REGS, readRegs, type RegName, type Regs } from './registers-text';
import { stackGuarding, taskStackPage } from './stack-info';
import { currentTask, stackTop } from './task';

const PAGE = 4096n;
const X86_PF_RSVD = 8n;
const SIGKILL = 9;
const SIGSEGV = 11;
const SAVED = PT_REGS.slice(0, 15) as Exclude<
  RegName,
  'errorCode' | 'rip' | 'cs' | 'eflags' | 'rsp' | 'ss'
>[];

const PUSHED = [...SAVED].reverse();

/** A gate of the IDT: vector, name of the entry code behind it, and whether the CPU pushes an error code. */
export interface TrapGate {
  readonly vector: number;
  readonly handler: string;
  readonly errorCode: boolean;
}

/** Exceptions whose handlers the model has: names up to 5.7; since 5.8 asm_exc_ stands before them. */
const EXCEPTIONS = [
  { vector: 0, name: 'divide_error', errorCode: false },
  { vector: 6, name: 'invalid_op', errorCode: false },
  { vector: 8, name: 'double_fault', errorCode: true },
  { vector: 12, name: 'stack_segment', errorCode: true },
  { vector: 13, name: 'general_protection', errorCode: true },
  { vector: 14, name: 'page_fault', errorCode: true },
] as const;

/** The gates that a kernel of that version sets up. */
export function trapGates(config: KernelConfig): TrapGate[] {
  const prefix = config.asmEntries ? 'asm_exc_' : '';
  const exceptions = EXCEPTIONS.map(({ vector, name, errorCode }) => ({
    vector,
    handler: `${prefix}${name}`,
    errorCode,
  }));
  return [
    ...exceptions,
    { vector: DEVICE_VECTOR, handler: interruptEntry(config), errorCode: false },
  ];
}

/** Where the C handler returns to in the entry code. */
const AFTER_HANDLER = 0x22;
/** Where df_debug() has called panic(), and whoever kills a task do_exit(). */
const IN_DF_DEBUG = 0x2dn;
const IN_KILLER = 0x30n;
const JUST_CALLED = { kind: 'frame', base: 'rsp', offset: 8, savedRbp: null } as const;

/**
 * Says what the exception handlers do, whose entry code is laid out with the gates, and lays out what they
 * call by name. Each begins by saving the registers where RSP is, as the entry code does, and calls its C
 * function, which takes nothing more of that stack here.
 */
export function defineTraps({ text, config }: Machine): void {
  for (const { vector, handler, errorCode } of trapGates(config)) {
    if (vector === DEVICE_VECTOR) continue;
    const entry = text.named(handler);
    const back = entry.address + BigInt(AFTER_HANDLER);
    text.setFrameRule(back, { kind: 'regs', offset: 0 });
    text.at(entry, 0, (m) => {
      if (!errorCode) m.push(2n ** 64n - 1n);
      m.pushAll(PUSHED);
      const regs = readRegs(m, m.cpu.rsp);
      m.push(back);
      handle(m, vector, regs);
    });
  }
  if (config.doubleFault === 'halts') {
    const df = text.define('df_debug', 0x30);
    text.setFrameRule(df.address + IN_DF_DEBUG, JUST_CALLED);
  }
  text.define(config.killer, 0x40);
}

function handle(m: Machine, vector: number, regs: Regs): void {
  if (vector !== 14 && vector !== 8) condLocalIrqEnable(m, regs);
  if (vector === 14) pageFault(m, regs);
  else if (vector === 8) doubleFault(m, regs);
  else if (vector === 13) generalProtection(m, regs);
  else if (vector === 12) die(m, 'stack segment', regs, Number(regs.errorCode));
  else die(m, vector === 6 ? 'invalid opcode' : 'divide error', regs, 0);
}

/** The gates are interrupt gates: what was interrupted may be so again, if interrupts were on there. */
function condLocalIrqEnable(m: Machine, regs: Regs): void {
  m.cpu.rflags |= regs.eflags & RFLAGS_IF;
}

/** do_user_addr_fault() lets interrupts in before it looks for the mapping, if there is a user context. */
function mayBeMapped(m: Machine, address: VirtAddr, errorCode: number): boolean {
  if (address >> 47n !== 0n || errorCode & X86_PF_INSTR) return false;
  return currentTask(m)?.kind === 'user';
}

function pageFault(m: Machine, regs: Regs): void {
  const address = m.cpu.cr2;
  const errorCode = Number(regs.errorCode);
  if (regs.errorCode & X86_PF_RSVD) {
    pgtableBad(m, regs, address);
    return;
  }
  const guarded = guardHit(m, address, true);
  if (guarded) {
    // "We don't want to make it all the way into the oops code and then double-fault."
    const doubleFaultStack = m.entryArea.istStacks.find(({ name }) => name === '#DF')!;
    m.cpu.rsp = doubleFaultStack.top - 8n;
    handleStackOverflow(m, regs, address, guarded, 'pageFault', false);
    return;
  }
  if (mayBeMapped(m, address, errorCode)) condLocalIrqEnable(m, regs);
  m.printk(...pageFaultLines(m, address, errorCode, regs));
  // The idle task's is written and looked at by newer versions only.
  const page = currentTask(m) === m.idleTask ? null : taskStackPage(m);
  if (page !== null) {
    const magic = m.peek64(page + BigInt(endOfStackOffset(m.config)));
    if (magic !== STACK_END_MAGIC) m.printk('Thread overran stack, or stack corrupted');
  }
  die(m, 'Oops', regs, errorCode, { address, signal: SIGKILL });
}

/** pgtable_bad(): reserved bits in an entry, whoever met them. */
function pgtableBad(m: Machine, regs: Regs, address: VirtAddr): void {
  const comm = currentTask(m)?.comm ?? '?';
  m.printk(
    `${comm}: Corrupted page table at address ${address.toString(16)}`,
    tableEntries(m, address),
  );
  die(m, 'Bad pagetable', regs, Number(regs.errorCode), { signal: SIGKILL });
}

function doubleFault(m: Machine, regs: Regs): void {
  const address = m.cpu.cr2;
  const { config } = m;
  const nmi = config.doubleFaultIsNmi;
  const guarded = guardHit(m, address, false);
  if (guarded) {
    handleStackOverflow(m, regs, address, guarded, 'doubleFault', nmi);
    return;
  }
  const code = regs.errorCode.toString(16);
  // df_debug() from 3.14 on, the handler itself since 5.6; before, die() alone.
  const prefix = config.oops.doubleFaultPrefix;
  if (prefix !== null) m.printk(`${prefix}PANIC: double fault, error_code: 0x${code}`);
  if (config.doubleFault === 'halts') {
    m.printk(...showRegs(m, regs));
    panic(m, 'Machine halted.', m.text.named('df_debug').address + IN_DF_DEBUG);
    return;
  }
  die(m, 'double fault', regs, Number(regs.errorCode), { inInterrupt: nmi });
  // die() has killed the task or the machine; nothing goes on to `Machine halted.`
}

/**
 * exc_general_protection(). Since 5.6 it decodes the instruction for the address it used; the model takes
 * that of the fault instead, which a jump or return to a bad address does not have.
 */
function generalProtection(m: Machine, regs: Regs): void {
  let what = 'general protection fault';
  const fault = m.deliveries[m.deliveries.length - 1]?.delivery.faults[0];
  if (m.config.oops.gpAddress) {
    if (regs.errorCode !== 0n) what = `segment-related ${what}`;
    else if (fault && fault.address !== null && fault.access !== 'execute')
      what += `, probably for non-canonical address 0x${fault.address.toString(16)}`;
  }
  die(m, what, regs, Number(regs.errorCode));
}

interface Guarded {
  readonly name: string;
  readonly begin: VirtAddr;
  readonly end: VirtAddr;
}

/**
 * Whether `address` lies in the guard page of a stack. 4.9 to 5.15 look at the task's stack only, and in the
 * #PF path at the page above it too; since 5.16 get_stack_guard_info() knows every kind of stack.
 */
function guardHit(m: Machine, address: VirtAddr, inPageFault: boolean): Guarded | null {
  const { config } = m;
  if (!config.VMAP_STACK) return null;
  if (config.oops.guardPageNamesStack) {
    const stack = stackGuarding(m, address);
    return stack && { name: stack.name, begin: stack.base, end: stack.top };
  }
  const begin = taskStackPage(m);
  if (begin === null) return null;
  const end = begin + BigInt(config.THREAD_SIZE);
  const below = address < begin && address >= begin - PAGE;
  const above = config.guardHitAbove && inPageFault && address >= end && address < end + PAGE;
  return below || above ? { name: 'TASK', begin, end } : null;
}

function handleStackOverflow(
  m: Machine,
  regs: Regs,
  address: VirtAddr,
  { name, begin, end }: Guarded,
  path: 'doubleFault' | 'pageFault',
  inInterrupt: boolean,
): void {
  const { oops } = m.config;
  const kind = oops.guardPageNamesStack ? `${name} ` : '';
  const last = oops.guardPageNamesStack ? end : end - 1n;
  m.printk(
    `BUG: ${kind}stack guard page was hit at ${pointerText(m, address)} ` +
      `(stack is ${pointerText(m, begin)}..${pointerText(m, last)})`,
  );
  die(m, oops.guardPageDie[path], regs, 0, { inInterrupt });
}

interface DeathOptions {
  /** in_interrupt() is true although no device interrupt is being handled: the handler runs as NMI. */
  readonly inInterrupt?: boolean;
  /** The last line names the address of a page fault. */
  readonly address?: VirtAddr;
  readonly signal?: number;
}

/** die() and oops_end(): the report, then a panic in interrupt context, else the end of the task. */
function die(m: Machine, what: string, regs: Regs, code: number, options: DeathOptions = {}): void {
  // %pS: the tables of symbols are looked up, which takes their pages. What they hold is KernelText's.
  m.load64(m.kallsyms);
  const lines = oopsLines(m, what, regs, code, options.address ?? null);
  m.oopses++;
  m.printk(...lines);
  if (options.inInterrupt || m.irq.depth > 0 || m.threadInfo?.inInterrupt())
    panicAfterOops(m, 'Fatal exception in interrupt');
  else if (m.config.panicOnOops) panicAfterOops(m, 'Fatal exception');
  else makeTaskDead(m, options);
}

/**
 * make_task_dead() (do_exit() before 5.17): the task exits, since 4.8 from the top of its stack, before that
 * from where it is. One that was exiting already leaves the CPU for ever, and what it owns is lost.
 */
function makeTaskDead(m: Machine, { signal = SIGSEGV }: DeathOptions): void {
  const { config } = m;
  const task = currentTask(m);
  if (!task) {
    // current is garbage: the kernel would go on with whatever it points to.
    panicAfterOops(m, 'Fatal exception');
    return;
  }
  if (task === m.idleTask) {
    panicAfterOops(m, 'Attempted to kill the idle task!');
    return;
  }
  if (!(m.cpu.rflags & RFLAGS_IF) && config.oops.notesIrqsDisabled)
    m.printk(`note: ${task.comm}[${task.pid}] exited with irqs disabled`);
  const recursive = isExiting(m, task.taskStruct);
  if (recursive) {
    m.printk('Fixing recursive fault but reboot is needed!');
    if (m.exited.includes(task)) m.exited.splice(m.exited.indexOf(task), 1);
  } else if (task.pid === 1 && task.kind === 'user') {
    const code = `0x${signal.toString(16).padStart(8, '0')}`;
    panicAfterOops(m, config.oops.killedInit.replace('%', code));
    return;
  }
  task.state = 'dead';
  m.cpu.rflags |= RFLAGS_IF;
  if (config.rewindsStack) m.cpu.rsp = stackTop(m, task) - BigInt(PT_REGS_SIZE);
  const caller = m.text.named(config.killer).address + IN_KILLER;
  m.call(m.text.named(recursive ? 'schedule' : 'do_exit').address, caller);
}
