import { offsetBy } from '../x86/addr';
import { RFLAGS_IF } from '../x86/registers';
import { stackPointerOffset } from '../x86/tss';
import { bug, STACK_END_BUG } from './bug';
import { endOfStackOffset, STACK_END_MAGIC } from './config';
import type { Machine } from './machine';
import { PER_CPU } from './per-cpu';
import { reapExited } from './exit';
import { switchMm } from './mm-context';
import { panic, stackChkFail } from './panic';
import { currentTask, currentTaskStruct, SCHEDULE_TAIL, type Task } from './task';
import { TASK } from './task-struct';

/** RBP, RBX, R12 to R15: pushed by __switch_to_asm in this order. */
export const SWITCHED = ['rbp', 'rbx', 'r12', 'r13', 'r14', 'r15'] as const;
/** What __schedule saves on entry, first pushed first. */
const SCHEDULE_SAVES = ['rbp', 'r15', 'r14', 'r13', 'r12', 'rbx'] as const;
const SWITCHED_BACK = [...SWITCHED].reverse();
const SCHEDULE_RESTORES = [...SCHEDULE_SAVES].reverse();

/** Lays out schedule(), __schedule() and __switch_to_asm, and the idle loop. */
export function defineScheduler({ text, config, perCpu, entryArea }: Machine): void {
  const currentTaskAt = perCpu + PER_CPU.CURRENT_TASK;
  const canaryAt = perCpu + PER_CPU.STACK_CANARY;
  const rsp0 = entryArea.tss + BigInt(stackPointerOffset(0));
  const threadSize = BigInt(config.THREAD_SIZE);
  const schedule = text.define('schedule', 0xd0);
  const inner = text.define('__schedule', 0xa00);
  const switchTo = text.define('__switch_to_asm', 0x50);

  const afterInner = text.at(schedule, 0x5a, (m) => {
    m.cpu.gpr.rbx = m.pop();
    m.ret();
  });
  text.at(schedule, 0, (m) => {
    m.push(m.cpu.gpr.rbx);
    m.call(inner.address, afterInner);
  });

  // finish_task_switch(): the lock of the run queue is given back, and with it interrupts.
  const finish = (m: Machine) => {
    m.cpu.rflags |= RFLAGS_IF;
    leaveSchedule(m);
  };
  const afterSwitch = text.at(inner, 0x355, finish);
  text.at(inner, 0, (m) => {
    m.pushAll(SCHEDULE_SAVES);
    pushCanary(m);
    scheduleDebug(m);
    if (m.state !== 'alive') return;
    m.cpu.rflags &= ~RFLAGS_IF;
    const prev = currentTask(m);
    m.threadInfo?.schedule(currentTaskStruct(m), prev === m.idleTask);
    const next = m.runQueue.shift() ?? m.idleTask;
    if (next === prev) finish(m);
    else {
      switchMm(m, next.taskStruct);
      m.cpu.gpr.rsi = next.taskStruct;
      m.call(switchTo.address, afterSwitch);
    }
  });

  text.at(switchTo, 0, (m) => {
    const prev = m.load64(currentTaskAt);
    const next = m.cpu.gpr.rsi;
    m.pushAll(SWITCHED);
    m.store64(offsetBy(prev, TASK.THREAD_SP), m.cpu.rsp);
    m.cpu.rsp = m.load64(offsetBy(next, TASK.THREAD_SP));
    m.store64(currentTaskAt, next);
    m.switches++;
    m.store64(canaryAt, m.load64(offsetBy(next, TASK.STACK_CANARY)));
    // load_sp0(): where the CPU goes on entry from user mode.
    m.store64(rsp0, offsetBy(m.load64(offsetBy(next, TASK.STACK)), threadSize));
    m.popAll(SWITCHED_BACK);
    m.ret();
  });

  // Where a new thread begins; what it is to do lies above.
  text.at(text.define(SCHEDULE_TAIL, 0x60), 0, (m) => {
    m.cpu.rflags |= RFLAGS_IF;
    m.ret();
  });

  const idle = text.define('do_idle', 0x200);
  const afterSchedule = text.at(idle, 0x120, (m) => {
    m.cpu.rip = idle.address;
  });
  text.at(idle, 0, (m) => {
    reapExited(m);
    if (m.runQueue.length === 0) m.idle = true;
    else m.call(schedule.address, afterSchedule);
  });
}

/** schedule_debug(): SCHED_STACK_END_CHECK reads the end magic of the task that is leaving the CPU. */
function scheduleDebug(m: Machine): void {
  if (!m.config.SCHED_STACK_END_CHECK) return;
  m.detectors.note('stack-end-check', 2);
  const stack = m.load64(currentTaskStruct(m) + TASK.STACK);
  if (m.load64(stack + BigInt(endOfStackOffset(m.config))) !== STACK_END_MAGIC) {
    if (m.config.stackEndCheck === 'bug') bug(m, STACK_END_BUG);
    const from = m.text.named('__schedule').address + 0x9f3n;
    panic(m, 'corrupted stack end detected inside scheduler', from);
  }
}

function leaveSchedule(m: Machine): void {
  if (!popCanary(m, '__schedule', 0x9e7)) return;
  m.popAll(SCHEDULE_RESTORES);
  m.ret();
}

/** The stack protector's prologue: the task's canary below the saved registers. */
export function pushCanary(m: Machine): void {
  if (!m.config.STACKPROTECTOR) return;
  m.push(m.load64(m.perCpu + PER_CPU.STACK_CANARY));
  m.detectors.note('stack-protector', 1, 1);
}

/**
 * The stack protector's epilogue.
 *
 * @returns false when the canary had changed: the machine has panicked
 */
export function popCanary(m: Machine, fn: string, failOffset: number): boolean {
  if (!m.config.STACKPROTECTOR) return true;
  m.detectors.note('stack-protector', 2);
  if (m.pop() === m.load64(m.perCpu + PER_CPU.STACK_CANARY)) return true;
  m.cpu.rsp -= 8n;
  stackChkFail(m, m.text.named(fn).address + BigInt(failOffset));
  return false;
}

/**
 * wake_up_process(): puts a sleeping task on the run queue. Where the kernel looks at its thread_info first,
 * and nothing runs, it is on the run queue only when the machine goes on.
 */
export function wakeUpProcess(m: Machine, task: Task): void {
  if (task.state !== 'sleeping') return;
  if (m.threadInfo) {
    m.threadInfo.wakeUp(task);
    return;
  }
  task.state = 'runnable';
  m.runQueue.push(task);
}
