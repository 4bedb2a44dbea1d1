import type { PhysAddr } from './addr';
import type { PhysMemory } from './phys-memory';

/** Bytes of a code- or data-segment descriptor. */
export const DESCRIPTOR_SIZE: number = 8;

/** What 64-bit mode still looks at in a segment descriptor. SDM vol. 3, 3.4.5 and 5.2.1. */
export interface SegmentDescriptor {
  code: boolean;
  dpl: number;
  present: boolean;
  /** L: 64-bit code. */
  long: boolean;
  conforming: boolean;
}

/** A code- or data-segment descriptor, or null if the eight bytes are none. */
export function decodeDescriptor(raw: bigint): SegmentDescriptor | null {
  const bit = (n: number): boolean => ((raw >> BigInt(n)) & 1n) !== 0n;
  if (!bit(44)) return null;
  const code = bit(43);
  return {
    code,
    dpl: Number((raw >> 45n) & 3n),
    present: bit(47),
    long: code && bit(53) && !bit(54),
    conforming: code && bit(42),
  };
}

/**
 * Writes the descriptor of one selector; `pa` is the GDT's base + (selector & 0xfff8).
 *
 * @throws RangeError unless `dpl` is 0 to 3
 */
export function writeDescriptor(
  memory: PhysMemory,
  pa: PhysAddr,
  descriptor: Partial<SegmentDescriptor>,
): void {
  const { code = true, dpl = 0, present = true, long = code, conforming = false } = descriptor;
  if (!Number.isInteger(dpl) || dpl < 0 || dpl > 3) {
    throw new RangeError(`dpl: expected 0 to 3, got ${dpl}`);
  }
  const type = (code ? 0b1011 : 0b0011) | (conforming ? 0b0100 : 0);
  const access = type | 0x10 | (dpl << 5) | (present ? 0x80 : 0);
  // Limit 0xfffff pages and base 0, as Linux sets them; 64-bit mode ignores both.
  const flags = 0x8 | (long ? 0x2 : 0x4);
  memory.write64(pa, 0xf00000000ffffn | (BigInt(access) << 40n) | (BigInt(flags) << 52n));
}
