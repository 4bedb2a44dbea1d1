import { RFLAGS_IF } from '../x86/registers';
import type { VirtAddr } from '../x86/addr';
import { callTrace, stackWords } from './call-trace';
import { endOfStackOffset, PT_REGS_SIZE, type KernelConfig } from './config';
import type { Machine } from './machine';
import { modulesLine, taskLines } from './oops';
import { panic } from './panic';
import { PT_REGS, readRegs, type RegName, type Regs } from './registers-text';
import { kernelStacks, taskStackPage } from './stack-info';
import { currentTask, type Task } from './task';
import type { WriteWatch } from './write-watch';

/** Vector of the device that interrupts. */
export const DEVICE_VECTOR = 0x21;
/** Bytes of one frame of the interrupt handler, return address included. */
const HANDLER_FRAME = 256;
/** What a handler uses of the IRQ stack unless told otherwise: an assumption. */
const HANDLER_DEPTH = 1024;
const STACK_TOP_MARGIN = 128n;

const SAVED = PT_REGS.slice(0, 15) as Exclude<
  RegName,
  'errorCode' | 'rip' | 'cs' | 'eflags' | 'rsp' | 'ss'
>[];

/**
 * The interrupts of a machine: a device that interrupts when it is told to, the IRQ stack, and how deep the
 * CPU is in interrupts (part of preempt_count, kept outside memory).
 */
export class Interrupts {
  /** Lowest address of the IRQ stack; null until the first interrupt, before which it is not laid out. */
  stack: VirtAddr | null = null;
  /** Above 0: in_interrupt(). */
  depth = 0;
  /** The device interrupts as soon as this holds, between two pieces of kernel code. */
  due: ((m: Machine) => boolean) | null = null;
  /** The watch of the interrupted code: what a handler does on the IRQ stack is not its doing. */
  watch: WriteWatch | null = null;
  /** Bytes that its handler uses of the IRQ stack. */
  handlerDepth = HANDLER_DEPTH;
  /** How many interrupts came in. */
  taken = 0;
  /** WARN_ONCE() has warned. */
  warned = false;
  private saved: Partial<Interrupts> = {};

  snapshot(): void {
    const { stack, depth, due, watch, handlerDepth, taken, warned } = this;
    this.saved = { stack, depth, due, watch, handlerDepth, taken, warned };
  }

  restore(): void {
    Object.assign(this, this.saved);
  }

  /** Lets the device interrupt if its moment has come and interrupts are on. */
  deliverDue(m: Machine): void {
    if (!this.due || !(m.cpu.rflags & RFLAGS_IF) || !this.due(m)) return;
    this.due = null;
    this.taken++;
    const { rsp } = m.cpu;
    const delivery = m.cpu.interrupt(DEVICE_VECTOR);
    if (delivery.faults.length > 0) {
      m.deliveries.push({ delivery, rsp });
      m.watch = null;
      if (delivery.kind === 'triple-fault') m.state = 'reset';
    } else if (delivery.kind === 'handler') {
      // What the CPU itself pushed.
      m.watch?.mark(delivery.rsp, Number(rsp - delivery.rsp));
    }
  }
}

/** Has the device interrupt `task` once it has at most `left` bytes of its stack left, to the next 16. */
export function interruptNear(m: Machine, task: Task, left: number): void {
  const from = task.stack + BigInt(left) + 16n;
  m.irq.due = ({ cpu }) => cpu.rsp < from && currentTask(m) === task;
}

/** Name of the entry code of device interrupts, to which the gate of the IDT points. */
export function interruptEntry({ asmEntries }: KernelConfig): string {
  return asmEntries ? 'asm_common_interrupt' : 'common_interrupt';
}

/**
 * Lays out the way of a device interrupt: the CPU pushes five words on the interrupted stack, the entry code
 * the vector and the registers (168 bytes in all); only then RSP goes to the IRQ stack, where the handler
 * runs (arch/x86/entry/entry_64.S; SAVE_ARGS_IRQ in 3.14).
 *
 * Simplified: every version saves the whole pt_regs, and since 5.8 the C function between entry code and
 * stack switch takes nothing of the interrupted stack here.
 */
export function defineInterrupts(m: Machine): void {
  const { text } = m;
  const entry = text.named(interruptEntry(m.config));
  const doIrq = text.define(m.config.asmEntries ? '__common_interrupt' : 'do_IRQ', 0x100);
  const handler = text.define('handle_irq_event_percpu', 0x1b0);
  if (m.config.DEBUG_STACKOVERFLOW) text.define('handle_irq', 0x150);
  const locals = BigInt(HANDLER_FRAME - 16);

  text.at(entry, 0, ({ cpu }) => {
    // ~vector where an exception has its error code.
    m.push(BigInt.asUintN(64, ~BigInt(DEVICE_VECTOR)));
    for (const register of [...SAVED].reverse()) m.push(cpu.gpr[register]);
    const regs = cpu.rsp;
    [m.irq.watch, m.watch] = [m.watch, null];
    if (m.irq.depth === 0) {
      cpu.rsp = irqStack(m) + BigInt(m.config.IRQ_STACK_SIZE);
      m.push(regs);
    } else m.push(regs);
    m.irq.depth++;
    cpu.gpr.rdi = regs;
    m.call(doIrq.address, leave);
  });
  const leave = text.at(entry, 0x22, ({ cpu }) => {
    m.irq.depth--;
    m.watch = m.irq.watch;
    cpu.rsp = m.pop();
    for (const register of SAVED) cpu.gpr[register] = m.pop();
    cpu.rsp += 8n; // the vector
    const fault = cpu.iretq();
    if (fault) m.raiseAndLeave(fault);
  });
  text.setFrameRule(leave, { kind: 'regs-pointer', offset: 0 });

  text.at(doIrq, 0, ({ cpu }) => {
    m.push(cpu.gpr.rbp);
    stackOverflowCheck(m, readRegs(m, cpu.gpr.rdi));
    if (m.state !== 'alive') return;
    cpu.gpr.rdi = BigInt(m.irq.handlerDepth);
    m.call(handler.address, afterHandler);
  });
  const afterHandler = text.at(doIrq, 0x80, ({ cpu }) => {
    cpu.gpr.rbp = m.pop();
    m.ret();
  });
  text.setFrameRule(doIrq.address, { kind: 'frame', base: 'rsp', offset: 16, savedRbp: -16 });
  text.setFrameRule(afterHandler, { kind: 'frame', base: 'rsp', offset: 16, savedRbp: -16 });

  text.at(handler, 0, ({ cpu }) => {
    m.push(cpu.gpr.rbp);
    cpu.rsp -= locals;
    cpu.rip = body;
  });
  const body = text.at(handler, 0x20, ({ cpu }) => {
    const left = cpu.gpr.rdi - BigInt(HANDLER_FRAME);
    m.store64(cpu.rsp, left);
    cpu.gpr.rdi = left;
    if (left > 0n) m.call(handler.address, afterCall);
    else cpu.rip = afterCall;
  });
  const afterCall = text.at(handler, 0x5c, ({ cpu }) => {
    cpu.rsp += locals;
    cpu.gpr.rbp = m.pop();
    m.ret();
  });
  text.setFrameRule(handler.address, { kind: 'frame', base: 'rsp', offset: 8, savedRbp: null });
  for (const at of [body, afterCall]) {
    text.setFrameRule(at, { kind: 'frame', base: 'rsp', offset: HANDLER_FRAME, savedRbp: -16 });
  }
}

/**
 * The CPU's IRQ stack, laid out at the first interrupt: vmap()ed between guard pages since 5.2 with
 * VMAP_STACK, else per-CPU memory with other per-CPU data right below it.
 *
 * @throws RangeError if there is no memory for it
 */
function irqStack(m: Machine): VirtAddr {
  const { irq, config } = m;
  if (irq.stack !== null) return irq.stack;
  const bytes = config.IRQ_STACK_SIZE;
  const noMemory = () => new RangeError('irq: expected memory for the IRQ stack, but it ran out');
  if (config.VMAP_STACK && config.guardsIrqStack) {
    const area = m.vmalloc.vmalloc(bytes, {
      align: bytes,
      caller: 'irq_init_percpu_irqstack+0xcf/0x100',
      class: 'percpu',
    });
    if (!('addr' in area)) throw noMemory();
    irq.stack = area.addr;
  } else {
    const order = Math.log2(bytes / 4096) + 1;
    const pfn = m.pageAllocator.allocPages(order, { class: 'percpu' });
    if (pfn === null) throw noMemory();
    irq.stack = m.directMap.physToVirt(BigInt(pfn) << 12n) + BigInt(bytes);
  }
  return irq.stack;
}

/**
 * stack_overflow_check() of CONFIG_DEBUG_STACKOVERFLOW: compares RSP of the interrupted code with what a
 * pt_regs and 128 bytes above thread_info leave; above the base, where no thread_info lies there (trees of
 * 4.8.15 and 4.9). Reads no byte of the stack; sees an overrun only if an interrupt happens to come while it
 * lasts. From the source of 2.6.32, 3.1, 3.4, 3.12.8, 4.8.15, 4.12 and 4.19.
 *
 * All exception stacks count as good, as in those trees; stable releases from 2019 on let the debug stack
 * alone do so.
 */
function stackOverflowCheck(m: Machine, regs: Regs): void {
  const { config } = m;
  if (!config.DEBUG_STACKOVERFLOW) return;
  // regs->sp and task->stack.
  m.detectors.note('irq-check', 2);
  const base = taskStackPage(m) ?? 0n;
  const top = base + BigInt(config.THREAD_SIZE);
  const margin = BigInt(endOfStackOffset(config) + PT_REGS_SIZE) + STACK_TOP_MARGIN;
  const { rsp } = regs;
  if (config.stackOverflowCheck === 'near') {
    if (rsp < base || rsp > top || rsp >= base + margin) return;
    warnOnce(m, `do_IRQ: ${comm(m)} near stack overflow (cur:${hex(base)},sp:${hex(rsp)})`);
    return;
  }
  if (rsp >= base + margin && rsp <= top) return;
  const stacks = kernelStacks(m);
  const irqStack = stacks.find(({ kind }) => kind === 'irq');
  const irqTop = (irqStack?.base ?? 0n) + STACK_TOP_MARGIN;
  const irqBottom = irqStack?.top ?? 0n;
  if (rsp >= irqTop && rsp <= irqBottom) return;
  const exception = stacks.filter(({ kind }) => kind === 'exception');
  // The lowest of them is EXCEPTION_STKSZ large in every version that has the check.
  const exceptionTop = exception[0].base + STACK_TOP_MARGIN;
  const exceptionBottom = exception[exception.length - 1].top;
  if (rsp >= exceptionTop && rsp <= exceptionBottom) return;
  const ip =
    config.stackOverflowCheck === 'overflown, ip' ? `,ip:${m.text.symbolize(regs.rip)}` : '';
  warnOnce(
    m,
    `do_IRQ(): ${comm(m)} has overflown the kernel stack (cur:${hex(base)},sp:${hex(rsp)},` +
      `irq stk top-bottom:${hex(irqTop)}-${hex(irqBottom)},` +
      `exception stk top-bottom:${hex(exceptionTop)}-${hex(exceptionBottom)}${ip})`,
  );
  if (config.panicOnStackOverflow) panic(m, 'low stack detected by irq handler - check messages');
}

const hex = (value: bigint) => value.toString(16);
const comm = (m: Machine) => currentTask(m)?.comm ?? '?';

/** WARN_ONCE(): file and function, message, who, call trace. The line number is left out. */
function warnOnce(m: Machine, message: string): void {
  if (m.irq.warned) return;
  const { oops } = m.config;
  const at = m.text.symbolize(m.text.named('handle_irq').address + 0x141n);
  const where = `at arch/x86/kernel/irq_64.c ${at}${oops.warnBrackets ? '()' : ''}`;
  const who = oops.taskLine === 'Pid' ? '' : ` CPU: 0 PID: ${currentTask(m)?.pid ?? 0}`;
  const { cpu } = m;
  const state = { rip: m.text.named('do_IRQ').address, rsp: cpu.rsp, rbp: cpu.gpr.rbp };
  const words = oops.rawAddresses && oops.taskLine !== 'Pid' ? stackWords(m, cpu.rsp) : [];
  const lines = [
    '------------[ cut here ]------------',
    `WARNING:${who} ${where}`,
    message,
    modulesLine(m),
    ...taskLines(m),
    ...words,
    ...callTrace(m, state),
    '---[ end trace 0000000000000000 ]---',
  ];
  // The taint is for what comes after it.
  m.irq.warned = true;
  m.printk(...lines);
}
