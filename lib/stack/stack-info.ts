import type { VirtAddr } from '../x86/addr';
import type { Machine } from './machine';
import { PER_CPU } from './per-cpu';
import { TASK } from './task-struct';

/** One of the stacks that the CPU may be on. */
export interface KernelStack {
  readonly kind: 'task' | 'irq' | 'exception';
  /** As an oops of 5.16 on names it: TASK, IRQ, #DF … */
  readonly name: string;
  /** Lowest address, and the address above the highest byte. */
  readonly base: VirtAddr;
  readonly top: VirtAddr;
  /** Address of the word that holds RSP of the stack before this one; null on the task's stack. */
  readonly nextSp: VirtAddr | null;
}

/** Where the kernel believes the current task's stack begins: task->stack, read from the task_struct. */
export function taskStackPage(m: Machine): VirtAddr | null {
  const current = m.peek64(m.perCpu + PER_CPU.CURRENT_TASK);
  return current === null ? null : m.peek64(current + TASK.STACK);
}

/** Every stack of the CPU: the current task's, the IRQ stack once it exists, the exception stacks. */
export function kernelStacks(m: Machine): KernelStack[] {
  const stacks: KernelStack[] = [];
  const base = taskStackPage(m);
  if (base !== null) {
    const top = base + BigInt(m.config.THREAD_SIZE);
    stacks.push({ kind: 'task', name: 'TASK', base, top, nextSp: null });
  }
  const { irq } = m;
  if (irq.stack !== null) {
    const top = irq.stack + BigInt(m.config.IRQ_STACK_SIZE);
    stacks.push({ kind: 'irq', name: 'IRQ', base: irq.stack, top, nextSp: top - 8n });
  }
  for (const { name, base: low, top } of m.entryArea.istStacks) {
    // The CPU pushed SS at top − 8 and RSP below it.
    stacks.push({ kind: 'exception', name, base: low, top, nextSp: top - 16n });
  }
  return stacks;
}

/** The stack that holds `address`. */
export function stackAt(m: Machine, address: VirtAddr): KernelStack | null {
  return kernelStacks(m).find(({ base, top }) => address >= base && address < top) ?? null;
}

/** get_stack_guard_info(): the stack whose guard page holds `address`, if it has one. */
export function stackGuarding(m: Machine, address: VirtAddr): KernelStack | null {
  const { config } = m;
  const hasGuard = (kind: KernelStack['kind']) =>
    kind === 'task'
      ? config.VMAP_STACK
      : kind === 'irq'
        ? config.VMAP_STACK && config.guardsIrqStack
        : config.guardsIstStacks;
  return (
    kernelStacks(m).find(
      ({ kind, base }) => hasGuard(kind) && address < base && address >= base - PAGE,
    ) ?? null
  );
}

const PAGE = 4096n;
