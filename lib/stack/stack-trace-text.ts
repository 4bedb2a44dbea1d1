import { traceFromObject, TraceError, type StackTrace, type TraceEntry } from './trace';

/** One line of /sys/kernel/tracing/stack_trace: what t_show() of kernel/trace/trace_stack.c prints. */
export interface TraceLine {
  readonly i: number;
  readonly depth: number;
  readonly size: number;
  /** `fn+offset/length`, and the module in brackets. */
  readonly location: string;
}

/** The text of /sys/kernel/tracing/stack_trace. */
export function traceLinesText(lines: readonly TraceLine[], total: number = lines.length): string {
  const pad = (value: number, width: number) => String(value).padStart(width);
  return [
    `        Depth    Size   Location    (${total} entries)`,
    '        -----    ----   --------',
    ...lines.map(
      ({ i, depth, size, location }) =>
        `${pad(i, 3)}) ${pad(depth, 8)}   ${pad(size, 5)}   ${location}`,
    ),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** A trace as /sys/kernel/tracing/stack_trace prints it. */
export function stackTraceText({ entries, totalEntries }: StackTrace): string {
  const lines = entries.map(({ i, depth, size, fn, off, module }) => ({
    ...{ i, depth, size },
    location: `${fn}${off ? `+${off}` : ''}${module ? ` [${module}]` : ''}`,
  }));
  return traceLinesText(lines, totalEntries);
}

const HEAD = /Depth\s+Size\s+Location\s+\((-?\d+) entries\)/;
/** `  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac [module]` */
const LINE =
  /^\s*(\d+)\)\s+(\d+)\s+(\d+)\s+(\S+?)(?:\+(0x[0-9a-f]+\/0x[0-9a-f]+))?(?:\s+\[([\w-]+)\])?\s*$/i;
/** Such a line whose numbers can't be read. */
const DAMAGED = /^\s*-?\d+\)\s+\S+\s+\S+\s+\S+\+0x[0-9a-f]+\/0x[0-9a-f]+(?:\s+\[\S*\])?\s*$/i;
const OFF = /^#.*[Ss]tack tracer disabled|^# To enable the stack tracer/;
const EXAMPLE = '"  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac"';

/** No stack of x86-64 is larger, KASAN's included. */
const LARGEST_STACK = 65_536;
const SMALLEST_STACK = 8192;

/** Whether a line is one of the tracer's. */
export function isTraceLine(line: string): boolean {
  return LINE.test(line) || HEAD.test(line) || OFF.test(line);
}

/**
 * Reads the lines of /sys/kernel/tracing/stack_trace, of the first trace if there are more. Lines may be
 * missing at either end, and once in between.
 *
 * @param lines without what a log puts before them
 * @throws TraceError where the tracer was off, no line is one of its, one is damaged, or depths contradict each other
 */
export function traceFromText(lines: readonly string[]): StackTrace {
  const [trace, ...later] = tracesIn(lines);
  if (!trace) {
    throw new TraceError(
      lines.some((line) => OFF.test(line))
        ? 'the stack tracer was off when this was read: "echo 1 > /proc/sys/kernel/stack_tracer_enabled", let the machine work, and read again'
        : `expected lines like ${EXAMPLE}, got none`,
    );
  }
  const { entries, damaged, announced } = trace;
  if (damaged !== null) {
    throw new TraceError(
      `line ${damaged + 1}: expected depth and size in bytes and a function, like ${EXAMPLE}, got ${JSON.stringify(lines[damaged].trim())}`,
    );
  }
  const maxDepth = entries[0].depth;
  if (maxDepth > LARGEST_STACK) {
    throw new TraceError(
      `expected a depth of at most ${LARGEST_STACK} bytes, got ${maxDepth}: no kernel stack is that large`,
    );
  }
  const last = entries[entries.length - 1];
  const totalEntries = Math.max(announced, last.i + 1);
  return traceFromObject({
    arch: 'x86_64',
    stackSize: smallestStack(maxDepth),
    maxDepth,
    totalEntries,
    partial: entries.length < totalEntries || last.depth > last.size,
    gapAfter: gapIn(entries),
    laterTraces: later.length,
    entries,
  });
}

/** The tracer does not print THREAD_SIZE: the smallest size that holds the trace. */
function smallestStack(depth: number): number {
  let size = SMALLEST_STACK;
  while (size < depth) size *= 2;
  return size;
}

interface TextOfTrace {
  readonly entries: TraceEntry[];
  /** How many entries its head line says that there are. */
  readonly announced: number;
  /** Index of the first line that can't be read. */
  damaged: number | null;
}

/** A head line, or a number that does not rise, begins another trace. */
function tracesIn(lines: readonly string[]): TextOfTrace[] {
  const begin = (announced: number): TextOfTrace => ({ entries: [], announced, damaged: null });
  const traces = [begin(0)];
  lines.forEach((line, index) => {
    const { entries } = traces[traces.length - 1];
    const head = HEAD.exec(line);
    if (head) traces.push(begin(Number(head[1])));
    const match = LINE.exec(line);
    if (match) {
      const [, i, depth, size, fn, off, module] = match;
      const goesOn = entries.length === 0 || Number(i) > entries[entries.length - 1].i;
      if (!goesOn) traces.push(begin(0));
      const entry = { i: Number(i), depth: Number(depth), size: Number(size), fn, off, module };
      traces[traces.length - 1].entries.push(entry);
    } else if (DAMAGED.test(line)) {
      traces[traces.length - 1].damaged ??= index;
    }
  });
  return traces.filter(({ entries, damaged }) => entries.length > 0 || damaged !== null);
}

/** The number after which lines are missing. */
function gapIn(entries: readonly TraceEntry[]): number | undefined {
  const gaps = entries.filter(
    ({ i }, at) => at + 1 < entries.length && entries[at + 1].i !== i + 1,
  );
  if (gaps.length <= 1) return gaps[0]?.i;
  throw new TraceError(
    `expected a trace from which lines are missing at one place in the middle at most, but they are after the numbers ${gaps.map(({ i }) => i).join(', ')}`,
  );
}
