import { byVersion } from './kernel-version';

/** What differs between kernel versions in mm/vmalloc.c. */
export interface VmallocRules {
  /**
   * `first-fit`: from the bottom up; `next-fit`: from the last place on, upwards, unless a hole below is known to be large enough
   * ("mm: vmap area cache", 2.6.39); `lowest-fit`: the lowest free range, from a tree of free ranges (68ad4a330433, 5.2).
   */
  readonly search: 'first-fit' | 'next-fit' | 'lowest-fit';
  /**
   * How large a free range has to look for the tree search, with an alignment above a page:
   * `worst-case`: size + align − 1, always; `exact`: size (9f531973dff3, 5.16); `worst-case-if-aligned`:
   * as the first, only when the alignment is above a page (9333fe98d0a6, 5.18).
   */
  readonly searchLength: 'worst-case' | 'exact' | 'worst-case-if-aligned';
  /** Ranges waiting for the purge leave the tree of areas in use at once (dd3b8353bae7). */
  readonly lazyOutsideBusyTree: boolean;
  /** Waiting ranges that touch are merged and sorted (96e2db456135); before, last in is first. */
  readonly lazyMerged: boolean;
  /** /proc/vmallocinfo: no line for waiting ranges, one in its place (78c72746f56b), or all at the end. */
  readonly lazyListed: 'no' | 'inline' | 'at-end';
  /** vmap() does not let a caller go without the guard page (bd1a8fb2d43f). */
  readonly vmapStripsNoGuard: boolean;
  /** Pages come from one block that is split, as long as there is one, then one by one (in 6.19, not in 6.14). */
  readonly largeBlockFirst: boolean;
  readonly messages: VmallocMessages;
}

/** The kernel's words when a vmalloc fails, without the `COMM: ` and `, mode:…` that warn_alloc() adds. */
export interface VmallocMessages {
  readonly noAddress: (size: number, start: bigint, end: bigint) => string;
  readonly noPage: (allocatedBytes: number, bytes: number) => string;
  readonly tooLarge: (bytes: number) => string;
}

const hex = (address: bigint) => `0x${address.toString(16)}`;

const EARLY_MESSAGES: VmallocMessages = {
  noAddress: (size) =>
    `vmap allocation for size ${size} failed: use vmalloc=<size> to increase size.`,
  noPage: (allocated, bytes) =>
    `vmalloc: allocation failure, allocated ${allocated} of ${bytes} bytes`,
  tooLarge: (bytes) => `vmalloc: allocation failure: ${bytes} bytes`,
};

const MESSAGES_4_9: VmallocMessages = {
  ...EARLY_MESSAGES,
  noAddress: (size) =>
    `vmap allocation for size ${size} failed: use vmalloc=<size> to increase size`,
};

/** d70bec8cc95a; the size printed is that of the pages that could be had. */
const MESSAGES_5_13: VmallocMessages = {
  ...MESSAGES_4_9,
  noPage: (allocated) => `vmalloc error: size ${allocated}, page order 0, failed to allocate pages`,
  tooLarge: (bytes) => `vmalloc error: size ${bytes}, exceeds total pages`,
};

const MESSAGES_6_5: VmallocMessages = {
  ...MESSAGES_5_13,
  noPage: (allocated) => `vmalloc error: size ${allocated}, failed to allocate pages`,
};

const MESSAGES_6_14: VmallocMessages = {
  ...MESSAGES_6_5,
  noAddress: (size, start, end) =>
    `vmalloc_node_range for size ${size} failed: Address range restricted to ${hex(start)} - ${hex(end)}`,
};

const BASE: VmallocRules = {
  search: 'first-fit',
  searchLength: 'worst-case',
  lazyOutsideBusyTree: false,
  lazyMerged: false,
  lazyListed: 'no',
  vmapStripsNoGuard: false,
  largeBlockFirst: false,
  messages: EARLY_MESSAGES,
};

/** A row without a commit in its field's comment starts with the first version that was read. */
const CHANGES: readonly (readonly [string, Partial<VmallocRules>])[] = [
  ['2.6.39', { search: 'next-fit' }],
  ['4.9', { messages: MESSAGES_4_9 }],
  ['4.13', { lazyListed: 'inline' }],
  ['5.2', { search: 'lowest-fit' }],
  ['5.5', { lazyOutsideBusyTree: true, lazyListed: 'at-end' }],
  ['5.11', { lazyMerged: true }],
  ['5.13', { messages: MESSAGES_5_13 }],
  ['5.16', { searchLength: 'exact', vmapStripsNoGuard: true }],
  ['5.18', { searchLength: 'worst-case-if-aligned' }],
  ['6.5', { messages: MESSAGES_6_5 }],
  ['6.14', { messages: MESSAGES_6_14 }],
  ['6.19', { largeBlockFirst: true }],
];

const TABLE: readonly (readonly [string, VmallocRules])[] = CHANGES.reduce<
  [string, VmallocRules][]
>(
  (table, [version, change]) => [...table, [version, { ...table[table.length - 1][1], ...change }]],
  [['2.6.32', BASE]],
);

/** @throws RangeError for a version before 2.6.32 */
export function vmallocRules(version: string): VmallocRules {
  return byVersion(version, TABLE);
}

/** lazy_max_pages(): this many pages of freed ranges may wait; one more and all are purged. */
export function lazyMaxPages(onlineCpus: number): number {
  return (32 - Math.clz32(onlineCpus)) * 8192;
}
