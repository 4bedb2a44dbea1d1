import { parseVmallocinfo, type VmallocinfoEntry } from '../../mm/vmallocinfo';
import { listings, whichListing } from './listings';
import { explained, logLines, UnreadableError } from './log-text';
import { readCommand, type Sample } from './samples';

const PAGE = 4096;
/** From one stack to the next where nothing fills the alignment hole. */
const STRIDE = 0x8000n;

/** A task's stack among the areas. */
export interface StackArea {
  readonly addr: bigint;
  /** THREAD_SIZE. */
  readonly bytes: number;
  /** Bytes without memory between this stack and what lies below it; null where that is not known. */
  readonly below: number | null;
}

/** What /proc/vmallocinfo says of the stacks of a machine. */
export interface VmallocinfoReading {
  readonly kind: 'vmallocinfo';
  /** Areas in the listing, and lines that were left out because they were cut off. */
  readonly areas: number;
  readonly skipped: number;
  /** How many listings the text holds, of which the first is read. */
  readonly listings: number;
  readonly stacks: readonly StackArea[];
  /** Freed areas of a stack's size that wait for the purge. */
  readonly unpurged: number;
  /** Stacks whose next lower neighbour is a stack too, 0x8000 below. */
  readonly inARow: number;
  /** Addresses are hashed or zero: only sizes and callers can be read. */
  readonly hidden: boolean;
  /** Memory of the stacks and of all other areas with pages, bytes. */
  readonly stackBytes: number;
  readonly otherBytes: number;
  readonly command: string;
  readonly explanation: readonly string[];
}

const UNPURGED = 'unpurged vm_area';
const LINE = /^0x[0-9a-f]{8,16}-0x[0-9a-f]{8,16}\s+\d+(?:\s|$)/;

/** Whether a line is one of the listing. */
export function isVmallocLine(line: string): boolean {
  return LINE.test(line);
}

/** Who allocates stacks: alloc_thread_stack_node() is inlined into one of these. */
const FORK =
  /^(?:alloc_thread_stack_node|dup_task_struct|copy_process|_do_fork|do_fork|kernel_clone)[.+]/;
/** With the guard: 16 KB, 32 KB (KASAN), 64 KB. */
const STACK_SIZES = [0x5000, 0x9000, 0x11000];

/**
 * Reads /proc/vmallocinfo as to the stacks in it.
 *
 * @throws UnreadableError where no line is one of the listing
 */
export function readVmallocinfo(text: string | Sample): VmallocinfoReading {
  const lines = logLines(text).filter((line) => line.trim() !== '');
  const found = lines.flatMap((line, at) =>
    LINE.test(line) ? entryOf(line).map((entry) => ({ ...entry, at })) : [],
  );
  if (found.length === 0) {
    throw new UnreadableError(
      'expected lines like "0xffffc90000010000-0xffffc90000015000   20480 kernel_clone+0xbf/0x430 pages=4 vmalloc", got none',
    );
  }
  const [entries, ...later] = listings(found, rangeOf, startOfListing);
  const hidden = !entries.some(({ addr }) => addr >= 1n << 63n);
  const inUse = entries.filter(({ note }) => note !== UNPURGED);
  const sorted = [...inUse].sort((a, b) => (a.addr < b.addr ? -1 : a.addr > b.addr ? 1 : 0));
  const stacks: StackArea[] = [];
  let inARow = 0;
  sorted.forEach((entry, i) => {
    if (!isStack(entry)) return;
    const lower = sorted[i - 1];
    const below = hidden || !lower ? null : entry.addr - (lower.addr + BigInt(lower.size - PAGE));
    if (!hidden && lower && isStack(lower) && entry.addr - lower.addr === STRIDE) inARow++;
    stacks.push({
      addr: entry.addr,
      bytes: entry.size - PAGE,
      below: below === null || below < 0n ? null : Number(below),
    });
  });
  const stackBytes = stacks.reduce((sum, { bytes }) => sum + bytes, 0);
  const paged = inUse.reduce((sum, { pages }) => sum + pages * PAGE, 0);
  const facts = {
    kind: 'vmallocinfo' as const,
    areas: inUse.length,
    skipped: (later[0]?.[0].at ?? lines.length) - entries.length,
    listings: later.length + 1,
    stacks,
    unpurged: entries.filter(({ note, size }) => note === UNPURGED && STACK_SIZES.includes(size))
      .length,
    inARow,
    hidden,
    stackBytes,
    otherBytes: Math.max(0, paged - stackBytes),
  };
  return explained({ ...facts, command: readCommand(text), explanation: explain(facts) });
}

type FoundEntry = VmallocinfoEntry & { readonly at: number };

/** Addresses that are all zero can't be told apart. */
function rangeOf({ addr, size, at }: FoundEntry): string {
  return addr === 0n ? `line ${at}` : `${addr} ${size}`;
}

/**
 * Where the listing began that lists a range again: at the last entry that does not lie above the one
 * before it, since areas come in rising order (since 6.9 once for each node), and freed ones after them.
 * Hashed addresses have no order.
 */
function startOfListing(listing: readonly FoundEntry[], next: FoundEntry): number {
  let at = listing.length;
  for (let above = next; at > 0; above = listing[--at]) {
    const { addr, note } = listing[at - 1];
    if (addr < 1n << 63n || addr >= above.addr) break;
    if (note === UNPURGED && above.note !== UNPURGED) break;
  }
  return at;
}

/** A line that is cut off in the middle gives nothing. */
function entryOf(line: string): VmallocinfoEntry[] {
  const padded = line.replace(/0x([0-9a-f]{8,15})(?=[-\s])/g, (_, digits: string) => {
    return `0x${digits.padStart(16, '0')}`;
  });
  try {
    return parseVmallocinfo(padded).filter(
      ({ size, pages }) =>
        Number.isSafeInteger(size) && size >= PAGE && Number.isSafeInteger(pages),
    );
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) return [];
    throw error;
  }
}

function isStack({ caller, size, pages }: VmallocinfoEntry): boolean {
  return (
    caller !== null &&
    FORK.test(caller) &&
    STACK_SIZES.includes(size) &&
    pages * PAGE === size - PAGE
  );
}

/** How many stacks have how many bytes without memory below them. */
export function gapsBelow(stacks: readonly StackArea[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { below } of stacks) {
    if (below !== null) counts.set(below, (counts.get(below) ?? 0) + 1);
  }
  return new Map([...counts].sort(([a], [b]) => a - b));
}

function explain(facts: Omit<VmallocinfoReading, 'command' | 'explanation'>): string[] {
  const { stacks, areas, skipped, hidden, inARow, unpurged, stackBytes, otherBytes } = facts;
  const lines = whichListing(facts.listings);
  if (skipped > 0) lines.push(`${skipped} lines are none of the listing, or cut off: left out.`);
  if (stacks.length === 0) {
    return [
      ...lines,
      `${areas} areas, none of them a kernel stack: a kernel without VMAP_STACK, or a part of the listing without them.`,
    ];
  }
  const sizes = [...new Set(stacks.map(({ bytes }) => bytes / 1024))].sort((a, b) => a - b);
  lines.push(
    `${stacks.length} of ${areas} areas are kernel stacks, of ${sizes.join(' and ')} KB: ${stackBytes / 1024} kB of memory; all other areas have ${otherBytes / 1024} kB. Two freed stacks a CPU may be among them, kept for the next fork.`,
  );
  if (hidden) {
    lines.push(
      'The addresses are hashed or zero, so nothing can be said of where they lie: read it as root with kernel.kptr_restrict=1.',
    );
  } else {
    const gaps = gapsBelow(stacks);
    const single = gaps.get(PAGE) ?? 0;
    const known = [...gaps.values()].reduce((a, b) => a + b, 0);
    const unaligned = stacks.filter(({ addr, bytes }) => addr % BigInt(bytes) !== 0n).length;
    lines.push(
      `${inARow} have another stack as their next lower neighbour, 0x8000 below. ${unaligned === 0 ? 'All begin at a multiple of their size.' : `${unaligned} do not begin at a multiple of their size.`}`,
      `Below ${single} of ${known} stacks the guard page is all there is (4 KB); the largest gap below a stack is ${Math.max(0, ...gaps.keys()) / 1024} KB. A frame that reaches further than the gap lands in somebody's memory.`,
    );
  }
  lines.push(
    'Whether the four pages of a stack lie together in physical memory is not in this listing (N0=4 says on which node, not where).',
  );
  if (unpurged > 0) lines.push(`${unpurged} freed stacks wait for the lazy purge.`);
  return lines;
}
