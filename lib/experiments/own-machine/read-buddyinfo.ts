import { listings, whichListing } from './listings';
import { explained, logLines, UnreadableError } from './log-text';
import { readCommand, type Sample } from './samples';

const PAGE_KB = 4;
/** What a thread asks for: an 8 KB stack, a 16 KB stack, and 32 KB with KASAN. */
const STACK_ORDERS = [1, 2, 3];

/** The free memory of one zone by the size of its blocks. */
export interface ZoneReading {
  readonly node: number;
  readonly zone: string;
  /** Free blocks by order. */
  readonly counts: readonly number[];
  readonly freeKb: number;
  readonly orders: readonly OrderReading[];
}

/** What a zone has for requests of one order. */
export interface OrderReading {
  readonly order: number;
  /** How many such blocks could be cut from what is free. */
  readonly available: number;
  /** Part of the free memory that is of no use to such a request, 0 to 1 (unusable_index). */
  readonly unusable: number;
  /** fragmentation_index(): −1 where a block is there; else towards 0 for lack of memory, towards 1 for fragmentation. */
  readonly fragmentation: number;
}

/** What /proc/buddyinfo says of memory for stacks. */
export interface BuddyinfoReading {
  readonly kind: 'buddyinfo';
  readonly zones: readonly ZoneReading[];
  /** Free lists of an out-of-memory report instead of /proc/buddyinfo. */
  readonly fromReport: boolean;
  /** How many listings the text holds, of which the first is read. */
  readonly listings: number;
  /** Lines of that one that can't be read. */
  readonly skipped: number;
  readonly command: string;
  readonly explanation: readonly string[];
}

/** A line of /proc/buddyinfo, whole or damaged; pagetypeinfo names a type after the zone, zoneinfo nothing. */
const ROW = /^Node\s+(\d+), zone\s+([^\s,]+)\s+(\S.*)$/;
/** `Node 0 DMA32: 5079*4kB (UM) 2*8kB (U) … = 20332kB` of show_mem(), whole or damaged. */
const FREE_LIST = /^(?:Node (\d+) )?(\w+): (\d+\*\d+kB.*)$/;
const WHOLE_FREE_LIST = /^((?:\d+\*\d+kB(?: \(\w+\))? ?)+)= \d+kB/;

/** The free blocks of a zone as one line has them; null where the line can't be read. */
interface ZoneLine {
  readonly node: number;
  readonly zone: string;
  readonly counts: readonly number[] | null;
}

/** Whether a line is one of /proc/buddyinfo, or the free lists of an out-of-memory report. */
export function isBuddyLine(line: string): boolean {
  const [zone] = [...row(line), ...freeList(line)];
  return zone !== undefined && zone.counts !== null;
}

/**
 * Reads /proc/buddyinfo, or the free lists that an out-of-memory report prints; the first of them where a
 * zone comes again.
 *
 * @throws UnreadableError where no line is one of them
 */
export function readBuddyinfo(text: string | Sample): BuddyinfoReading {
  const lines = logLines(text);
  const rows = lines.flatMap(row);
  const fromReport = !rows.some(({ counts }) => counts !== null);
  const found = fromReport ? lines.flatMap(freeList) : rows;
  const all = listings(found, ({ node, zone }) => `${node} ${zone}`);
  const nth = all.findIndex((one) => one.some(({ counts }) => counts !== null));
  if (nth < 0) {
    throw new UnreadableError(
      'expected lines like "Node 0, zone    DMA32   9605     78     68 …", got none',
    );
  }
  const zones = all[nth].flatMap(({ node, zone, counts }) =>
    counts === null ? [] : [zoneOf(node, zone, counts)],
  );
  const facts = {
    ...{ kind: 'buddyinfo' as const, zones, fromReport },
    ...{ listings: all.length, skipped: all[nth].length - zones.length },
  };
  return explained({ ...facts, command: readCommand(text), explanation: explain(facts, nth) });
}

function row(line: string): ZoneLine[] {
  const [, node, zone, rest] = ROW.exec(line) ?? [];
  if (rest === undefined) return [];
  const words = rest.split(/\s+/);
  return [{ node: Number(node), zone, counts: countsOf(words) }];
}

function freeList(line: string): ZoneLine[] {
  const [, node, zone, rest] = FREE_LIST.exec(line) ?? [];
  if (rest === undefined) return [];
  const words = [...(WHOLE_FREE_LIST.exec(rest)?.[1] ?? '').matchAll(/(\d+)\*\d+kB/g)];
  return [{ node: Number(node ?? 0), zone, counts: countsOf(words.map(([, count]) => count)) }];
}

/** The numbers of a line, if it has more than one and all can be numbers of blocks. */
function countsOf(words: readonly string[]): number[] | null {
  const counts = words.map((word) => (/^\d+$/.test(word) ? Number(word) : NaN));
  return counts.length > 1 && counts.every(Number.isSafeInteger) ? counts : null;
}

function zoneOf(node: number, zone: string, counts: readonly number[]): ZoneReading {
  const pages = counts.reduce((sum, n, order) => sum + n * 2 ** order, 0);
  const blocks = counts.reduce((sum, n) => sum + n, 0);
  const orders = counts.map((_, order): OrderReading => {
    let usable = 0;
    for (let o = order; o < counts.length; o++) usable += counts[o] * 2 ** o;
    return {
      order,
      available: usable / 2 ** order,
      unusable: pages === 0 ? 1 : Number(((pages - usable) / pages).toFixed(3)),
      fragmentation: index(pages, blocks, usable, order),
    };
  });
  return { node, zone, counts, freeKb: pages * PAGE_KB, orders };
}

/** fragmentation_index() of mm/vmstat.c, in thousandths as the kernel reckons it. */
function index(pages: number, blocks: number, usable: number, order: number): number {
  if (blocks === 0) return 0;
  if (usable > 0) return -1;
  const scaled = Math.trunc((pages * 1000) / 2 ** order);
  return (1000 - Math.trunc((1000 + scaled) / blocks)) / 1000;
}

function explain(facts: Omit<BuddyinfoReading, 'command' | 'explanation'>, nth: number): string[] {
  const { zones, fromReport, skipped } = facts;
  const lines = fromReport ? ['The free lists of an out-of-memory report.'] : [];
  lines.push(...whichListing(facts.listings, nth));
  if (skipped > 0) {
    lines.push(
      `${skipped} ${skipped === 1 ? 'line names a zone but has' : 'lines name zones but have'} no counts that can be read: left out.`,
    );
  }
  for (const { node, zone, freeKb, orders, counts } of zones) {
    const parts = STACK_ORDERS.filter((order) => order < counts.length).map((order) => {
      const { available, unusable, fragmentation } = orders[order];
      if (available > 0)
        return `order ${order} (${PAGE_KB << order} KB): ${available} blocks, ${(100 * unusable).toFixed(1)}\u00a0% of the free memory is of no use to it`;
      const why =
        freeKb === 0
          ? 'nothing is free'
          : `fragmentation index ${fragmentation.toFixed(3)}, ${fragmentation > 0.5 ? 'memory is there but scattered' : 'too little memory is free'}`;
      return `order ${order} (${PAGE_KB << order} KB): none (${why})`;
    });
    lines.push(`Node ${node}, zone ${zone}: ${freeKb} kB free. ${parts.join('; ')}.`);
  }
  const [one, two] = [1, 2].map((order) =>
    zones.reduce((sum, { orders }) => sum + (orders[order]?.available ?? 0), 0),
  );
  lines.push(
    `Threads that could get a stack from these blocks alone: ${one} of 8 KB, ${two} of 16 KB in one piece; with VMAP_STACK any four free pages will do.`,
    'An upper bound: watermarks, the reserves of lower zones and the migrate types of the blocks are not in this file.',
  );
  return lines;
}
