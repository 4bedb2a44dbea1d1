import {
  entrySpan,
  hex,
  isCanonical,
  PAGE_SIZE,
  tableIndex,
  type Levels,
  type PhysAddr,
  type VirtAddr,
} from './addr';
import { explainWalk } from './explain';
import { join } from './halves';
import type { TableSource } from './phys-memory';
import {
  _PAGE_PRESENT,
  entryTarget,
  flagNames,
  isLeaf,
  levelName,
  PTE_PFN_MASK,
  reservedBits,
} from './pte';

/** Where a walk starts and by which rules it reads entries. */
export interface WalkOptions {
  /** CR3: bits 51 … 12 are the first table. */
  cr3: PhysAddr;
  levels: Levels;
  /** Bits of a physical address; above them an entry's bits are reserved. 52 unless given. */
  maxphyaddr?: number;
  /** EFER.NXE; true unless given. */
  nx?: boolean;
}

export type WalkFault = 'not-present' | 'non-canonical' | 'reserved-bit' | 'missing-table';

export interface WalkEntry {
  /** 1 = PT … 5 = PML5. */
  level: number;
  /** Physical address of the entry. */
  address: PhysAddr;
  raw: bigint;
}

/** What looking at the tables says of one address. Rights are not judged. */
export class WalkResult {
  constructor(
    readonly va: VirtAddr,
    readonly levels: Levels,
    /** Null on a fault. */
    readonly pa: PhysAddr | null,
    /** Level of the leaf; on a fault, where the walk stopped. */
    readonly level: number,
    /** Bytes of the page; on a fault, what one entry of that level would cover. */
    readonly pageSize: number,
    /** The entries read, from the first table down. */
    readonly entries: readonly WalkEntry[],
    readonly fault: WalkFault | null,
    readonly maxphyaddr: number = 52,
    readonly nx: boolean = true,
  ) {}

  /** The leaf's raw bits, or null on a fault. */
  get leaf(): bigint | null {
    return this.fault === null ? this.entries[this.entries.length - 1].raw : null;
  }

  /** Names of the bits set in the leaf; none on a fault. */
  get flags(): string[] {
    return this.leaf === null ? [] : flagNames(this.leaf, this.level);
  }

  /** The walk in words, table by table, and the effective rights. */
  explain(): string {
    return explainWalk(this);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const lines = this.entries.map(
      ({ level, raw }) =>
        `  ${levelName(level, this.levels)}[${tableIndex(this.va, level)}] ${hex(raw)} ${flagNames(raw, level).join(' ')}`,
    );
    const end =
      this.pa === null ? this.fault : `${hex(this.pa)} (${this.pageSize / 1024} KiB page)`;
    return [`${hex(this.va)} -> ${end}`, ...lines].join('\n');
  }
}

/**
 * Looks `va` up as the CPU would and changes nothing: no accessed bit, no TLB, no rights.
 * A table outside `memory` ends it with 'missing-table'. SDM vol. 3, 4.5.
 *
 * @throws RangeError if `maxphyaddr` is not from 32 to 52
 */
export function walk(memory: TableSource, options: WalkOptions, va: VirtAddr): WalkResult {
  const { cr3, levels, maxphyaddr = 52, nx = true } = options;
  if (!Number.isInteger(maxphyaddr) || maxphyaddr < 32 || maxphyaddr > 52) {
    throw new RangeError(`maxphyaddr: expected 32 to 52, got ${maxphyaddr}`);
  }
  const entries: WalkEntry[] = [];
  let level: number = levels;
  const stop = (fault: WalkFault): WalkResult =>
    new WalkResult(va, levels, null, level, entrySpan(level), entries, fault, maxphyaddr, nx);
  if (!isCanonical(va, levels)) return stop('non-canonical');
  for (let table = Number(cr3 & PTE_PFN_MASK); ; level--) {
    const pfn = table / PAGE_SIZE;
    if (!memory.hasPage(pfn)) return stop('missing-table');
    const index = tableIndex(va, level);
    const raw = join(memory.pageWord(pfn, 2 * index), memory.pageWord(pfn, 2 * index + 1));
    entries.push({ level, address: BigInt(table + 8 * index), raw });
    if (!(raw & _PAGE_PRESENT)) return stop('not-present');
    if (reservedBits(raw, level, maxphyaddr, nx)) return stop('reserved-bit');
    const target = entryTarget(raw, level);
    if (isLeaf(raw, level)) {
      const size = entrySpan(level);
      const pa = target + (va & BigInt(size - 1));
      return new WalkResult(va, levels, pa, level, size, entries, null, maxphyaddr, nx);
    }
    table = Number(target);
  }
}
