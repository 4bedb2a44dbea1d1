import type { VirtAddr } from '../x86/addr';
import type { Machine } from './machine';
import { newObject, OBJECT_TYPES, useObject, type ObjectName } from './objects';
import { type Task } from './task';
import { TASK } from './task-struct';
import { freeThreadStack } from './thread-stack';

/** What a task owns besides its task_struct and stack, and where task_struct points to it. */
const OWNED: readonly {
  readonly name: ObjectName;
  readonly at: bigint;
  readonly user?: boolean;
}[] = [
  { name: 'signal_struct', at: TASK.SIGNAL },
  { name: 'sighand_struct', at: TASK.SIGHAND },
  { name: 'pid', at: TASK.THREAD_PID },
  { name: 'cred', at: TASK.CRED },
  { name: 'kthread', at: TASK.WORKER_PRIVATE },
  { name: 'mm_struct', at: TASK.MM, user: true },
  { name: 'files_struct', at: TASK.FILES, user: true },
];

/**
 * copy_process(): gives a new task_struct its objects.
 *
 * @returns false if there was no memory; what had been allocated is freed again
 */
export function copyProcess(m: Machine, taskStruct: VirtAddr, kind: 'kthread' | 'user'): boolean {
  const made: { name: ObjectName; object: VirtAddr }[] = [];
  for (const { name, at, user } of OWNED) {
    if (user && kind === 'kthread') continue;
    const object = newObject(m, name);
    if (object === null) {
      for (const { name: done, object: freed } of made)
        m.freeObject(OBJECT_TYPES[done].cache, freed);
      return false;
    }
    m.store64(taskStruct + at, object);
    made.push({ name, object });
  }
  return true;
}

/**
 * do_exit(): the exiting task uses everything it owns once more, finding it through its task_struct.
 *
 * @returns false if it waits for ever
 */
export function exitProcess(m: Machine, taskStruct: VirtAddr): boolean {
  for (const { name, at } of OWNED) {
    const object = m.load64(taskStruct + at);
    if (object !== 0n && !useObject(m, name, object)) return false;
  }
  return true;
}

/** release_task() and the RCU callbacks after it: objects, stack and task_struct go back to their caches. */
export function releaseTask(m: Machine, task: Task): void {
  for (const { name, at } of OWNED) {
    const object = m.load64(task.taskStruct + at);
    if (object !== 0n) m.freeObject(OBJECT_TYPES[name].cache, object);
  }
  for (const pfn of task.pages) m.pageAllocator.freePages(pfn, 0);
  freeThreadStack(m, task.stack);
  m.freeObject('task_struct', task.taskStruct);
  m.forget(task);
}
