import { scratch32, scratch64 } from './halves';

/** A linear (virtual) address: 64 bits, the kernel's half with the upper bits set. */
export type VirtAddr = bigint;
/** A physical address: fewer than 52 bits. */
export type PhysAddr = bigint;
/** Levels of page tables: 4 (48-bit addresses) or 5 (57-bit, CR4.LA57). */
export type Levels = 4 | 5;

export const PAGE_SHIFT: number = 12;
/** Bytes of a page, the smallest leaf. */
export const PAGE_SIZE: number = 4096;
/** Bytes that one entry of a page directory (pmd) covers. */
export const PMD_SIZE: number = 0x200000;
/** Bytes that one entry of a page-directory-pointer table (pud) covers. */
export const PUD_SIZE: number = 0x40000000;
/** Entries of a table, at every level. */
export const PTRS_PER_TABLE: number = 512;

/** The sizes a leaf can have. */
export type PageSize = 4096 | 0x200000 | 0x40000000;

const MASK64 = (1n << 64n) - 1n;

/** `0xffff888000001000`: lower case, padded to `digits`, modulo 2^64. */
export function hex(a: bigint, digits: number = 16): string {
  return '0x' + (a & MASK64).toString(16).padStart(digits, '0');
}

/** Bits of a linear address that take part in translation: 48 or 57. */
export function addressBits(levels: Levels): number {
  return levels === 5 ? 57 : 48;
}

/** Whether bits 63 … 47 (56 with five levels) are all equal. SDM vol. 1, 3.3.7.1. */
export function isCanonical(va: VirtAddr, levels: Levels): boolean {
  return canonical(va, levels) === va;
}

/** `va` with its upper bits made copies of bit 47 (56). */
export function canonical(va: VirtAddr, levels: Levels): VirtAddr {
  if (typeof va !== 'bigint') {
    throw new TypeError(`va: expected an address as a bigint, such as 0x1000n, got ${typeof va}`);
  }
  return BigInt.asUintN(64, BigInt.asIntN(addressBits(levels), va));
}

/** {@link tableIndex} of the address with these halves. */
export function indexAt(lo: number, hi: number, level: number): number {
  if (level === 5) return (hi >>> 16) & 511;
  if (level === 4) return (hi >>> 7) & 511;
  if (level === 3) return ((hi << 2) | (lo >>> 30)) & 511;
  return (lo >>> (3 + 9 * level)) & 511;
}

/** Where `va` lands in the table of `level`; 1 is the last level (PT), 5 the first (PML5). */
export function tableIndex(va: VirtAddr, level: number): number {
  scratch64[0] = va;
  return indexAt(scratch32[0], scratch32[1], level);
}

/** Bytes that one entry of a table of `level` covers: 4096 at level 1. */
export function entrySpan(level: number): number {
  return 4096 * 512 ** (level - 1);
}

/** The linear address of the entry that follows these indices, from the first level down. */
export function addressOf(indices: readonly number[], levels: Levels): VirtAddr {
  let va = 0n;
  for (let i = 0; i < levels; i++) va = (va << 9n) | BigInt(indices[i] ?? 0);
  return canonical(va << 12n, levels);
}

/**
 * `va` + `bytes`, modulo 2^64 as the CPU reckons. For code that runs often: V8 makes one addition of it, where `+`
 * of kernel addresses, which fit no signed word, calls its library (measured: 3 ns, 14 ns).
 */
export function offsetBy(va: VirtAddr, bytes: bigint): VirtAddr {
  return BigInt.asUintN(64, va + bytes);
}

/** Rounds down to a multiple of `size`. */
export function alignDown(a: bigint, size: number | bigint): bigint {
  return a - (a % BigInt(size));
}

/** Rounds up to a multiple of `size`. */
export function alignUp(a: bigint, size: number | bigint): bigint {
  const s = BigInt(size);
  return ((a + s - 1n) / s) * s;
}

/**
 * Reads a hexadecimal address: `0xffff888000001000`, `ffff888000001000`,
 * `ffff8880_00001000` or a debugger's ``ffff8880`00001000``.
 *
 * @throws RangeError unless it is 1 to 16 hexadecimal digits
 */
export function parseAddress(text: string): bigint {
  const digits = /^\s*(?:0[xX])?([0-9a-fA-F]+(?:[_`][0-9a-fA-F]+)*)\s*$/.exec(
    text.length > 80 ? '' : text,
  );
  const plain = digits?.[1].replace(/[_`]/g, '').replace(/^0+(?=.)/, '');
  if (plain === undefined || plain.length > 16) {
    const got = text.length > 40 ? `${JSON.stringify(text.slice(0, 40))}…` : JSON.stringify(text);
    throw new RangeError(
      `address: expected up to 16 hexadecimal digits such as 0xffff888000001000, got ${got}`,
    );
  }
  return BigInt('0x' + plain);
}
