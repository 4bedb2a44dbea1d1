import { hex, type PhysAddr } from './addr';

/** Bits of a page-table entry, names as in the kernel's pgtable_types.h. SDM vol. 3, 4.5. */
export const _PAGE_PRESENT: bigint = 1n << 0n;
export const _PAGE_RW: bigint = 1n << 1n;
export const _PAGE_USER: bigint = 1n << 2n;
export const _PAGE_PWT: bigint = 1n << 3n;
export const _PAGE_PCD: bigint = 1n << 4n;
export const _PAGE_ACCESSED: bigint = 1n << 5n;
export const _PAGE_DIRTY: bigint = 1n << 6n;
/** In a pmd or pud: this entry is a leaf (a 2 MiB or 1 GiB page). */
export const _PAGE_PSE: bigint = 1n << 7n;
/** In a pte bit 7 is PAT; a large leaf has it at bit 12. */
export const _PAGE_PAT: bigint = 1n << 7n;
export const _PAGE_GLOBAL: bigint = 1n << 8n;
export const _PAGE_PAT_LARGE: bigint = 1n << 12n;
/** Protection key of a leaf: bits 62 … 59. */
export const _PAGE_PKEY_SHIFT: bigint = 59n;
export const _PAGE_NX: bigint = 1n << 63n;
/** Bits 51 … 12: the frame. */
export const PTE_PFN_MASK: bigint = ((1n << 52n) - 1n) & ~0xfffn;

/** Names of the bits in the order in which they are printed; PS, PAT depend on the level. */
const FLAG_NAMES: readonly (readonly [bigint, string])[] = [
  [_PAGE_PRESENT, 'P'],
  [_PAGE_RW, 'RW'],
  [_PAGE_USER, 'US'],
  [_PAGE_PWT, 'PWT'],
  [_PAGE_PCD, 'PCD'],
  [_PAGE_ACCESSED, 'A'],
  [_PAGE_DIRTY, 'D'],
];

/** Whether an entry of `level` maps a page itself: always at level 1, with PS at 2 and 3. */
export function isLeaf(raw: bigint, level: number): boolean {
  return level === 1 || (level <= 3 && (raw & _PAGE_PSE) !== 0n);
}

/**
 * The bits that must be zero in a present entry. SDM vol. 3, 4.5.4, tables 4-15 to 4-20.
 *
 * @param nx EFER.NXE: without it bit 63 is reserved too
 */
export function reservedBits(
  raw: bigint,
  level: number,
  maxphyaddr: number,
  nx: boolean = true,
): bigint {
  let reserved = ((1n << 52n) - 1n) & ~((1n << BigInt(maxphyaddr)) - 1n);
  if (!nx) reserved |= _PAGE_NX;
  if (level >= 4) reserved |= _PAGE_PSE;
  else if (level >= 2 && isLeaf(raw, level)) {
    reserved |= (level === 3 ? 0x3fffffffn : 0x1fffffn) & ~0x1fffn;
  }
  return raw & reserved;
}

/** The physical address a present entry holds: of the next table, or of the page it maps. */
export function entryTarget(raw: bigint, level: number): PhysAddr {
  if (!isLeaf(raw, level) || level === 1) return raw & PTE_PFN_MASK;
  return raw & PTE_PFN_MASK & (level === 3 ? ~0x3fffffffn : ~0x1fffffn);
}

/** The names of the bits set, `['P', 'RW', 'A', 'D', 'G', 'NX']`: P RW US PWT PCD A D PS PAT G NX. */
export function flagNames(raw: bigint, level: number): string[] {
  const names = FLAG_NAMES.filter(([bit]) => raw & bit).map(([, name]) => name);
  const leaf = isLeaf(raw, level);
  if (raw & _PAGE_PSE && level > 1) names.push('PS');
  if (leaf && raw & (level === 1 ? _PAGE_PAT : _PAGE_PAT_LARGE)) names.push('PAT');
  if (leaf && raw & _PAGE_GLOBAL) names.push('G');
  if (raw & _PAGE_NX) names.push('NX');
  return names;
}

/** The kernel's name of a level: pte, pmd, pud, p4d, pgd; with 4 levels the fourth is the pgd. */
export function levelName(level: number, levels: number): string {
  return level === levels ? 'pgd' : ['pte', 'pmd', 'pud', 'p4d', 'pgd'][level - 1];
}

/** One entry, decoded; prints its bits in words. */
export class Pte {
  constructor(
    readonly raw: bigint,
    /** 1 (PT) to 5 (PML5). */
    readonly level: number = 1,
  ) {}

  get present(): boolean {
    return (this.raw & _PAGE_PRESENT) !== 0n;
  }

  get leaf(): boolean {
    return isLeaf(this.raw, this.level);
  }

  /** The page frame it holds: of the page mapped, or of the next table. */
  get pfn(): number {
    return Number(entryTarget(this.raw, this.level) >> 12n);
  }

  get flags(): string[] {
    return flagNames(this.raw, this.level);
  }

  /** Protection key, 0 … 15; means something in a user leaf with CR4.PKE. */
  get pkey(): number {
    return Number((this.raw >> _PAGE_PKEY_SHIFT) & 15n);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    if (!this.present) return `Pte ${hex(this.raw)} (level ${this.level}: not present)`;
    const what = this.leaf ? 'maps' : 'table';
    return `Pte ${hex(this.raw)} (level ${this.level}: ${what} pfn 0x${this.pfn.toString(16)}, ${this.flags.join(' ')})`;
  }
}
