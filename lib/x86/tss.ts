import type { PhysAddr, VirtAddr } from './addr';
import type { PhysMemory } from './phys-memory';

/** Bytes of the 64-bit task-state segment without an I/O map. SDM vol. 3, 7.7. */
export const TSS_SIZE: number = 104;
const TSS_RSP0 = 4;
const TSS_IST1 = 36;
const TSS_IO_MAP_BASE = 102;

/** The stacks the CPU finds in a TSS. */
export interface Tss {
  /** Stack for entry from user mode. */
  rsp0: VirtAddr;
  /** IST1 … IST7; a missing one is 0. */
  ist: readonly VirtAddr[];
}

/** Offset in the TSS of RSP0 (`ist` 0) or of IST1 … IST7. */
export function stackPointerOffset(ist: number): number {
  return ist === 0 ? TSS_RSP0 : TSS_IST1 + 8 * (ist - 1);
}

/** @throws RangeError with more than seven IST entries */
export function writeTss(memory: PhysMemory, pa: PhysAddr, tss: Tss): void {
  if (tss.ist.length > 7) throw new RangeError(`ist: expected at most 7, got ${tss.ist.length}`);
  memory.fill(pa, TSS_SIZE, 0);
  memory.write64(pa + BigInt(TSS_RSP0), tss.rsp0);
  tss.ist.forEach((top, i) => memory.write64(pa + BigInt(stackPointerOffset(i + 1)), top));
  memory.write16(pa + BigInt(TSS_IO_MAP_BASE), TSS_SIZE);
}

/** What a TSS in memory holds. */
export function readTss(memory: PhysMemory, pa: PhysAddr): Tss {
  const at = (ist: number): VirtAddr => memory.read64(pa + BigInt(stackPointerOffset(ist)));
  return { rsp0: at(0), ist: [1, 2, 3, 4, 5, 6, 7].map(at) };
}
