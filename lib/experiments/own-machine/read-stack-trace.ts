import { ERAS, kernelConfig, type Era } from '../../stack/config';
import { traceFromObject, TraceError, type StackTrace, type TraceEntry } from '../../stack/trace';
import { explained, logLines, UnreadableError } from './log-text';
import { readCommand, type Sample } from './samples';

/** What a stack of an era would have left of the deepest chain. */
export interface EraRoom {
  readonly era: Era;
  /** Bytes above end marker and thread_info. */
  readonly usable: number;
  /** usable − depth; negative where the chain does not fit. */
  readonly headroom: number;
}

/** The deepest chain of calls that the stack tracer has seen. */
export interface StackTraceReading {
  readonly kind: 'stack_trace';
  readonly trace: StackTrace;
  /** Bytes; where the innermost lines are missing the chain was deeper. */
  readonly maxDepth: number;
  readonly room: readonly EraRoom[];
  /** The largest frames, largest first. */
  readonly largest: readonly TraceEntry[];
  /** The command that reads the same text. */
  readonly command: string;
  readonly explanation: readonly string[];
}

const HEAD = /Depth\s+Size\s+Location\s+\((\d+) entries\)/;
/** `  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac [module]` */
const LINE =
  /^\s*(\d+)\)\s+(\d+)\s+(\d+)\s+(\S+?)(?:\+(0x[0-9a-f]+\/0x[0-9a-f]+))?(?:\s+\[([\w-]+)\])?\s*$/i;
const OFF = /^#.*[Ss]tack tracer disabled|^# To enable the stack tracer/;
const LARGEST = 5;
/** No stack of x86-64 is larger, KASAN's included. */
const LARGEST_STACK = 65_536;

/** Whether a line is one of the tracer's. */
export function isTraceLine(line: string): boolean {
  return LINE.test(line) || HEAD.test(line) || OFF.test(line);
}

/**
 * Reads /sys/kernel/tracing/stack_trace. Lines may be missing at either end, and once in between.
 *
 * @throws UnreadableError where the tracer is off, no line is one of its, or the depths contradict each other
 */
export function readStackTrace(text: string | Sample): StackTraceReading {
  const lines = logLines(text);
  const entries = firstTrace(lines);
  if (entries.length === 0) {
    throw new UnreadableError(
      lines.some((line) => OFF.test(line))
        ? 'the stack tracer was off when this was read: "echo 1 > /proc/sys/kernel/stack_tracer_enabled", let the machine work, and read again'
        : 'expected lines like "  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac", got none',
    );
  }
  const announced = lines.map((line) => HEAD.exec(line)?.[1]).find((n) => n !== undefined);
  const total = Math.max(Number(announced ?? 0), entries[entries.length - 1].i + 1);
  const trace = traceOf(entries, total);
  const { maxDepth } = trace;
  const room = ERAS.map((era): EraRoom => {
    const { usable } = kernelConfig(era);
    return { era, usable, headroom: usable - maxDepth };
  });
  const largest = [...entries].sort((a, b) => b.size - a.size).slice(0, LARGEST);
  const facts = { kind: 'stack_trace' as const, trace, maxDepth, room, largest };
  return explained({ ...facts, command: readCommand(text), explanation: explain(facts) });
}

/** The lines of the first trace; a second one begins with a lower number. */
function firstTrace(lines: readonly string[]): TraceEntry[] {
  const entries: TraceEntry[] = [];
  for (const line of lines) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [, i, depth, size, fn, off, module] = match;
    if (entries.length > 0 && Number(i) <= entries[entries.length - 1].i) break;
    entries.push({ i: Number(i), depth: Number(depth), size: Number(size), fn, off, module });
  }
  return entries;
}

function traceOf(entries: readonly TraceEntry[], totalEntries: number): StackTrace {
  const maxDepth = entries[0].depth;
  if (maxDepth > LARGEST_STACK) {
    throw new UnreadableError(
      `expected a depth of at most ${LARGEST_STACK} bytes, got ${maxDepth}: no kernel stack is that large`,
    );
  }
  const gap = entries.find(({ i }, at) => at > 0 && i !== entries[at - 1].i + 1);
  try {
    return traceFromObject({
      arch: 'x86_64',
      // The tracer does not print THREAD_SIZE: the smallest size that holds the trace.
      stackSize: maxDepth <= 8192 ? 8192 : maxDepth <= 16384 ? 16384 : LARGEST_STACK,
      maxDepth,
      totalEntries,
      partial: entries.length < totalEntries,
      gapAfter: gap && entries[entries.indexOf(gap) - 1].i,
      entries,
    });
  } catch (error) {
    if (error instanceof TraceError) throw new UnreadableError(error.message);
    throw error;
  }
}

function explain({
  trace,
  maxDepth,
  room,
  largest,
}: Omit<StackTraceReading, 'command' | 'explanation'>): string[] {
  const { entries, totalEntries, gapAfter } = trace;
  const lines = [
    `The deepest chain of calls that the stack tracer saw: ${maxDepth} bytes, ${totalEntries} calls, innermost ${entries[0].fn}().`,
  ];
  if (entries[0].i > 0) {
    lines.push(
      `The first ${entries[0].i} lines are missing: the chain went deeper than ${maxDepth} bytes.`,
    );
  }
  if (gapAfter !== undefined) lines.push(`Lines are missing after number ${gapAfter}.`);
  const tail = totalEntries - 1 - entries[entries.length - 1].i;
  if (tail > 0) lines.push(`The last ${tail} lines are missing: the outermost calls.`);
  for (const { era, usable, headroom } of room) {
    const part = Math.round((100 * maxDepth) / usable);
    lines.push(
      headroom >= 0
        ? `${STACK[era]}: it fits, ${headroom} of ${usable} usable bytes are left (${part} % used).`
        : `${STACK[era]}: it does not fit, ${-headroom} bytes too deep.`,
    );
  }
  lines.push(
    `The largest frames: ${largest.map(({ fn, size }) => `${fn} ${size}`).join(', ')} bytes; together ${Math.round((100 * largest.reduce((sum, { size }) => sum + size, 0)) / maxDepth)} % of the depth.`,
  );
  return lines;
}

const STACK: Readonly<Record<Era, string>> = {
  '8k': 'On an 8 KB stack (up to 3.14)',
  '16k': 'On a 16 KB stack in the direct map (3.15 to 4.8)',
  vmap: 'On a 16 KB stack with VMAP_STACK (4.9 and later)',
};
