import { offsetBy, type VirtAddr } from '../x86/addr';
import type { Machine } from './machine';
import { pgdAlloc, pgdFree } from './mm-context';
import { MM_PGD, newObject, OBJECT_TYPES, useObject, type ObjectName } from './objects';
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
 * copy_process(): gives a new task_struct its objects, a user process its first page table.
 *
 * @returns that table's page frame, null for a kernel thread; false if there was no memory: what had been
 *   allocated is freed again
 */
export function copyProcess(
  m: Machine,
  taskStruct: VirtAddr,
  kind: 'kthread' | 'user',
): number | null | false {
  const made: { name: ObjectName; object: VirtAddr }[] = [];
  let pgd: number | null = null;
  const giveUp = (): false => {
    for (const { name, object } of made) m.freeObject(OBJECT_TYPES[name].cache, object);
    if (pgd !== null) m.pageAllocator.freePages(pgd, 0);
    return false;
  };
  for (const { name, at, user } of OWNED) {
    if (user && kind === 'kthread') continue;
    const object = newObject(m, name);
    if (object === null) return giveUp();
    m.store64(offsetBy(taskStruct, at), object);
    made.push({ name, object });
    if (name !== 'mm_struct') continue;
    pgd = pgdAlloc(m);
    if (pgd === null) return giveUp();
    m.store64(offsetBy(object, MM_PGD), m.directMap.physToVirt(BigInt(pgd) << 12n));
  }
  return pgd;
}

/**
 * do_exit(): the exiting task uses everything it owns once more, finding it through its task_struct.
 *
 * @returns false if it waits for ever
 */
export function exitProcess(m: Machine, taskStruct: VirtAddr): boolean {
  for (const { name, at } of OWNED) {
    const object = m.load64(offsetBy(taskStruct, at));
    if (object !== 0n && !useObject(m, name, object)) return false;
  }
  return true;
}

/** release_task() and the RCU callbacks after it: objects, stack and task_struct go back to their caches. */
export function releaseTask(m: Machine, task: Task): void {
  for (const { name, at } of OWNED) {
    const object = m.load64(offsetBy(task.taskStruct, at));
    if (object !== 0n) m.freeObject(OBJECT_TYPES[name].cache, object);
  }
  if (task.state === 'dead') m.keepBottom(task);
  for (const pfn of task.pages) m.pageAllocator.freePages(pfn, 0);
  if (task.pgd !== null) pgdFree(m, task.pgd);
  freeThreadStack(m, task.stack);
  m.freeObject('task_struct', task.taskStruct);
  m.forget(task);
}
