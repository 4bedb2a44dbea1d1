import { hex, type PhysAddr, type VirtAddr } from './addr';
import type { Delivery } from './delivery';
import { deliverFault, deliverInterrupt, returnFromHandler } from './exceptions';
import { type Access, type Fault, isFault } from './fault';
import { GPR_NAMES, gprList, type GprName, type Gprs, gprsOver } from './gprs';
import { MemoryPort, type Segment } from './memory-port';
import { EXECUTE, IMPLICIT, READ, SUPERVISOR, WRITE } from './mmu';
import type { PhysMemory } from './phys-memory';
import { type SystemOptions, SystemRegisters } from './system-registers';

export type { Delivery } from './delivery';
export { GPR_NAMES, type GprName, type Gprs } from './gprs';

export type CpuOptions = SystemOptions;

const RSP = GPR_NAMES.length;
const RIP = RSP + 1;

/** Everything of a Cpu but its TLB; see {@link Cpu.snapshot}. */
export interface CpuState {
  readonly gpr: Readonly<Gprs>;
  readonly values: readonly bigint[];
  readonly cpl: 0 | 3;
  readonly cs: number;
  readonly ss: number;
  readonly pkru: number;
  readonly idtr: { base: VirtAddr; limit: number };
  readonly gdtr: { base: VirtAddr; limit: number } | null;
}

/**
 * One CPU in 64-bit mode. It has no instructions: what runs on it is JavaScript that calls
 * `load64`, `store64`, `push64`, `raise` …, each of which goes through the MMU and returns a
 * Fault instead of a value when the CPU would raise one. `raise` then delivers it.
 */
export class Cpu extends SystemRegisters {
  /** By number: the general registers, then RSP and RIP. */
  private readonly registers: BigUint64Array = new BigUint64Array(GPR_NAMES.length + 2);
  /** The general registers but RSP. */
  readonly gpr: Gprs = gprsOver(this.registers);
  /** Linear address of the last page fault. */
  cr2 = 0n;
  cs = 0x10;
  ss = 0x18;
  idtr: { base: VirtAddr; limit: number } = { base: 0n, limit: 0 };
  /** Null: segment descriptors are not looked at, and any selector but null will do. */
  gdtr: { base: VirtAddr; limit: number } | null = null;
  /** Linear address of the 64-bit TSS. */
  tss: VirtAddr = 0n;
  private readonly port: MemoryPort;

  constructor(memory: PhysMemory, options: CpuOptions = {}) {
    super(memory, options);
    this.port = new MemoryPort(memory, this.mmu);
  }

  get rsp(): VirtAddr {
    return this.registers[RSP];
  }

  set rsp(v: VirtAddr) {
    this.registers[RSP] = v;
  }

  get rip(): VirtAddr {
    return this.registers[RIP];
  }

  set rip(v: VirtAddr) {
    this.registers[RIP] = v;
  }

  /** Translates as the CPU does for an access at the current privilege: sets A and D, fills the TLB. */
  translate(va: VirtAddr, access: Access): PhysAddr | Fault {
    const { mmu } = this;
    const kind = access === 'read' ? READ : access === 'write' ? WRITE : EXECUTE;
    return mmu.translate(va, kind, mmu.mode) ? mmu.pa64[0] : (mmu.fault as Fault);
  }

  /** As {@link translate}, by a walk that neither looks into the TLB nor fills it. */
  translateUncached(va: VirtAddr, access: Access): PhysAddr | Fault {
    const { mmu } = this;
    const kind = access === 'read' ? READ : access === 'write' ? WRITE : EXECUTE;
    return mmu.translateUncached(va, kind, mmu.mode) ? mmu.pa64[0] : (mmu.fault as Fault);
  }

  load8(va: VirtAddr, segment?: Segment): number | Fault {
    return this.port.load(va, 1, segment);
  }

  load16(va: VirtAddr, segment?: Segment): number | Fault {
    return this.port.load(va, 2, segment);
  }

  /** Unsigned. */
  load32(va: VirtAddr, segment?: Segment): number | Fault {
    return this.port.load(va, 4, segment);
  }

  load64(va: VirtAddr, segment?: Segment): bigint | Fault {
    return this.port.load64(va, this.mmu.mode, segment);
  }

  store8(va: VirtAddr, v: number, segment?: Segment): Fault | null {
    return this.port.store(va, 1, v, segment);
  }

  store16(va: VirtAddr, v: number, segment?: Segment): Fault | null {
    return this.port.store(va, 2, v, segment);
  }

  store32(va: VirtAddr, v: number, segment?: Segment): Fault | null {
    return this.port.store(va, 4, v, segment);
  }

  /** `v` modulo 2^64. */
  store64(va: VirtAddr, v: bigint, segment?: Segment): Fault | null {
    return this.port.store64(va, v, this.mmu.mode, segment);
  }

  /** A copy of `n` bytes, or the first fault, ascending. */
  loadBytes(va: VirtAddr, n: number, segment?: Segment): Uint8Array | Fault {
    return this.port.loadBytes(va, n, segment);
  }

  /** As {@link loadBytes} into an array that is there already. */
  loadInto(out: Uint8Array, va: VirtAddr, segment?: Segment): Fault | null {
    return this.port.loadInto(out, va, segment);
  }

  /** Ascending; on a fault what lies below the faulting page has been written. */
  storeBytes(va: VirtAddr, bytes: Uint8Array, segment?: Segment): Fault | null {
    return this.port.storeBytes(va, bytes, segment);
  }

  /** As {@link storeBytes} with `n` equal bytes. */
  fillBytes(va: VirtAddr, n: number, byte: number, segment?: Segment): Fault | null {
    return this.port.fillBytes(va, n, byte, segment);
  }

  /** PUSH: RSP changes only if the store succeeds. A non-canonical address is #SS. */
  push64(v: bigint): Fault | null {
    const rsp = BigInt.asUintN(64, this.rsp - 8n);
    const fault = this.port.store64(rsp, v, this.mmu.mode, 'stack');
    if (fault === null) this.rsp = rsp;
    return fault;
  }

  /** POP: RSP changes only if the load succeeds. */
  pop64(): bigint | Fault {
    const v = this.port.load64(this.rsp, this.mmu.mode, 'stack');
    if (!isFault(v)) this.rsp = BigInt.asUintN(64, this.rsp + 8n);
    return v;
  }

  /**
   * PUSH of several registers, in this order. False: nothing has been pushed, for they do not lie in one page
   * or can't be stored; pushed one by one they meet the fault.
   */
  pushAll(names: readonly GprName[]): boolean {
    const { registers } = this;
    const { numbers, bytes } = gprList(names);
    const rsp = BigInt.asUintN(64, registers[RSP] - bytes);
    if (!this.port.storeDown(rsp, registers, numbers, this.mmu.mode)) return false;
    registers[RSP] = rsp;
    return true;
  }

  /** POP of several registers, in this order; false as {@link pushAll}. */
  popAll(names: readonly GprName[]): boolean {
    const { registers } = this;
    const { numbers, bytes } = gprList(names);
    if (!this.port.loadUp(registers[RSP], registers, numbers, this.mmu.mode)) return false;
    registers[RSP] = BigInt.asUintN(64, registers[RSP] + bytes);
    return true;
  }

  /** An instruction fetch at `va`: whether code there may run at the current privilege. */
  fetch(va: VirtAddr): Fault | null {
    const { mmu } = this;
    return mmu.translate(va, EXECUTE, mmu.mode) ? null : (mmu.fault as Fault);
  }

  /** A read by the CPU itself: a supervisor access whatever the CPL, which SMAP always checks. */
  loadImplicit64(va: VirtAddr): bigint | Fault {
    return this.port.load64(va, IMPLICIT);
  }

  /** A push of the exception frame: a supervisor store; RFLAGS.AC counts only from CPL 0. */
  storeFrame64(va: VirtAddr, v: bigint): Fault | null {
    return this.port.store64(va, v, this.cpl === 0 ? SUPERVISOR : IMPLICIT, 'stack');
  }

  /** Delivers a fault through the IDT: to its handler, to the double fault's, or triple fault. */
  raise(fault: Fault): Delivery {
    return deliverFault(this, fault);
  }

  /**
   * Delivers an external interrupt. Whether RFLAGS.IF lets it in is the caller's to ask.
   *
   * @throws RangeError unless `vector` is 0 to 255
   */
  interrupt(vector: number): Delivery {
    if (!Number.isInteger(vector) || vector < 0 || vector > 255) {
      throw new RangeError(`vector: expected 0 to 255, got ${vector}`);
    }
    return deliverInterrupt(this, vector);
  }

  /** IRETQ: takes RIP, CS, RFLAGS, RSP, SS from the stack; on a fault nothing changes. */
  iretq(): Fault | null {
    return returnFromHandler(this);
  }

  /** All registers, to be given to {@link restore}. */
  snapshot(): CpuState {
    const { cr0, cr3, cr4, efer, rflags, pkru } = this.controls;
    return {
      gpr: { ...this.gpr },
      values: [
        ...[this.rip, this.rsp, this.cr2, this.tss, cr3, rflags],
        ...[BigInt(cr0), BigInt(cr4), BigInt(efer)],
      ],
      cpl: this.cpl,
      cs: this.cs,
      ss: this.ss,
      pkru,
      idtr: { ...this.idtr },
      gdtr: this.gdtr && { ...this.gdtr },
    };
  }

  /** Sets all registers and empties the TLB; goes with `memory.rollback()`. */
  restore(state: CpuState): void {
    const v = state.values;
    Object.assign(this.gpr, state.gpr);
    [this.rip, this.rsp, this.cr2, this.tss] = v;
    this.cs = state.cs;
    this.ss = state.ss;
    this.idtr = { ...state.idtr };
    this.gdtr = state.gdtr && { ...state.gdtr };
    this.controls = {
      cr3: v[4],
      rflags: v[5],
      cr0: Number(v[6]),
      cr4: Number(v[7]),
      efer: Number(v[8]),
      pkru: state.pkru,
    };
    this.cpl = state.cpl;
    this.applyControls();
    this.flushTlb();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const { rip, rsp, cr2, cr3 } = this;
    return [
      `RIP: ${this.cs.toString(16).padStart(4, '0')}:${hex(rip)}`,
      `RSP: ${this.ss.toString(16).padStart(4, '0')}:${hex(rsp)} EFLAGS: ${hex(this.rflags, 8).slice(2)}`,
      `CR0: ${hex(this.cr0)} CR2: ${hex(cr2)} CR3: ${hex(cr3)} CR4: ${hex(this.cr4)}`,
    ].join('\n');
  }
}
