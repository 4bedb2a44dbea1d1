import type { VirtAddr } from '../x86/addr';
import type { KernelConfig } from './config';
import type { IstStackSpec } from './versions';

const PAGE = 4096;

/** A stack that the CPU switches to through the IST. */
export interface IstStack {
  /** As the oops names it. */
  readonly name: IstStackSpec['name'];
  /** Value of the IST field in the gate, 1 to 7. */
  readonly ist: number;
  readonly vector: number;
  /** Lowest address, and the address above the highest byte. */
  readonly base: VirtAddr;
  readonly top: VirtAddr;
}

/** Where one CPU's descriptor tables and exception stacks lie. */
export interface CpuEntryArea {
  readonly idt: VirtAddr;
  readonly gdt: VirtAddr;
  readonly tss: VirtAddr;
  readonly istStacks: readonly IstStack[];
  /** Every page that is backed by memory, in order of address. Guards are not among them. */
  readonly pages: readonly VirtAddr[];
}

/** Pages of the CPU's TSS with its I/O bitmap, as measured: exception stacks start 0x7000 above the area. */
const TSS_PAGES = 5;

/**
 * Lays the exception stacks out above the TSS: with a guard page below each since 5.2, back to back before.
 * The second and third debug stack that 5.2 to 5.7 had are left out.
 *
 * Up to 4.13 these lay in per-CPU data; the model keeps one place for all versions, which changes their
 * addresses but not what lies below the lowest byte of an exception stack: the next one, or a guard.
 */
export function cpuEntryArea(config: KernelConfig, start: VirtAddr): CpuEntryArea {
  const idt = start;
  const perCpu = start + BigInt(PAGE);
  const gdt = perCpu;
  const tss = perCpu + BigInt(2 * PAGE);
  const pages = [idt];
  for (let i = 0; i < 2 + TSS_PAGES; i++) pages.push(perCpu + BigInt(i * PAGE));
  let next = tss + BigInt(TSS_PAGES * PAGE);
  const istStacks = config.istStacks.map(({ name, vector, size }, index): IstStack => {
    if (config.guardsIstStacks) next += BigInt(PAGE);
    const base = next;
    for (let offset = 0; offset < size; offset += PAGE) pages.push(base + BigInt(offset));
    next = base + BigInt(size);
    return { name, vector, ist: index + 1, base, top: next };
  });
  return { idt, gdt, tss, istStacks, pages };
}
