import { offsetBy, type VirtAddr } from '../x86/addr';
import { makeFault, VECTOR_GP, VECTOR_PF } from '../x86/fault';
import { GATE_SIZE } from '../x86/idt';
import { stackPointerOffset } from '../x86/tss';
import type { Machine } from './machine';
import { MM_PGD } from './objects';
import { TASK } from './task-struct';

const PAGE = 4096n;
const KERNEL_HALF = 2048;
const PF_GATE = BigInt(GATE_SIZE * VECTOR_PF);
const RSP0 = BigInt(stackPointerOffset(0));

/**
 * pgd_alloc(): the first table of a new address space, with a copy of the kernel's half. Its page carries no
 * mark of a page table, as in 6.1.
 *
 * @returns null if there is no memory
 */
export function pgdAlloc(m: Machine): number | null {
  const pfn = m.pageAllocator.allocPages(0, { class: 'kernel' });
  if (pfn === null) return null;
  const pgd = m.directMap.physToVirt(BigInt(pfn) * PAGE);
  const kernelHalf = m.directMap.physToVirt(m.pageTable.cr3) + BigInt(KERNEL_HALF);
  m.fill(pgd, KERNEL_HALF, 0);
  m.copy(pgd + BigInt(KERNEL_HALF), kernelHalf, KERNEL_HALF);
  return pfn;
}

/**
 * What context_switch() does about address spaces: a user program's tables go into CR3; a kernel thread runs
 * on those that are there, its active_mm, whoever they belong to (lazy TLB). The tables of a process that has
 * exited are therefore freed only when the CPU has gone on to another's.
 */
export function switchMm(m: Machine, next: VirtAddr): void {
  const mm = m.load64(offsetBy(next, TASK.MM));
  if (mm === 0n) return;
  // __pa()
  const cr3 = BigInt.asUintN(64, m.load64(offsetBy(mm, MM_PGD)) - m.layout.PAGE_OFFSET);
  const { cpu } = m;
  if (cr3 === cpu.cr3) return;
  if (cr3 >> BigInt(cpu.mmu.maxphyaddr) !== 0n) m.raiseAndLeave(makeFault(VECTOR_GP));
  cpu.setCr3(cr3);
  const { lazyPgd } = m;
  m.lazyPgd = null;
  if (lazyPgd !== null) m.pageAllocator.freePages(lazyPgd, 0);
  takeUserFaults(m);
}

/**
 * A program that runs is interrupted by the timer and takes page faults: the CPU reads a gate of the IDT and
 * RSP0 from the TSS. Their handlers do nothing that matters here.
 */
function takeUserFaults({ cpu }: Machine): void {
  cpu.loadImplicit64(offsetBy(cpu.idtr.base, PF_GATE));
  cpu.loadImplicit64(offsetBy(cpu.tss, RSP0));
}

/** mmdrop(): frees the first table, at once or when the CPU no longer uses it. */
export function pgdFree(m: Machine, pfn: number): void {
  if (m.cpu.cr3 === BigInt(pfn) * PAGE) m.lazyPgd = pfn;
  else m.pageAllocator.freePages(pfn, 0);
}
