import {
  addressBits,
  canonical,
  entrySpan,
  hex,
  PTRS_PER_TABLE,
  type Levels,
  type PhysAddr,
  type VirtAddr,
} from './addr';
import { join } from './halves';
import type { TableSource } from './phys-memory';
import {
  _PAGE_NX,
  _PAGE_PAT_LARGE,
  _PAGE_PRESENT,
  _PAGE_RW,
  _PAGE_USER,
  entryTarget,
  flagNames,
  isLeaf,
  PTE_PFN_MASK,
} from './pte';

/** Which tables: CR3 and how many levels. */
export interface TableRoot {
  cr3: PhysAddr;
  levels: Levels;
}

/** From `start` up to, but not including, `end`. */
export interface AddressRange {
  start: VirtAddr;
  end: VirtAddr;
}

/** An entry that ends a descent: a leaf, or one that is not present. */
export interface EndEntry {
  va: VirtAddr;
  level: number;
  raw: bigint;
  /** RW and US of all levels and-ed, NX or-ed; 0 if not present. */
  effective: bigint;
}

/** Tables that point at each other in a circle have far more entries than pages. */
const MAX_ENTRIES = 2 ** 26;

/**
 * Calls `visit` for every entry that ends a descent, ascending. A table that is not in
 * `source` counts as not present.
 *
 * @throws RangeError after 2^26 entries, which only damaged tables have
 */
export function visitEntries(
  source: TableSource,
  root: TableRoot,
  visit: (entry: EndEntry) => void,
  range?: AddressRange,
): void {
  const half = 1n << BigInt(addressBits(root.levels) - 1);
  const fold = (va: VirtAddr): bigint => (va < half ? va : va & (2n * half - 1n));
  const from = range ? fold(range.start) : 0n;
  const to = range ? fold(range.end - 1n) : 2n * half - 1n;
  let seen = 0;
  const descend = (table: PhysAddr, level: number, base: bigint, rights: bigint): void => {
    const pfn = Number(table >> 12n);
    const span = BigInt(entrySpan(level));
    for (let i = 0; i < PTRS_PER_TABLE; i++) {
      const start = base + BigInt(i) * span;
      if (start + span <= from || start > to) continue;
      const raw = join(source.pageWord(pfn, 2 * i), source.pageWord(pfn, 2 * i + 1));
      const present = (raw & _PAGE_PRESENT) !== 0n;
      const effective =
        (raw & rights & (_PAGE_RW | _PAGE_USER)) | ((raw | rights) & _PAGE_NX) | _PAGE_PRESENT;
      const target = entryTarget(raw, level);
      if (present && !isLeaf(raw, level) && source.hasPage(Number(target >> 12n))) {
        descend(target, level - 1, start, effective);
        continue;
      }
      if (++seen > MAX_ENTRIES) {
        throw new RangeError(`tables: expected at most 2^26 entries, got more: damaged tables?`);
      }
      const va = canonical(start, root.levels);
      if (present && isLeaf(raw, level)) visit({ va, level, raw, effective });
      else visit({ va, level, raw: present ? 0n : raw, effective: 0n });
    }
  };
  const top = root.cr3 & PTE_PFN_MASK;
  if (!source.hasPage(Number(top >> 12n))) return;
  descend(top, root.levels, 0n, _PAGE_RW | _PAGE_USER);
}

/** The bits of a leaf beside its frame. */
export function leafFlags(raw: bigint, level: number): bigint {
  return (raw & ~PTE_PFN_MASK) | (level > 1 ? raw & _PAGE_PAT_LARGE : 0n);
}

/** Leaves of one size and with the same bits, contiguous in both address spaces. */
export class Mapping {
  constructor(
    readonly start: VirtAddr,
    /** First address after it; 0 if it reaches the end of the address space. */
    readonly end: VirtAddr,
    readonly pa: PhysAddr,
    readonly level: number,
    /** Raw bits of the leaves without the frame. */
    readonly bits: bigint,
    /** RW and US of all levels and-ed, NX or-ed. */
    readonly effective: bigint,
  ) {}

  get pageSize(): number {
    return entrySpan(this.level);
  }

  get bytes(): bigint {
    return BigInt.asUintN(64, this.end - this.start);
  }

  get flags(): string[] {
    return flagNames(this.bits, this.level);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const size = ['4K', '2M', '1G'][this.level - 1];
    return `${hex(this.start)}-${hex(this.end)} -> ${hex(this.pa)} ${size} ${this.flags.join(' ')}`;
  }
}

/** All leaves below `root`, ascending; those that continue each other are one Mapping. */
export function listMappings(
  source: TableSource,
  root: TableRoot,
  range?: AddressRange,
): Mapping[] {
  const out: Mapping[] = [];
  let open: {
    start: bigint;
    bytes: bigint;
    pa: bigint;
    level: number;
    bits: bigint;
    effective: bigint;
  } | null = null;
  const close = (): void => {
    if (!open) return;
    const end = BigInt.asUintN(64, open.start + open.bytes);
    out.push(new Mapping(open.start, end, open.pa, open.level, open.bits, open.effective));
    open = null;
  };
  visitEntries(
    source,
    root,
    ({ va, level, raw, effective }) => {
      if (!(raw & _PAGE_PRESENT)) return;
      const bits = leafFlags(raw, level);
      const pa = entryTarget(raw, level);
      const bytes = BigInt(entrySpan(level));
      const continues =
        open !== null &&
        open.start + open.bytes === va &&
        open.pa + open.bytes === pa &&
        open.level === level &&
        open.bits === bits &&
        open.effective === effective;
      if (open !== null && continues) {
        open.bytes += bytes;
        return;
      }
      close();
      open = { start: va, bytes, pa, level, bits, effective };
    },
    range,
  );
  close();
  return out;
}
