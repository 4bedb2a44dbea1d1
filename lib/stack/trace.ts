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
  /** Bytes; of a partial trace whose innermost lines are missing, more than entry 0 has, if it is known. */
  readonly maxDepth: number;
  readonly totalEntries: number;
  /** Only some of the entries are known. */
  readonly partial: boolean;
  /** Index in `entries` after which lines are missing; without it a partial trace misses its outer end. */
  readonly gapAfter?: number;
  readonly task?: string;
  readonly note?: string;
  /** How many more traces came after it in the text that it was read from. */
  readonly laterTraces?: number;
  readonly entries: readonly TraceEntry[];
}

/** The frames of a trace can't be replayed as they are. */
export class TraceError extends RangeError {
  override name = 'TraceError';
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
  if (raw.entries.length > MOST_ENTRIES) {
    throw new TraceError(
      `entries: expected at most ${MOST_ENTRIES}, as many return addresses as 64 KB hold, got ${raw.entries.length}`,
    );
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
    laterTraces:
      raw.laterTraces === undefined
        ? undefined
        : wholeNumber(raw.laterTraces, 'laterTraces', 'traces'),
    entries,
  };
  checkFrames(trace);
  return trace;
}

/** No frame is larger than the half of the address space that the kernel lives in: 2^47 bytes with 4 levels. */
const LARGEST_FRAME = 2 ** 47;

/** No stack of x86-64 has room for more return addresses: 64 KB with KASAN. */
const MOST_ENTRIES = 8192;

/** Depths must fall from entry to entry by the size printed; only at the gap of a partial trace may they not. */
function checkFrames({ entries, maxDepth, partial, gapAfter }: StackTrace): void {
  if (entries[0].depth !== maxDepth && !partial) {
    throw new TraceError(
      `maxDepth: expected the depth of entry 0, ${entries[0].depth}, got ${maxDepth}`,
    );
  }
  if (entries[0].depth > maxDepth) {
    throw new TraceError(
      `maxDepth: expected at least the depth of entry 0, ${entries[0].depth}, got ${maxDepth}`,
    );
  }
  for (const [index, entry] of entries.entries()) {
    for (const key of ['depth', 'size'] as const) {
      if (entry[key] <= LARGEST_FRAME) continue;
      throw new TraceError(tooLarge(`entry ${entry.i} (${entry.fn}): ${key}`, entry[key]));
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
  if (maxDepth > LARGEST_FRAME) throw new TraceError(tooLarge('maxDepth', maxDepth));
}

function tooLarge(name: string, got: number): string {
  return `${name}: expected at most ${LARGEST_FRAME} bytes (2^47, half of the address space), got ${got}`;
}

/** Whether the chain went deeper than `maxDepth`: the innermost lines are missing, and how deep they went. */
export function isDeeper({ entries, maxDepth, partial }: StackTrace): boolean {
  return partial && entries[0].i > 0 && maxDepth === entries[0].depth;
}

/** What of the chain is not listed, and what else the text held, in sentences. */
export function whatIsMissing(trace: StackTrace): string[] {
  const { entries, totalEntries, maxDepth, gapAfter, laterTraces } = trace;
  const [first, last] = [entries[0], entries[entries.length - 1]];
  const lines: string[] = [];
  if (isDeeper(trace)) {
    lines.push(
      `The first ${counted(first.i)} missing: the chain went deeper than ${maxDepth} bytes.`,
    );
  } else if (maxDepth > first.depth) {
    lines.push(`The innermost ${maxDepth - first.depth} bytes are not listed.`);
  }
  if (gapAfter !== undefined) lines.push(`Lines are missing after number ${gapAfter}.`);
  // How many lines are missing at the outer end can't be told where others are missing uncounted.
  const tail = maxDepth > first.depth ? 0 : totalEntries - 1 - last.i;
  const isCut = last.depth > last.size;
  if (isCut || (tail > 0 && gapAfter === undefined)) {
    lines.push(`The last ${tail > 0 ? counted(tail) : 'lines are'} missing: the outermost calls.`);
  }
  if (laterTraces) lines.push(`The text holds ${laterTraces + 1} traces; this is the first.`);
  return lines;
}

const counted = (n: number) => (n === 1 ? 'line is' : `${n} lines are`);

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
