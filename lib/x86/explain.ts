import { addressBits, entrySpan, hex, tableIndex, type VirtAddr } from './addr';
import {
  _PAGE_NX,
  _PAGE_PRESENT,
  _PAGE_RW,
  _PAGE_USER,
  entryTarget,
  flagNames,
  isLeaf,
  levelName,
  reservedBits,
} from './pte';
import type { WalkResult } from './walk';

/** Intel's name of the table of each level, from the last one up. */
const TABLES = ['page table', 'page directory', 'page-directory-pointer table', 'PML4', 'PML5'];

const MEANING: Record<string, string> = {
  P: 'present',
  RW: 'writable',
  US: 'user code may use it',
  PWT: 'write-through',
  PCD: 'cache disabled',
  A: 'accessed',
  D: 'dirty: written to',
  PS: 'this entry maps a large page',
  PAT: 'third bit of the memory type',
  G: 'global: stays in the TLB when CR3 changes',
  NX: 'not executable',
};

const SIZES = ['4 KiB', '2 MiB', '1 GiB'];

/** A walk in words: table by table, the bits of each entry named, then the effective rights. */
export function explainWalk(result: WalkResult): string {
  const { va, levels, entries, fault } = result;
  const bits = addressBits(levels);
  const lines = [`${hex(va)}: ${levels} levels, bits ${bits - 1} to 0 of the address take part`];
  if (fault === 'non-canonical') {
    lines.push(
      `  non-canonical: bits 63 to ${bits - 1} are not all alike, so no table is looked at: #GP (#SS for the stack)`,
    );
    return lines.join('\n');
  }
  const seen = new Set<string>();
  for (const { level, address, raw } of entries) {
    const low = 3 + 9 * level;
    const flags = flagNames(raw, level);
    flags.forEach((flag) => seen.add(flag));
    lines.push(
      `  level ${level} (${levelName(level, levels)}, ${TABLES[level - 1]}) at ${hex(address & ~0xfffn, 1)}`,
      `    bits ${low + 8}-${low} = ${tableIndex(va, level)}: entry at ${hex(address, 1)} holds ${hex(raw)}`,
      `    ${flags.join(' ') || 'P is clear'}${whatItHolds(raw, level)}`,
    );
  }
  lines.push(...ending(result, va));
  for (const flag of Object.keys(MEANING)) {
    if (seen.has(flag)) lines.push(`  ${flag.padEnd(3)} ${MEANING[flag]}`);
  }
  return lines.join('\n');
}

function whatItHolds(raw: bigint, level: number): string {
  if (!(raw & _PAGE_PRESENT)) return '';
  const target = hex(entryTarget(raw, level), 1);
  if (!isLeaf(raw, level)) return ` -> next table at ${target}`;
  return ` -> ${SIZES[level - 1]} page at ${target}`;
}

function ending(result: WalkResult, va: VirtAddr): string[] {
  const { level, fault, entries, pa } = result;
  switch (fault) {
    case 'not-present':
      return [
        `  not present at level ${level}: ${span(level)} have no translation here: #PF with P clear`,
      ];
    case 'reserved-bit': {
      const { raw } = entries[entries.length - 1];
      const bad = bitNumbers(reservedBits(raw, level, result.maxphyaddr, result.nx));
      return [
        `  reserved bit at level ${level}: bit ${bad} must be 0 (MAXPHYADDR ${result.maxphyaddr}): #PF with RSVD set`,
      ];
    }
    case 'missing-table':
      return [`  the table of level ${level} is not in this memory: the walk cannot go on`];
  }
  const inPage = BigInt(entrySpan(level) - 1);
  return [
    `  bits ${2 + 9 * level}-0 = ${hex(va & inPage, 1)}: offset in the page`,
    `  physical address ${hex(pa as bigint, 1)}`,
    `  effective rights, RW and US of all levels and NX of any: ${effectiveRights(result).join(', ')}`,
  ];
}

/** Rights of all levels together: RW and US must be set in each, NX in none. SDM vol. 3, 4.6. */
export function effectiveRights({ entries }: WalkResult): string[] {
  const and = entries.reduce((bits, { raw }) => bits & raw, _PAGE_RW | _PAGE_USER);
  const or = entries.reduce((bits, { raw }) => bits | raw, 0n);
  return [
    and & _PAGE_USER ? 'user and supervisor' : 'supervisor only',
    and & _PAGE_RW ? 'readable and writable' : 'read-only',
    or & _PAGE_NX ? 'not executable' : 'executable',
  ];
}

function bitNumbers(bits: bigint): string {
  const numbers: number[] = [];
  for (let i = 0; i < 64; i++) if ((bits >> BigInt(i)) & 1n) numbers.push(i);
  return numbers.join(', ');
}

function span(level: number): string {
  return ['these 4 KiB', 'these 2 MiB', 'this 1 GiB', 'these 512 GiB', 'these 256 TiB'][level - 1];
}
