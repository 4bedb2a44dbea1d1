import type { VirtAddr } from '../../x86/addr';
import type { Machine } from '../machine';
import type { Task } from '../task';
import { traceLinesText } from '../stack-trace-text';
import { unwind } from '../unwind';

/** One line of the tracer's record. */
export interface TracedEntry {
  /** Return address. */
  readonly address: VirtAddr;
  /** Bytes from the top of the stack to the slot that holds it. */
  readonly depth: number;
}

/**
 * The stack tracer (CONFIG_STACK_TRACER, kernel/trace/trace_stack.c): at every call of a function it looks
 * whether RSP is deeper than ever before, and if so records the call chain, read from the stack.
 *
 * It looks at task stacks only: below the base of a stack it sees nothing. Then it loads the end magic, and over
 * a damaged one prints the record and ends in BUG() (seen with 3.14, read in 4.9): here the load is counted,
 * and nothing follows.
 */
export class StackTracer {
  /** stack_max_size: depth of the record, bytes. */
  maxDepth = 0;
  entries: readonly TracedEntry[] = [];

  /** check_stack(): a function has been called, and RSP points to its return address. */
  check(m: Machine, task: Task, rsp: VirtAddr): void {
    // stack_trace_max_size, against which RSP is compared.
    m.detectors.note('stack-tracer', 1);
    const top = task.stack + BigInt(m.config.THREAD_SIZE);
    const depth = Number(top - rsp);
    if (depth <= this.maxDepth || rsp < task.stack || rsp >= top) return;
    this.maxDepth = depth;
    const chain = callers(m, rsp);
    const { entries, loads } = locate(m, chain, rsp, top);
    this.entries = entries;
    // The end magic is the last load.
    m.detectors.note('stack-tracer', chain.length + loads + 1);
  }

  /** The text of /sys/kernel/tracing/stack_trace. */
  text(m: Machine): string {
    return traceLinesText(
      this.entries.map(({ address, depth }, i) => ({
        ...{ i, depth, size: depth - (this.entries[i + 1]?.depth ?? 0) },
        location: m.text.symbolize(address),
      })),
    );
  }
}

/** save_stack_trace(): return addresses, innermost first, as unwinding finds them. */
function callers(m: Machine, rsp: VirtAddr): VirtAddr[] {
  const first = m.peek64(rsp);
  if (first === null) return [];
  const steps = unwind(m, { rip: first, rsp: rsp + 8n, rbp: m.cpu.gpr.rbp });
  return [first, ...steps.flatMap((step) => (step.kind === 'call' ? step.state.rip : []))];
}

/** Looks for each address of the chain on the stack, from RSP up: how the tracer learns where it lies. */
function locate(
  m: Machine,
  chain: readonly VirtAddr[],
  rsp: VirtAddr,
  top: VirtAddr,
): { entries: TracedEntry[]; loads: number } {
  const entries: TracedEntry[] = [];
  let [start, loads] = [rsp, 0];
  for (let i = 0; i < chain.length;) {
    let found = false;
    for (let at = start; at < top && i < chain.length; at += 8n) {
      loads++;
      if (m.peek64(at) !== chain[i]) continue;
      entries.push({ address: chain[i++], depth: Number(top - at) });
      start = at + 8n;
      found = true;
    }
    if (!found) i++;
  }
  return { entries, loads };
}
