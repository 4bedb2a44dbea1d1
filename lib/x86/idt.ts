import { hex, type PhysAddr, type VirtAddr } from './addr';
import type { PhysMemory } from './phys-memory';

/** Bytes of a gate in the 64-bit IDT. */
export const GATE_SIZE: number = 16;

/** A 64-bit interrupt or trap gate. SDM vol. 3, 6.14.1. */
export interface Gate {
  /** Linear address of the handler. */
  offset: VirtAddr;
  /** Code-segment selector of the handler. */
  selector: number;
  /** 0: no switch; 1 … 7: the stack in the TSS to switch to. */
  ist: number;
  /** An interrupt gate clears RFLAGS.IF. */
  type: 'interrupt' | 'trap';
  /** Privilege that INT n needs. */
  dpl: number;
  present: boolean;
}

/** The gate as its two quadwords, which is how the CPU reads it. Null: the type is no gate. */
export function decodeGate(low: bigint, high: bigint): Gate | null {
  const type = Number((low >> 40n) & 0x1fn);
  if (type !== 0xe && type !== 0xf) return null;
  return {
    offset: (low & 0xffffn) | ((low >> 32n) & 0xffff0000n) | ((high & 0xffffffffn) << 32n),
    selector: Number((low >> 16n) & 0xffffn),
    ist: Number((low >> 32n) & 7n),
    type: type === 0xe ? 'interrupt' : 'trap',
    dpl: Number((low >> 45n) & 3n),
    present: (low & (1n << 47n)) !== 0n,
  };
}

/** The gate that lies at `pa`, or null if those bytes are none. */
export function readGate(memory: PhysMemory, pa: PhysAddr): Gate | null {
  return decodeGate(memory.read64(pa), memory.read64(pa + 8n));
}

/**
 * Writes the gate of one vector; `pa` is the IDT's base + 16 * vector.
 *
 * @throws RangeError if a field does not fit
 */
export function writeGate(
  memory: PhysMemory,
  pa: PhysAddr,
  gate: Pick<Gate, 'offset'> & Partial<Gate>,
): void {
  const { offset, selector = 0x10, ist = 0, type = 'interrupt', dpl = 0, present = true } = gate;
  check('selector', selector, 0xffff);
  check('ist', ist, 7);
  check('dpl', dpl, 3);
  if (offset < 0n || offset >> 64n) {
    throw new RangeError(`offset: expected a 64-bit address, got ${hex(offset)}`);
  }
  const access = (present ? 0x80 : 0) | (dpl << 5) | (type === 'interrupt' ? 0xe : 0xf);
  const low =
    (offset & 0xffffn) |
    (BigInt(selector) << 16n) |
    (BigInt(ist | (access << 8)) << 32n) |
    ((offset & 0xffff0000n) << 32n);
  memory.write64(pa, low);
  memory.write64(pa + 8n, offset >> 32n);
}

function check(name: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`${name}: expected 0 to ${max}, got ${value}`);
  }
}
