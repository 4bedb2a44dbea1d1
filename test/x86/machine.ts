import { Cpu, type CpuOptions, type CpuState } from '../../lib/x86/cpu';
import { writeGate } from '../../lib/x86/idt';
import { PageTable, type PageTableOptions } from '../../lib/x86/page-table';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { writeTss } from '../../lib/x86/tss';

/** Linear address of physical 0: a small direct map. */
export const DIRECT = 0xffff888000000000n;
/** Handlers: vector v starts at HANDLERS + 16 v. */
export const HANDLERS = 0xffffffff81000000n;
/** Base of a stack of four scattered pages, nothing mapped around it. */
export const STACK = 0xffffc90000004000n;
export const STACK_END = STACK + 0x4000n;
export const IDT_PA = 0x8000n;
export const TSS_PA = 0x9000n;
/** Tops of the stacks in the TSS. */
export const RSP0_TOP = DIRECT + 0xb000n;
export const IST1_TOP = DIRECT + 0xc000n;

/** Hands out page frames from `first` on. */
export function frames(first: number, end: number): PageTableOptions['allocTable'] {
  let next = first;
  return () => (next < end ? next++ : null);
}

/** A machine with a direct map, a stack among unmapped pages, an IDT and a TSS. */
export class TestMachine {
  readonly memory: PhysMemory = new PhysMemory(8 << 20);
  readonly tables: PageTable;
  readonly cpu: Cpu;
  private readonly start: CpuState;

  constructor(options: CpuOptions & { gates?: readonly number[]; dfIst?: number } = {}) {
    const { gates = [0, 6, 8, 10, 11, 12, 13, 14, 0x20], dfIst = 1, levels = 4 } = options;
    const { memory } = this;
    this.tables = new PageTable(memory, { levels, allocTable: frames(64, 256) });
    for (let pa = 0; pa < memory.size; pa += 0x200000) {
      this.tables.map(DIRECT + BigInt(pa), BigInt(pa), 0x200000, { global: true });
    }
    for (let i = 0; i < 4; i++) {
      this.tables.map(STACK + BigInt(4096 * i), BigInt(0x400000 + 0x3000 * i), 4096);
    }
    this.tables.map(HANDLERS, 0x600000n, 0x200000, { executable: true, writable: false });
    for (const vector of gates) {
      const offset = HANDLERS + BigInt(16 * vector);
      writeGate(memory, IDT_PA + BigInt(16 * vector), { offset, ist: vector === 8 ? dfIst : 0 });
    }
    writeTss(memory, TSS_PA, { rsp0: RSP0_TOP, ist: [IST1_TOP] });
    this.cpu = new Cpu(memory, options);
    this.cpu.setCr3(this.tables.cr3);
    this.cpu.idtr = { base: DIRECT + IDT_PA, limit: 0xfff };
    this.cpu.tss = DIRECT + TSS_PA;
    this.cpu.rsp = STACK_END;
    this.cpu.rip = HANDLERS + 0x1000n;
    this.memory.checkpoint();
    this.start = this.cpu.snapshot();
  }

  /** Memory and registers as they were at first; mappings made since are gone too. */
  reset(): void {
    this.memory.rollback();
    this.cpu.restore(this.start);
  }
}
