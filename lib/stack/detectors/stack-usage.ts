import { endOfStackOffset } from '../config';
import type { Machine } from '../machine';
import type { Task } from '../task';

/** What stack_not_used() found, and what finding it cost. */
export interface StackUsage {
  /** Bytes that were never written, as far as zeros tell. */
  readonly unused: number;
  /** 8-byte loads. */
  readonly loads: number;
}

/**
 * stack_not_used(): counts the zero words above the end magic. A local that is written with zeros counts as
 * unused, one that was never written does not count at all; a damaged end magic is not looked at.
 */
export function stackNotUsed(m: Machine, task: Task): StackUsage {
  const start = task.stack + BigInt(endOfStackOffset(m.config));
  const top = task.stack + BigInt(m.config.THREAD_SIZE);
  let at = start;
  let loads = 0;
  // "Skip over canary": the loop tests the word above the one it stands at.
  do {
    at += 8n;
    if (at >= top) return { unused: Number(at - start), loads };
    loads++;
  } while (m.load64(at) === 0n);
  return { unused: Number(at - start), loads };
}

/**
 * check_stack_usage() of CONFIG_DEBUG_STACK_USAGE, at the exit of a task: says so when no task before has
 * left as little.
 */
export function checkStackUsage(m: Machine, task: Task): void {
  if (!m.config.DEBUG_STACK_USAGE) return;
  const { detectors } = m;
  const { unused, loads } = stackNotUsed(m, task);
  detectors.note('stack-usage', loads);
  if (unused >= (detectors.lowestUnused ?? m.config.THREAD_SIZE)) return;
  detectors.lowestUnused = unused;
  const who = m.config.oops.stackUsageNamesPid ? `${task.comm} (${task.pid})` : task.comm;
  m.printk(`${who} used greatest stack depth: ${unused} bytes left`);
}
