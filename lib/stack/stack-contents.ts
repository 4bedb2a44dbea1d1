import { hex, type VirtAddr } from '../x86/addr';
import { chainOf } from './call-chain';
import { endOfStackOffset, PT_REGS_SIZE, type KernelConfig } from './config';
import type { Machine } from './machine';
import { PT_REGS } from './registers-text';
import { SWITCHED } from './scheduler';
import type { Task } from './task';
import { TASK } from './task-struct';
import type { StackTrace } from './trace';
import { unwind } from './unwind';

export type StackItemKind =
  'pt_regs' | 'frame' | 'switched registers' | 'unused' | 'end magic' | 'thread_info';

/** One thing that lies on a kernel stack. */
export interface StackItem {
  readonly kind: StackItemKind;
  /** The function of a frame, the field of thread_info; otherwise what the kind says. */
  readonly name: string;
  /** Offset of the lowest byte from the stack’s base, bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * What lies on the stack of a task that is not running, from the top down: the frames are found by unwinding
 * from the stack pointer that its last __switch_to_asm left in task_struct.
 *
 * @throws RangeError for a task that runs: its stack pointer is in the CPU
 */
export function stackContents(m: Machine, task: Task): StackItem[] {
  if (task.state === 'runnable')
    throw new RangeError(
      `task: expected one that sleeps, got ${task.comm} (${task.pid}), which runs`,
    );
  const base = task.stack;
  const size = m.config.THREAD_SIZE;
  const sp = m.peek64(task.taskStruct + TASK.THREAD_SP) ?? base;
  const calls = [switchReturn(sp), ...callsAbove(m, sp)];
  const items: StackItem[] = [];
  let top = size;
  for (const slot of calls.reverse()) {
    const offset = Number(slot - base);
    const held = top === size ? PT_REGS_SIZE : 0;
    if (held > 0) items.push(item('pt_regs', 'pt_regs', size - held, held));
    const back = m.peek64(slot) ?? 0n;
    const name = (m.text.find(back) ?? m.text.find(back - 1n))?.name ?? hex(back);
    items.push(item('frame', name, offset, top - held - offset));
    top = offset;
  }
  const lowest = Number(sp - base);
  items.push(item('switched registers', 'saved by __switch_to_asm', lowest, top - lowest));
  return [...items, ...bottomOf(m.config, lowest)];
}

/** Where __switch_to_asm’s return address lies: above the registers it pushed. */
const switchReturn = (sp: VirtAddr): VirtAddr => sp + BigInt(8 * SWITCHED.length);

function callsAbove(m: Machine, sp: VirtAddr): VirtAddr[] {
  const slot = switchReturn(sp);
  const state = { rip: m.peek64(slot) ?? 0n, rsp: slot + 8n, rbp: m.peek64(slot - 8n) ?? 0n };
  return unwind(m, state).flatMap((step) => (step.kind === 'call' ? step.slot : []));
}

/**
 * What lies on a stack at the deepest point of a trace, from the top down. A frame reaches from the return
 * address into its caller down to the one that its callee gets; a trace deeper than the stack ends below
 * the base, at negative offsets.
 */
export function traceContents(trace: StackTrace, config: KernelConfig): StackItem[] {
  const items: StackItem[] = [];
  let top = config.THREAD_SIZE;
  chainOf(trace).forEach(({ fn, size }, i) => {
    const held = i === 0 ? Math.min(size - 8, PT_REGS_SIZE) : 0;
    if (held > 0) items.push(item('pt_regs', 'pt_regs', top - held, held));
    items.push(item('frame', fn, top - size, size - held));
    top -= size;
  });
  return [...items, ...bottomOf(config, top)];
}

/** What lies below the lowest byte in use: nothing, the end magic, thread_info. */
function bottomOf(config: KernelConfig, lowest: number): StackItem[] {
  const end = endOfStackOffset(config);
  const items = [item('end magic', 'STACK_END_MAGIC', end, 8)];
  if (lowest > end + 8) items.unshift(item('unused', 'unused', end + 8, lowest - end - 8));
  if (config.THREAD_INFO_IN_TASK) return items;
  const fields = [...config.threadInfo.fields].reverse();
  return [
    ...items,
    ...fields.map(({ name, offset, size }) => item('thread_info', name, offset, size)),
  ];
}

const item = (kind: StackItemKind, name: string, offset: number, bytes: number): StackItem => ({
  kind,
  name,
  offset,
  bytes,
});

/**
 * The words of a sleeping task’s stack, top down, each with its offset from the base and what it is. Runs of
 * zero words that have no name are folded to `*`; zeroed pt_regs and what is not in use are one line.
 *
 * @throws RangeError for a task that runs
 */
export function stackListing(m: Machine, task: Task): string {
  return stackContents(m, task)
    .flatMap((one) => itemLines(m, task, one))
    .join('\n');
}

function itemLines(m: Machine, task: Task, { kind, name, offset, bytes }: StackItem): string[] {
  const step = kind === 'thread_info' ? Math.min(8, bytes) : 8;
  const words = Array.from({ length: bytes / step }, (_, i) => offset + bytes - step * (i + 1));
  const valueAt = (at: number) => {
    const word = m.peek64(task.stack + BigInt(at - (at % 8))) ?? 0n;
    return BigInt.asUintN(8 * step, word >> BigInt(8 * (at % 8)));
  };
  if (kind === 'unused' || (kind === 'pt_regs' && words.every((at) => valueAt(at) === 0n))) {
    const what = kind === 'unused' ? 'below the stack pointer: not in use' : 'pt_regs, all zero';
    return [`+${offset} to +${offset + bytes - 1}  ${bytes} bytes ${what}`];
  }
  const lines = words.map((at) => {
    const value = valueAt(at);
    const what = meaning(m, kind, name, at - offset, value);
    if (value === 0n && (what === '' || at > offset) && kind !== 'switched registers') return '*';
    const text = value
      .toString(16)
      .padStart(2 * step, '0')
      .padStart(16);
    return `${(task.stack + BigInt(at)).toString(16)}  ${`+${at}`.padStart(6)}  ${text}  ${what}`;
  });
  return lines
    .filter((line, i) => line !== '*' || lines[i - 1] !== '*')
    .map((line) => line.trimEnd());
}

/** What a word of an item is; nothing for the locals of a frame, which only its code knows. */
function meaning(m: Machine, kind: StackItemKind, name: string, at: number, value: bigint): string {
  if (kind === 'pt_regs') return `pt_regs.${PT_REGS[at / 8]}`;
  if (kind === 'switched registers')
    return `${[...SWITCHED].reverse()[at / 8]}, saved by the switch`;
  if (kind !== 'frame') return name;
  if (at === 0) return `return address: ${m.text.symbolizeReturn(value)}`;
  const fn = m.text.find(value);
  return fn ? `address of ${m.text.symbolize(value)}` : '';
}
