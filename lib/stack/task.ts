import type { VirtAddr } from '../x86/addr';
import { endOfStackOffset, PT_REGS_SIZE, STACK_END_MAGIC } from './config';
import { PER_CPU, type Machine } from './machine';
import { allocThreadStack } from './thread-stack';

/** sizeof(struct task_struct), as recorded on 6.1 and used for every version. */
export const TASK_STRUCT_SIZE = 9792;

/** Offsets in task_struct: thread_info, state and stack as in 6.1, the others chosen here. */
export const TASK = {
  THREAD_INFO: 0n,
  STATE: 24n,
  STACK: 32n,
  PID: 1200n,
  STACK_CANARY: 1208n,
  COMM: 1216n,
  THREAD_SP: 9600n,
} as const;

/** A task as the model's books know it. What the kernel uses of it lies in `taskStruct`. */
export interface Task {
  readonly pid: number;
  readonly comm: string;
  readonly taskStruct: VirtAddr;
  /** Lowest address of its stack. */
  readonly stack: VirtAddr;
  /** 'dead': it was killed or has exited and never runs again. */
  state: 'runnable' | 'sleeping' | 'dead';
}

/**
 * Creates a kernel thread that starts at `entry` with RBX = `argument` when it first runs.
 *
 * @returns null if there is no memory for its stack or task_struct
 */
export function createKthread(
  machine: Machine,
  comm: string,
  entry: VirtAddr,
  argument: bigint,
): Task | null {
  const { config, caches } = machine;
  const taskStruct = caches.task_struct.alloc();
  if (typeof taskStruct !== 'bigint') return null;
  const stack = allocThreadStack(machine);
  if (stack === null) {
    caches.task_struct.free(taskStruct);
    return null;
  }
  const pid = machine.nextPid++;
  const task: Task = { pid, comm, taskStruct, stack, state: 'sleeping' };
  machine.fill(taskStruct, TASK_STRUCT_SIZE, 0);
  machine.store64(taskStruct + TASK.STACK, stack);
  machine.store32(taskStruct + TASK.PID, pid);
  const canary = config.STACKPROTECTOR ? machine.random.belowBig(1n << 56n) << 8n : 0n;
  machine.store64(taskStruct + TASK.STACK_CANARY, canary);
  for (let i = 0; i < 15 && i < comm.length; i++) {
    machine.store8(taskStruct + TASK.COMM + BigInt(i), comm.charCodeAt(i));
  }
  const end = stack + BigInt(endOfStackOffset(config));
  machine.store64(end, STACK_END_MAGIC);
  if (!config.THREAD_INFO_IN_TASK) writeThreadInfo(machine, task);
  machine.store64(taskStruct + TASK.THREAD_SP, forkFrame(machine, task, entry, argument));
  machine.tasks.push(task);
  return task;
}

/** The task that runs when no other can: it was never forked, its stack is there from the start. */
export function createIdleTask(machine: Machine): Task {
  const taskStruct = machine.caches.task_struct.alloc();
  const stack = allocThreadStack(machine);
  if (typeof taskStruct !== 'bigint' || stack === null) {
    throw new RangeError('boot: expected more memory: it ran out before the idle task');
  }
  const task: Task = { pid: 0, comm: 'swapper/0', taskStruct, stack, state: 'runnable' };
  machine.tasks.push(task);
  machine.fill(taskStruct, TASK_STRUCT_SIZE, 0);
  machine.store64(taskStruct + TASK.STACK, stack);
  machine.store64(stack + BigInt(endOfStackOffset(machine.config)), STACK_END_MAGIC);
  if (!machine.config.THREAD_INFO_IN_TASK) writeThreadInfo(machine, task);
  machine.store64(machine.perCpu + PER_CPU.CURRENT_TASK, taskStruct);
  machine.cpu.rsp = stackTop(machine, task) - BigInt(PT_REGS_SIZE);
  machine.cpu.rip = machine.text.define('do_idle').address;
  return task;
}

/** Gives a sleeping task a new beginning: what it was doing is forgotten, its stack starts from the top. */
export function restartTask(machine: Machine, task: Task, entry: VirtAddr): void {
  machine.store64(task.taskStruct + TASK.THREAD_SP, forkFrame(machine, task, entry, 0n));
}

/** The stack of a new thread: zeroed pt_regs, below them what __switch_to_asm pops. */
function forkFrame(machine: Machine, task: Task, entry: VirtAddr, argument: bigint): VirtAddr {
  const regs = stackTop(machine, task) - BigInt(PT_REGS_SIZE);
  machine.fill(regs, PT_REGS_SIZE, 0);
  const words = [0n, 0n, 0n, 0n, argument, 0n, entry]; // r15 r14 r13 r12 rbx rbp, return address
  const sp = regs - BigInt(8 * words.length);
  words.forEach((word, i) => machine.store64(sp + BigInt(8 * i), word));
  return sp;
}

function writeThreadInfo(machine: Machine, task: Task): void {
  const { threadInfo } = machine.config;
  machine.fill(task.stack, threadInfo.size, 0);
  for (const { name, offset } of threadInfo.fields) {
    const at = task.stack + BigInt(offset);
    if (name === 'task') machine.store64(at, task.taskStruct);
    if (name === 'addr_limit')
      machine.store64(at, machine.layout.levels === 5 ? 0x00fffffffffff000n : 0x00007ffffffff000n);
    if (name === 'restart_block.fn')
      machine.store64(at, machine.text.define('do_no_restart_syscall', 0x10).address);
  }
}

/** The address above the stack's highest byte. */
export function stackTop(machine: Machine, task: Task): VirtAddr {
  return task.stack + BigInt(machine.config.THREAD_SIZE);
}

/** `current`, as the per-CPU area has it: a linear address that may be wrong on a damaged machine. */
export function currentTaskStruct(machine: Machine): VirtAddr {
  return machine.load64(machine.perCpu + PER_CPU.CURRENT_TASK);
}

/** The books' entry for `current`; undefined when the per-CPU pointer is damaged. */
export function currentTask(machine: Machine): Task | undefined {
  const address = currentTaskStruct(machine);
  return machine.tasks.find((task) => task.taskStruct === address);
}
