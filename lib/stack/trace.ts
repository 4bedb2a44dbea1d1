/** One line of a stack trace, innermost first. */
export interface TraceEntry {
  /** Place in the whole trace, 0 = innermost. */
  readonly i: number;
  readonly fn: string;
  /** Bytes from the top of the stack to the slot that holds the return address into `fn`. */
  readonly depth: number;
  /** Bytes from that slot to the next outer one. */
  readonly size: number;
  /** `offset/length` of the return address in `fn`, as printed: `0x28/0x30`. */
  readonly off?: string;
  readonly module?: string;
}

/** A published stack trace, or one read from /sys/kernel/tracing/stack_trace. */
export interface StackTrace {
  readonly source?: string;
  readonly kernel?: string;
  readonly arch: string;
  /** THREAD_SIZE of the machine it was taken on, bytes. */
  readonly stackSize: number;
  readonly maxDepth: number;
  readonly totalEntries: number;
  /** Only some of the entries are known. */
  readonly partial: boolean;
  /** Index in `entries` after which lines are missing; without it a partial trace misses its outer end. */
  readonly gapAfter?: number;
  readonly task?: string;
  readonly note?: string;
  readonly entries: readonly TraceEntry[];
}

/** The frames of a trace can't be replayed as they are. */
export class TraceError extends RangeError {
  override name = 'TraceError';
}

/**
 * Reads a trace: JSON in the schema of the published traces, or the text of ftrace's stack_trace.
 *
 * @throws TraceError that says what was expected and found
 */
export function parseTrace(text: string): StackTrace {
  return text.trimStart().startsWith('{') ? fromJson(text) : fromFtrace(text);
}

function fromJson(text: string): StackTrace {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TraceError(`trace: expected JSON, but ${(error as Error).message}`);
  }
  return traceFromObject(value);
}

/**
 * Checks an object in the schema of the published traces.
 *
 * @throws TraceError that names the key or the entry that does not fit
 */
export function traceFromObject(value: unknown): StackTrace {
  const raw = expectObject(value, 'trace');
  if (!Array.isArray(raw.entries) || raw.entries.length === 0) {
    throw new TraceError('entries: expected a list of at least one entry');
  }
  const entries = raw.entries.map((entry, index) => readEntry(entry, index));
  const trace: StackTrace = {
    source: optionalString(raw, 'source'),
    kernel: optionalString(raw, 'kernel'),
    arch: optionalString(raw, 'arch') ?? 'x86_64',
    stackSize: wholeNumber(raw.stackSize, 'stackSize'),
    maxDepth: wholeNumber(raw.maxDepth, 'maxDepth'),
    totalEntries:
      raw.totalEntries === undefined
        ? entries.length
        : wholeNumber(raw.totalEntries, 'totalEntries', 'entries'),
    partial: raw.partial === true,
    gapAfter: raw.gapAfter === undefined ? undefined : gapAfter(raw.gapAfter, entries),
    task: optionalString(raw, 'task'),
    note: optionalString(raw, 'note'),
    entries,
  };
  checkFrames(trace);
  return trace;
}

/** `  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac` after a line `Depth    Size   Location`. */
const FTRACE_LINE =
  /^\s*(\d+)\)\s+(\d+)\s+(\d+)\s+(\S+?)(?:\+(0x[0-9a-f]+\/0x[0-9a-f]+))?(?:\s+\[(\w+)\])?\s*$/i;
const EXAMPLE = '"  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac"';

/** What mail and logs put in front of a line: `> `, `Nov 22 10:00:00 host kernel: `, `[   12.345678] `. */
const IN_FRONT =
  /^(?:\s*>)*\s*(?:[A-Z][a-z]{2}\s+\d+ \d\d:\d\d:\d\d \S+ kernel: )?(?:<\d+>)?(?:\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])?)?/;

function fromFtrace(text: string): StackTrace {
  const entries: TraceEntry[] = [];
  const total = /Depth\s+Size\s+Location\s+\((-?\d+) entries\)/.exec(text);
  text.split('\n').forEach((whole, index) => {
    const line = whole.replace(IN_FRONT, '');
    const match = FTRACE_LINE.exec(line);
    if (!match) {
      if (!/^\s*-?\d+\)/.test(line)) return;
      throw new TraceError(
        `line ${index + 1}: expected depth and size in bytes and a function, like ${EXAMPLE}, got ${JSON.stringify(whole.trim())}`,
      );
    }
    const [, i, depth, size, fn, off, module] = match;
    entries.push({ i: Number(i), fn, depth: Number(depth), size: Number(size), off, module });
  });
  if (entries.length === 0) {
    if (/Stack tracer disabled/.test(text)) {
      throw new TraceError(
        'trace: the stack tracer was off when this was read; echo 1 > /proc/sys/kernel/stack_tracer_enabled, ' +
          'let the machine work, and read /sys/kernel/tracing/stack_trace again',
      );
    }
    if (total) {
      throw new TraceError(
        `trace: expected entries, like ${EXAMPLE}, after the line "Depth    Size   Location", found none`,
      );
    }
    throw new TraceError(
      `trace: expected JSON or the text of /sys/kernel/tracing/stack_trace with lines like ${EXAMPLE}, found neither`,
    );
  }
  const totalEntries = total ? Number(total[1]) : entries.length;
  const maxDepth = entries[0].depth;
  const trace: StackTrace = {
    arch: 'x86_64',
    // The tracer does not print THREAD_SIZE: the smallest size that holds the trace.
    stackSize: maxDepth <= 8192 ? 8192 : 16384,
    maxDepth,
    totalEntries,
    partial: entries.length < totalEntries,
    entries,
  };
  checkFrames(trace);
  return trace;
}

/** No frame is larger than the half of the address space that the kernel lives in: 2^47 bytes with 4 levels. */
const LARGEST_FRAME = 2 ** 47;

/** Depths must fall from entry to entry by the size printed; only at the gap of a partial trace may they not. */
function checkFrames({ entries, maxDepth, partial, gapAfter }: StackTrace): void {
  if (entries[0].depth !== maxDepth && !partial) {
    throw new TraceError(
      `maxDepth: expected the depth of entry 0, ${entries[0].depth}, got ${maxDepth}`,
    );
  }
  for (const [index, entry] of entries.entries()) {
    for (const key of ['depth', 'size'] as const) {
      if (entry[key] <= LARGEST_FRAME) continue;
      throw new TraceError(
        `entry ${entry.i} (${entry.fn}): ${key}: expected at most ${LARGEST_FRAME} bytes ` +
          `(2^47, half of the address space), got ${entry[key]}`,
      );
    }
    const isLast = index === entries.length - 1;
    const next = isLast ? 0 : entries[index + 1].depth;
    const mayMiss = partial && (isLast || gapAfter === entry.i || gapAfter === index);
    if (entry.depth - entry.size === next) continue;
    if (mayMiss && entry.depth - entry.size > next) continue;
    throw new TraceError(
      `entry ${entry.i} (${entry.fn}): depth ${entry.depth} − size ${entry.size} should be ` +
        `${next}, ${isLast ? 'the top of the stack' : 'the depth of the next entry'}, but is ${entry.depth - entry.size}`,
    );
  }
}

function readEntry(value: unknown, index: number): TraceEntry {
  const raw = expectObject(value, `entry ${index}`);
  const fn = raw.fn;
  if (typeof fn !== 'string' || fn === '') {
    throw new TraceError(
      `entry ${index}: fn: expected the name of a function, got ${JSON.stringify(fn)}`,
    );
  }
  return {
    i: raw.i === undefined ? index : wholeNumber(raw.i, `entry ${index}: i`, 'entries further in'),
    fn,
    depth: wholeNumber(raw.depth, `entry ${index} (${fn}): depth`),
    size: wholeNumber(raw.size, `entry ${index} (${fn}): size`),
    off: optionalString(raw, 'off'),
    module: optionalString(raw, 'module'),
  };
}

function expectObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new TraceError(`${name}: expected an object, got ${JSON.stringify(value)}`);
}

function optionalString(raw: Record<string, unknown>, key: string): string | undefined {
  const value = raw[key];
  return typeof value === 'string' ? value : undefined;
}

function wholeNumber(value: unknown, name: string, of = 'bytes'): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new TraceError(
    `${name}: expected a whole number of ${of} from 0, got ${JSON.stringify(value)}`,
  );
}

function gapAfter(value: unknown, entries: readonly TraceEntry[]): number {
  if (entries.some(({ i }, index) => value === i || value === index)) return value as number;
  throw new TraceError(
    `gapAfter: expected the index of the entry after which lines are missing, 0 to ${entries.length - 1}, ` +
      `or no such key, got ${JSON.stringify(value)}`,
  );
}
