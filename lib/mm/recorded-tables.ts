import recorded from '../data/recorded-tables.json';
import type { PhysAddr, VirtAddr } from '../x86/addr';
import { parseDumpIndex, TableDump } from '../x86/table-dump';

const ENTRIES = 512;
const PAGE = 4096;

/** An address and what QEMU's own walk of the recorded tables said of it: null if it is unmapped. */
export interface RecordedTranslation {
  readonly va: VirtAddr;
  readonly pa: PhysAddr | null;
}

/** A vmalloc'ed kernel stack of the recorded machine, as a module of its kernel read it. */
export interface RecordedStack {
  readonly pid: number;
  readonly comm: string;
  /** Lowest address of its four pages. */
  readonly base: VirtAddr;
  /** Page-table entries of the page below, the four pages of the stack, and the page above. */
  readonly ptes: readonly bigint[];
}

/** One moment of a real machine: Linux 6.1.192 under QEMU, stopped. */
export interface RecordedTables {
  readonly about: string;
  /** Its kernel: '6.1.192'. */
  readonly kernel: string;
  /** Bytes of RAM. */
  readonly ramBytes: number;
  readonly PAGE_OFFSET: VirtAddr;
  readonly VMALLOC_START: VirtAddr;
  readonly VMALLOC_END: VirtAddr;
  /** Every page table that CR3 reaches. */
  readonly dump: TableDump;
  readonly translations: readonly RecordedTranslation[];
  readonly stacks: readonly RecordedStack[];
  /** Text of /proc/vmallocinfo. */
  readonly vmallocinfo: string;
  /** Some lines of /proc/meminfo. */
  readonly meminfo: string;
}

/** Entries that follow each other: first index, how many, the first, the difference between two. */
type Run = readonly [index: number, count: number, first: string, step: number];

let loaded: RecordedTables | null = null;

/** The page tables of a real kernel, with what that kernel and QEMU said of them at the time. */
export function recordedTables(): RecordedTables {
  loaded ??= load();
  return loaded;
}

function load(): RecordedTables {
  const { PAGE_OFFSET, VMALLOC_START, VMALLOC_END } = recorded.layout;
  const stacks = recorded.stacks as unknown as readonly [number, string, string, string[]][];
  const translations = recorded.translations as unknown as readonly [string, string | null][];
  return {
    about: recorded.about,
    kernel: recorded.kernel,
    ramBytes: recorded.ramBytes,
    PAGE_OFFSET: BigInt(PAGE_OFFSET),
    VMALLOC_START: BigInt(VMALLOC_START),
    VMALLOC_END: BigInt(VMALLOC_END),
    dump: dumpOf(recorded.tables as unknown as readonly { pfns: string[]; runs: Run[] }[]),
    translations: translations.map(([va, pa]) => ({
      va: BigInt(va),
      pa: pa === null ? null : BigInt(pa),
    })),
    stacks: stacks.map(([pid, comm, base, ptes]) => ({
      pid,
      comm,
      base: BigInt(base),
      ptes: ptes.map(BigInt),
    })),
    vmallocinfo: textOf(recorded.vmallocinfo),
    meminfo: textOf(recorded.meminfo),
  };
}

/** Writes the tables out again, one page for each page frame. */
function dumpOf(tables: readonly { readonly pfns: string[]; readonly runs: Run[] }[]): TableDump {
  const pfns = tables.flatMap((table) => table.pfns);
  const view = new DataView(new ArrayBuffer(pfns.length * PAGE));
  let offset = 0;
  for (const table of tables) {
    for (let i = 0; i < table.pfns.length; i++, offset += PAGE) {
      for (const run of table.runs) writeRun(view, offset, run);
    }
  }
  const offsets = Object.fromEntries(pfns.map((pfn, i) => [pfn, i * PAGE]));
  const { cr3, cr4, efer } = recorded;
  const index = { cr3, cr4, efer, tables: { offset_of_pfn: offsets } };
  return new TableDump(parseDumpIndex(JSON.stringify(index)), new Uint8Array(view.buffer));
}

function writeRun(view: DataView, table: number, [index, count, first, step]: Run): void {
  if (index + count > ENTRIES) {
    throw new RangeError(`runs: expected at most ${ENTRIES} entries a table, got ${index + count}`);
  }
  for (let i = 0; i < count; i++) {
    const raw = BigInt(first) + BigInt(i) * BigInt(step);
    view.setBigUint64(table + 8 * (index + i), raw, true);
  }
}

const textOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');
