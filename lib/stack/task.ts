import { TASK, taskStructSize } from './task-struct';
import { offsetBy, type VirtAddr } from '../x86/addr';
import { endOfStackOffset, PT_REGS_SIZE, STACK_END_MAGIC } from './config';
import type { Machine } from './machine';
import { PER_CPU } from './per-cpu';
import { copyProcess } from './task-objects';
import { allocThreadStack, freeThreadStack } from './thread-stack';

export type TaskKind = 'idle' | 'kthread' | 'user';

/** A task as the model's books know it. What the kernel uses of it lies in `taskStruct`. */
export interface Task {
  readonly pid: number;
  readonly comm: string;
  readonly taskStruct: VirtAddr;
  /** Lowest address of its stack. */
  readonly stack: VirtAddr;
  readonly kind: TaskKind;
  /** Page frames of its own user memory, freed with it. */
  readonly pages: number[];
  /** Page frame of its own first table; null for a kernel thread. */
  readonly pgd: number | null;
  /** 'exited': it ended as it should; 'dead': it was killed. Neither ever runs again. */
  state: 'runnable' | 'sleeping' | 'exited' | 'dead';
}

export interface NewTask {
  readonly kind: 'kthread' | 'user';
  readonly comm: string;
  /** Where it starts when it first runs, with RBX = `argument`. */
  readonly entry: VirtAddr;
  readonly argument: bigint;
  /** Memory cgroup that pays for its stack; the root, which nobody charges, unless given. */
  readonly cgroup?: string;
}

/** Lays out kernel_clone(): vmalloc's books name it as the caller that a stack's area is for. */
export function defineFork({ text }: Machine): void {
  text.define('kernel_clone', 0x430);
}

/**
 * kernel_clone(): task_struct, stack and the objects that a task owns. The new task sleeps.
 *
 * @returns null if there is no memory
 */
export function createTask(m: Machine, options: NewTask): Task | null {
  const { kind, comm, entry, argument, cgroup } = options;
  const { config } = m;
  const taskStruct = m.allocObject('task_struct');
  if (taskStruct === null) return null;
  const stack = allocThreadStack(m, cgroup);
  if (stack === null) {
    m.freeObject('task_struct', taskStruct);
    return null;
  }
  const pid = m.nextPid++;
  writeTaskStruct(m, { taskStruct, stack, pid, comm });
  const pgd = copyProcess(m, taskStruct, kind);
  if (pgd === false) {
    freeThreadStack(m, stack);
    m.freeObject('task_struct', taskStruct);
    return null;
  }
  const task: Task = { pid, comm, taskStruct, stack, kind, pages: [], pgd, state: 'sleeping' };
  if (config.STACKPROTECTOR) {
    const canary = m.random.belowBig(1n << 56n) << 8n;
    m.store64(offsetBy(taskStruct, TASK.STACK_CANARY), canary);
  }
  writeStackEnd(m, task);
  m.threadInfo?.fork(task, kind === 'user' && currentTask(m)?.kind !== 'user');
  m.store64(offsetBy(taskStruct, TASK.THREAD_SP), forkFrame(m, task, entry, argument));
  m.addTask(task);
  return task;
}

function writeTaskStruct(
  m: Machine,
  { taskStruct, stack, pid, comm }: Pick<Task, 'taskStruct' | 'stack' | 'pid' | 'comm'>,
): void {
  m.fill(taskStruct, taskStructSize(m.config), 0);
  m.store64(offsetBy(taskStruct, TASK.STACK), stack);
  m.store32(offsetBy(taskStruct, TASK.USAGE), 1);
  for (const list of [TASK.TASKS_LIST, TASK.SIBLING_LIST]) {
    m.store64(taskStruct + list, taskStruct + list);
    m.store64(taskStruct + list + 8n, taskStruct + list);
  }
  m.store32(offsetBy(taskStruct, TASK.PID), pid);
  for (let i = 0; i < 15 && i < comm.length; i++) {
    m.store8(taskStruct + TASK.COMM + BigInt(i), comm.charCodeAt(i));
  }
}

function writeStackEnd(m: Machine, task: Task): void {
  m.store64(task.stack + BigInt(endOfStackOffset(m.config)), STACK_END_MAGIC);
}

/** The task that runs when no other can: it was never forked, its stack is there from the start. */
export function createIdleTask(m: Machine): Task {
  const taskStruct = m.allocObject('task_struct');
  const stack = allocThreadStack(m);
  if (taskStruct === null || stack === null) {
    throw new RangeError('boot: expected more memory: it ran out before the idle task');
  }
  const task: Task = {
    pid: 0,
    comm: 'swapper/0',
    taskStruct,
    stack,
    kind: 'idle',
    pages: [],
    pgd: null,
    state: 'runnable',
  };
  m.addTask(task);
  writeTaskStruct(m, task);
  writeStackEnd(m, task);
  m.threadInfo?.init(task);
  m.store64(offsetBy(m.perCpu, PER_CPU.CURRENT_TASK), taskStruct);
  m.cpu.rsp = stackTop(m, task) - BigInt(PT_REGS_SIZE);
  m.cpu.rip = m.text.named('do_idle').address;
  return task;
}

/** Gives a sleeping task a new beginning: what it was doing is forgotten, its stack starts from the top. */
export function restartTask(machine: Machine, task: Task, entry: VirtAddr): void {
  machine.store64(offsetBy(task.taskStruct, TASK.THREAD_SP), forkFrame(machine, task, entry, 0n));
}

/** Ends the switch to a thread that has never run, as finish_task_switch() does for all others. */
export const SCHEDULE_TAIL = 'schedule_tail';

/** The stack of a new thread: zeroed pt_regs, below them where it begins and what __switch_to_asm pops. */
function forkFrame(machine: Machine, task: Task, entry: VirtAddr, argument: bigint): VirtAddr {
  const regs = stackTop(machine, task) - BigInt(PT_REGS_SIZE);
  machine.fill(regs, PT_REGS_SIZE, 0);
  const tail = machine.text.named(SCHEDULE_TAIL).address;
  const words = [0n, 0n, 0n, 0n, argument, 0n, tail, entry]; // r15 r14 r13 r12 rbx rbp, return addresses
  const sp = regs - BigInt(8 * words.length);
  words.forEach((word, i) => machine.store64(sp + BigInt(8 * i), word));
  return sp;
}

/** The address above the stack's highest byte. */
export function stackTop(machine: Machine, task: Task): VirtAddr {
  return task.stack + BigInt(machine.config.THREAD_SIZE);
}

/** `current`, as the per-CPU area has it: a linear address that may be wrong on a damaged machine. */
export function currentTaskStruct(machine: Machine): VirtAddr {
  return machine.load64(offsetBy(machine.perCpu, PER_CPU.CURRENT_TASK));
}

/** The books' entry for `current`; undefined when the per-CPU pointer is damaged. */
export function currentTask(machine: Machine): Task | undefined {
  return machine.taskAt(currentTaskStruct(machine));
}
