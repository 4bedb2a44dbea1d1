import type { VirtAddr } from '../x86/addr';
import { endOfStackOffset, PT_REGS_SIZE, STACK_END_MAGIC } from './config';
import type { Machine } from './machine';
import {
  callTrace,
  cpuLine,
  pageFaultLines,
  PT_REGS,
  registerDump,
  taskStackPage,
  type RegName,
  type Regs,
} from './oops';
import { panicAfterOops } from './panic';
import { currentTask, stackTop } from './task';

const PAGE = 4096n;
const X86_PF_RSVD = 8n;
const SAVED = PT_REGS.slice(0, 15) as Exclude<
  RegName,
  'errorCode' | 'rip' | 'cs' | 'eflags' | 'rsp' | 'ss'
>[];

/** Vectors with their handlers' names and whether the CPU pushes an error code. */
export const VECTORS = [
  { vector: 0, handler: 'asm_exc_divide_error', errorCode: false },
  { vector: 6, handler: 'asm_exc_invalid_op', errorCode: false },
  { vector: 8, handler: 'asm_exc_double_fault', errorCode: true },
  { vector: 12, handler: 'asm_exc_stack_segment', errorCode: true },
  { vector: 13, handler: 'asm_exc_general_protection', errorCode: true },
  { vector: 14, handler: 'asm_exc_page_fault', errorCode: true },
] as const;

/** Lays out the exception handlers. Each begins by saving the registers where RSP is, as the entry code does. */
export function defineTraps({ text }: Machine): void {
  for (const { vector, handler, errorCode } of VECTORS) {
    text.at(text.define(handler, 0x30), 0, (m) => {
      if (!errorCode) m.push(2n ** 64n - 1n);
      for (const register of [...SAVED].reverse()) m.push(m.cpu.gpr[register]);
      const regs = readRegs(m, m.cpu.rsp);
      if (vector === 14) pageFault(m, regs);
      else if (vector === 8) doubleFault(m, regs);
      else if (vector === 13) generalProtection(m, regs);
      else
        die(
          m,
          vector === 12 ? 'stack segment' : vector === 6 ? 'invalid opcode' : 'divide error',
          regs,
          0,
          false,
        );
    });
  }
}

function readRegs(m: Machine, at: VirtAddr): Regs {
  const entries = PT_REGS.map((name, i) => [name, m.load64(at + BigInt(8 * i))]);
  return Object.fromEntries(entries) as Regs;
}

function pageFault(m: Machine, regs: Regs): void {
  const address = m.cpu.cr2;
  if (regs.errorCode & X86_PF_RSVD) {
    pgtableBad(m, regs, address);
    return;
  }
  const guarded = guardHit(m, address, true);
  if (guarded) {
    // "We don't want to make it all the way into the oops code and then double-fault."
    m.cpu.rsp = m.entryArea.istStacks[0].top - 8n;
    handleStackOverflow(m, regs, address, guarded, 'pageFault', false);
    return;
  }
  const errorCode = Number(regs.errorCode);
  m.printk(...pageFaultLines(m, address, errorCode));
  if (m.load64(taskStackPage(m) + BigInt(endOfStackOffset(m.config))) !== STACK_END_MAGIC) {
    m.printk('Thread overran stack, or stack corrupted');
  }
  die(m, 'Oops', regs, errorCode, false, address);
}

/** pgtable_bad(): reserved bits in an entry, whoever met them. */
function pgtableBad(m: Machine, regs: Regs, address: VirtAddr): void {
  const comm = currentTask(m)?.comm ?? '?';
  m.printk(`${comm}: Corrupted page table at address ${address.toString(16)}`);
  die(m, 'Bad pagetable', regs, Number(regs.errorCode), false);
}

function doubleFault(m: Machine, regs: Regs): void {
  const address = m.cpu.cr2;
  const nmi = m.config.doubleFaultIsNmi;
  const guarded = guardHit(m, address, false);
  if (guarded) {
    handleStackOverflow(m, regs, address, guarded, 'doubleFault', nmi);
    return;
  }
  m.printk(`traps: PANIC: double fault, error_code: 0x${regs.errorCode.toString(16)}`);
  die(m, 'double fault', regs, Number(regs.errorCode), nmi);
  // die() has killed the task or the machine; a task that can't be killed goes on to this panic.
}

function generalProtection(m: Machine, regs: Regs): void {
  die(m, `${m.config.oops.diePrefix}general protection fault`, regs, Number(regs.errorCode), false);
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
  const begin = taskStackPage(m);
  const end = begin + BigInt(config.THREAD_SIZE);
  if (below(begin, address) || (config.guardHitAbove && inPageFault && above(end, address))) {
    return { name: 'TASK', begin, end };
  }
  if (!config.oops.guardPageNamesStack) return null;
  const ist = m.entryArea.istStacks.find(
    ({ base }) => config.guardsIstStacks && below(base, address),
  );
  return ist ? { name: ist.name, begin: ist.base, end: ist.top } : null;
}

const below = (base: VirtAddr, address: VirtAddr) => address < base && address >= base - PAGE;
const above = (end: VirtAddr, address: VirtAddr) => address >= end && address < end + PAGE;

function handleStackOverflow(
  m: Machine,
  regs: Regs,
  address: VirtAddr,
  { name, begin, end }: Guarded,
  path: 'doubleFault' | 'pageFault',
  inNmi: boolean,
): void {
  const { oops } = m.config;
  const kind = oops.guardPageNamesStack ? `${name} ` : '';
  const last = oops.guardPageNamesStack ? end : end - 1n;
  m.printk(
    `BUG: ${kind}stack guard page was hit at ${address.toString(16)} ` +
      `(stack is ${begin.toString(16)}..${last.toString(16)})`,
  );
  die(m, `${oops.diePrefix}${oops.guardPageDie[path]}`, regs, 0, inNmi);
}

/** die() and oops_end(): the report, then a panic in interrupt context, else the end of the task. */
function die(
  m: Machine,
  what: string,
  regs: Regs,
  code: number,
  inInterrupt: boolean,
  address?: VirtAddr,
): void {
  m.oopses++;
  m.printk(`${what}: ${code.toString(16).padStart(4, '0')} [#${m.oopses}] SMP`, cpuLine(m));
  m.printk(...registerDump(m, regs), ...callTrace(m, regs.rsp));
  if (address !== undefined) m.printk(`CR2: ${address.toString(16).padStart(16, '0')}`);
  m.printk('---[ end trace 0000000000000000 ]---');
  if (inInterrupt) panicAfterOops(m, 'Fatal exception in interrupt');
  else makeTaskDead(m);
}

/** rewind_stack_and_make_dead(): from the top of its stack the task leaves the CPU for ever. */
function makeTaskDead(m: Machine): void {
  const task = currentTask(m);
  if (!task || task === m.idleTask) {
    panicAfterOops(m, task ? 'Attempted to kill the idle task!' : 'Fatal exception');
    return;
  }
  task.state = 'dead';
  m.cpu.rsp = stackTop(m, task) - BigInt(PT_REGS_SIZE);
  const schedule = m.text.define('schedule');
  m.call(schedule.address, m.text.define('do_task_dead', 0x40).address + 0x30n);
}
