import { ERAS, kernelConfig, type Era } from '../../stack/config';
import { traceFromText } from '../../stack/stack-trace-text';
import {
  isDeeper,
  TraceError,
  whatIsMissing,
  type StackTrace,
  type TraceEntry,
} from '../../stack/trace';
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

const LARGEST = 5;

/**
 * Reads /sys/kernel/tracing/stack_trace. Lines may be missing at either end, and once in between.
 *
 * @throws UnreadableError where the tracer is off, no line is one of its, or the depths contradict each other
 */
export function readStackTrace(text: string | Sample): StackTraceReading {
  const trace = traceIn(logLines(text));
  const { entries } = trace;
  const { maxDepth } = trace;
  const room = ERAS.map((era): EraRoom => {
    const { usable } = kernelConfig(era);
    return { era, usable, headroom: usable - maxDepth };
  });
  const largest = [...entries].sort((a, b) => b.size - a.size).slice(0, LARGEST);
  const facts = { kind: 'stack_trace' as const, trace, maxDepth, room, largest };
  return explained({ ...facts, command: readCommand(text), explanation: explain(facts) });
}

function traceIn(lines: readonly string[]): StackTrace {
  try {
    return traceFromText(lines);
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
  const { entries, totalEntries } = trace;
  const deeper = isDeeper(trace);
  const [least, most] = deeper ? ['at least ', 'at most '] : ['', ''];
  const lines = [
    `The deepest chain of calls that the stack tracer saw: ${least}${maxDepth} bytes, ${totalEntries} calls, innermost ${deeper ? 'of those listed ' : ''}${entries[0].fn}().`,
    ...whatIsMissing(trace),
  ];
  for (const { era, usable, headroom } of room) {
    const part = Math.round((100 * maxDepth) / usable);
    lines.push(
      headroom >= 0
        ? `${STACK[era]}: ${deeper ? 'what is listed' : 'it'} fits, ${most}${headroom} of ${usable} usable bytes are left (${least}${part} % used).`
        : `${STACK[era]}: it does not fit, ${least}${-headroom} bytes too deep.`,
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
