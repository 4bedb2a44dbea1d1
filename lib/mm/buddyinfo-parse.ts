import {
  buddyinfoLine,
  freeCountHead,
  pageblockHead,
  pageblockLine,
  pagetypeLine,
} from './buddyinfo';

/** One line of /proc/buddyinfo. */
export interface BuddyinfoRow {
  readonly node: number;
  readonly zone: string;
  /** Free blocks by order. */
  readonly counts: readonly number[];
}

/** /proc/pagetypeinfo as data. */
export interface Pagetypeinfo {
  readonly pageblockOrder: number;
  readonly pagesPerBlock: number;
  readonly free: readonly (BuddyinfoRow & { readonly type: string })[];
  /** Names of the columns of `blocks`. */
  readonly types: readonly string[];
  readonly blocks: readonly BuddyinfoRow[];
}

const ROW = /^Node\s+(\d+), zone\s+(\S+)\s+([\d\s]+?)\s*$/;
const TYPE_ROW = /^Node\s+(\d+), zone\s+(\S+), type\s+(\S+)\s+([\d\s]+?)\s*$/;

/**
 * Reads /proc/buddyinfo; blank lines are skipped.
 *
 * @throws RangeError for a line that is none of its
 */
export function parseBuddyinfo(text: string): BuddyinfoRow[] {
  return lines(text).map(row);
}

/** The text of /proc/buddyinfo. */
export function buddyinfoOf(rows: readonly BuddyinfoRow[]): string {
  return rows.map(({ node, zone, counts }) => buddyinfoLine(node, zone, counts)).join('');
}

/**
 * Reads /proc/pagetypeinfo.
 *
 * @throws RangeError for a line that is none of its
 */
export function parsePagetypeinfo(text: string): Pagetypeinfo {
  let pageblockOrder = 0;
  let pagesPerBlock = 0;
  const free: Pagetypeinfo['free'][number][] = [];
  const blocks: BuddyinfoRow[] = [];
  let types: string[] = [];
  for (const line of lines(text)) {
    const head = /^(Page block order|Pages per block):\s+(\d+)$/.exec(line);
    const typed = TYPE_ROW.exec(line);
    if (head) {
      if (head[1] === 'Page block order') pageblockOrder = Number(head[2]);
      else pagesPerBlock = Number(head[2]);
    } else if (line.startsWith('Number of blocks type')) {
      types = line.slice('Number of blocks type'.length).trim().split(/\s+/);
    } else if (typed) {
      const [, node, zone, type, counts] = typed;
      free.push({ node: Number(node), zone, type, counts: numbers(counts) });
    } else if (!line.startsWith('Free pages count')) {
      blocks.push(row(line));
    }
  }
  return { pageblockOrder, pagesPerBlock, free, types, blocks };
}

/** The text of /proc/pagetypeinfo. */
export function pagetypeinfoOf(info: Pagetypeinfo): string {
  return [
    `Page block order: ${info.pageblockOrder}\nPages per block:  ${info.pagesPerBlock}\n\n`,
    freeCountHead(),
    ...info.free.map(({ node, zone, type, counts }) => pagetypeLine(node, zone, type, counts)),
    '\n',
    pageblockHead(info.types),
    ...info.blocks.map(({ node, zone, counts }) => pageblockLine(node, zone, counts)),
  ].join('');
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

function row(line: string): BuddyinfoRow {
  const match = ROW.exec(line);
  if (!match) {
    throw new RangeError(`expected 'Node 0, zone NAME COUNTS…', got '${line.slice(0, 80)}'`);
  }
  return { node: Number(match[1]), zone: match[2], counts: numbers(match[3]) };
}

function numbers(text: string): number[] {
  return text.trim().split(/\s+/).map(Number);
}
