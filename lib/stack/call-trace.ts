import type { VirtAddr } from '../x86/addr';
import type { Machine } from './machine';
import { readRegs, shortRegisterLines } from './registers-text';
import { stackAt, type KernelStack } from './stack-info';
import { unwind, type UnwindState } from './unwind';

const PAGE = 4096n;
/** kstack_depth_to_print: three lines of four words. */
const STACK_WORDS = 12;
const WORDS_A_LINE = 4;
const PT_REGS_RIP = 128n;

const h = (value: bigint) => value.toString(16).padStart(16, '0');

/**
 * show_trace_log_lvl(): every word of the stack that points into the kernel's text, newest first. Those that
 * unwinding does not lead to are marked `? `: left over from earlier calls.
 *
 * 6.4 to 6.14 begin where the stack is now instead of at `from` (2e4be0d011f2; undone by 2c118f50d7fd): after an
 * exception with the frames of its handler. Those of C functions (`? die+…`, `? exc_double_fault+…`), which the
 * model's handlers do not have, are left out. After a guard hit through #PF such a trace ends with the #DF stack,
 * which was not entered by an exception and so has no RSP saved at its top; no log of such a hit was found.
 *
 * Runs of one line are folded as the recordings fold them.
 */
export function callTrace(m: Machine, from: UnwindState): string[] {
  const lines = ['Call Trace:'];
  const reliable = new Set<VirtAddr>();
  const entries = new Map<VirtAddr, VirtAddr>();
  for (const step of unwind(m, from)) {
    if (step.kind === 'call') reliable.add(step.slot);
    else entries.set(step.regs, step.state.rsp);
  }
  const visited = new Set<VirtAddr>();
  let at: VirtAddr | null = (m.config.oops.traceBeginsHere ? m.cpu.rsp : from.rsp) & ~7n;
  while (at !== null) {
    const stack: KernelStack | null = stackAt(m, at) ?? overflowed(m, at);
    if (!stack || visited.has(stack.base)) break;
    visited.add(stack.base);
    const start: VirtAddr = at < stack.base ? stack.base : at;
    lines.push(...stackLines(m, stack, start, reliable, entries));
    at = stack.nextSp === null ? null : m.peek64(stack.nextSp);
  }
  return folded(lines);
}

/** A stack that has run into the page below it is shown from its base on; before 4.9 not at all. */
function overflowed(m: Machine, at: VirtAddr): KernelStack | null {
  if (!m.config.THREAD_INFO_IN_TASK) return null;
  return stackAt(m, (at + PAGE - 1n) & -PAGE);
}

function stackLines(
  m: Machine,
  stack: KernelStack,
  start: VirtAddr,
  reliable: ReadonlySet<VirtAddr>,
  entries: ReadonlyMap<VirtAddr, VirtAddr>,
): string[] {
  const { oops } = m.config;
  const lines: string[] = [];
  const saidBefore = new Set([...entries.keys()].map((regs) => regs + PT_REGS_RIP));
  const name = stack.kind === 'task' && !oops.namesTaskStack ? null : stack.name;
  if (name !== null) lines.push(` <${name}>`);
  const read = pageReader(m);
  for (let slot = start; slot < stack.top; slot += 8n) {
    if (entries.has(slot) && !oops.rawAddresses)
      lines.push(...shortRegisterLines(m, readRegs(m, slot)));
    const word = read(slot);
    if (word === null || saidBefore.has(slot) || !m.text.find(word - 1n)) continue;
    const sure = reliable.has(slot) ? '' : '? ';
    const raw = oops.rawAddresses ? `[<${h(word)}>] ` : '';
    lines.push(` ${raw}${sure}${m.text.symbolizeReturn(word)}`);
  }
  if (name !== null) lines.push(oops.rawAddresses ? endMark(stack) : ` </${name}>`);
  return lines;
}

/** As Machine.peek64() for words one after the other: each page is looked up once. */
function pageReader(m: Machine): (address: VirtAddr) => bigint | null {
  let page: VirtAddr | null = null;
  let frame: bigint | null = null;
  return (address) => {
    if ((address & -PAGE) !== page) {
      page = address & -PAGE;
      frame = m.walk(page).pa;
    }
    if (frame === null) return null;
    const pa = frame + (address & (PAGE - 1n));
    return Number(pa) + 8 > m.memory.size ? null : m.memory.read64(pa);
  };
}

/** Up to 4.9 the end of a stack has a mark of its own, which stands in a line of its own only here. */
const endMark = ({ kind }: KernelStack) => (kind === 'irq' ? ' <EOI>' : ' <EOE>');

/** The first words above RSP, as kernels up to 4.9 dump them; up to the end of a stack or of what is mapped. */
export function stackWords(m: Machine, rsp: VirtAddr): string[] {
  const words: string[] = [];
  for (let at = rsp; words.length < STACK_WORDS; at += 8n) {
    if (words.length > 0 && at % BigInt(m.config.THREAD_SIZE) === 0n) break;
    const word = m.peek64(at);
    if (word === null) break;
    words.push(h(word));
  }
  const lines: string[] = [];
  for (let i = 0; i < words.length; i += WORDS_A_LINE)
    lines.push(` ${words.slice(i, i + WORDS_A_LINE).join(' ')}`);
  return lines;
}

function folded(lines: readonly string[]): string[] {
  const result: string[] = [];
  let repeated = 0;
  lines.forEach((line, i) => {
    if (i > 0 && line === lines[i - 1]) {
      repeated++;
      return;
    }
    if (repeated > 0) result.push(`    ... (previous line repeated ${repeated} more times)`);
    repeated = 0;
    result.push(line);
  });
  if (repeated > 0) result.push(`    ... (previous line repeated ${repeated} more times)`);
  return result;
}
