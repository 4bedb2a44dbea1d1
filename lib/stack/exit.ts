import { offsetBy, type VirtAddr } from '../x86/addr';
import { checkStackUsage } from './detectors/stack-usage';
import type { Machine } from './machine';
import { exitProcess, releaseTask } from './task-objects';
import { currentTask, currentTaskStruct } from './task';
import { TASK } from './task-struct';

/** task->flags: exit_signals() has set it at the beginning of do_exit(). */
const PF_EXITING = 4;

/**
 * Lays out do_exit(), from which a task never returns, and what frees it afterwards. A task that was killed
 * goes through it like any other: it uses what it owns once more, and may fault again.
 */
export function defineExit({ text }: Machine): void {
  const doExit = text.define('do_exit', 0x900);
  const schedule = text.named('schedule');
  const afterLastSchedule = text.at(doExit, 0x880, (m) => m.raiseInvalidOpcode());
  text.at(doExit, 0, (m) => {
    const task = currentTask(m);
    const taskStruct = currentTaskStruct(m);
    const flags = offsetBy(taskStruct, TASK.FLAGS);
    m.store32(flags, (m.load32(flags) | PF_EXITING) >>> 0);
    m.threadInfo?.noteAtomic();
    leaveLists(m, taskStruct);
    const killed = task?.state === 'dead';
    if (exitProcess(m, taskStruct) && task) {
      checkStackUsage(m, task);
      m.threadInfo?.exit(taskStruct);
      m.onExit?.(task);
      if (!killed) task.state = 'exited';
      m.exited.push(task);
    } else if (!killed) {
      m.setCurrentSleeping();
    }
    m.call(schedule.address, afterLastSchedule);
  });
}

/** Whether the task is in do_exit() already, as its task_struct has it. */
export function isExiting(m: Machine, taskStruct: VirtAddr): boolean {
  return (m.load32(offsetBy(taskStruct, TASK.FLAGS)) & PF_EXITING) !== 0;
}

/** __unhash_process(): the task leaves the list of all tasks and that of its siblings. */
function leaveLists(m: Machine, taskStruct: bigint): void {
  for (const list of [TASK.TASKS_LIST, TASK.SIBLING_LIST]) {
    const at = offsetBy(taskStruct, list);
    const [next, prev] = [m.load64(at), m.load64(offsetBy(at, 8n))];
    m.store64(offsetBy(next, 8n), prev);
    m.store64(prev, next);
  }
}

/** Frees what exited tasks held: the work of their parents and of RCU, done when the CPU is idle. */
export function reapExited(m: Machine): void {
  for (let task = m.exited.shift(); task; task = m.exited.shift()) releaseTask(m, task);
}
