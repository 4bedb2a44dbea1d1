import { hex, type Levels, type PhysAddr, type VirtAddr } from './addr';
import { type Delivery, deliverFault, deliverInterrupt } from './exceptions';
import { type Access, type Fault, isFault, makeFault, VECTOR_GP } from './fault';
import { scratch32, scratch64 } from './halves';
import { MemoryPort, type Segment } from './memory-port';
import { EXECUTE, IMPLICIT, Mmu, READ, SUPERVISOR, USER, WRITE } from './mmu';
import type { PhysMemory } from './phys-memory';
import * as R from './registers';
import type { TlbConfig, TlbCounters } from './tlb';

export type { Delivery } from './exceptions';

/** The general registers but RSP, in the order of their encoding. */
export const GPR_NAMES = [
  ...(['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi'] as const),
  ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const),
] as const;
export type GprName = (typeof GPR_NAMES)[number];
export type Gprs = Record<GprName, bigint>;

export interface CpuOptions {
  /** 4 unless given; 5 sets CR4.LA57. */
  levels?: Levels;
  /** Bits of a physical address, 32 to 52; 46 unless given. */
  maxphyaddr?: number;
  /** Sets and ways; Skylake's first-level data TLB unless given. */
  tlb?: TlbConfig;
  /** CR4.SMEP; true unless given. */
  smep?: boolean;
  /** CR4.SMAP; true unless given. */
  smap?: boolean;
  /** CR4.PCIDE; false unless given. */
  pcid?: boolean;
  /** CR4.PKE; false unless given. */
  pke?: boolean;
  /** CR0.WP; true unless given. */
  wp?: boolean;
  /** EFER.NXE; true unless given. */
  nxe?: boolean;
}

/** Everything of a Cpu but its TLB; see {@link Cpu.snapshot}. */
export interface CpuState {
  readonly gpr: Readonly<Gprs>;
  readonly values: readonly bigint[];
  readonly cpl: 0 | 3;
  readonly cs: number;
  readonly ss: number;
  readonly pkru: number;
  readonly idtr: { base: VirtAddr; limit: number };
}

/**
 * One CPU in 64-bit mode. It has no instructions: what runs on it is JavaScript that calls
 * `load64`, `store64`, `push64`, `raise` …, each of which goes through the MMU and returns a
 * Fault instead of a value when the CPU would raise one. `raise` then delivers it.
 */
export class Cpu {
  readonly memory: PhysMemory;
  readonly mmu: Mmu;
  /** The other general registers. */
  readonly gpr: Gprs;
  /** Linear address of the last page fault. */
  cr2 = 0n;
  rip = 0n;
  rsp = 0n;
  cs = 0x10;
  ss = 0x18;
  idtr: { base: VirtAddr; limit: number } = { base: 0n, limit: 0 };
  /** Linear address of the 64-bit TSS. */
  tss: VirtAddr = 0n;
  private readonly port: MemoryPort;
  private controls = { cr0: 0, cr3: 0n, cr4: 0, efer: 0, rflags: R.RFLAGS_FIXED, pkru: 0 };

  constructor(memory: PhysMemory, options: CpuOptions = {}) {
    const {
      levels = 4,
      maxphyaddr = 46,
      smep = true,
      smap = true,
      wp = true,
      nxe = true,
    } = options;
    if (levels !== 4 && levels !== 5)
      throw new RangeError(`levels: expected 4 or 5, got ${levels}`);
    this.memory = memory;
    this.mmu = new Mmu(memory, maxphyaddr, options.tlb);
    this.port = new MemoryPort(memory, this.mmu);
    this.gpr = Object.fromEntries(GPR_NAMES.map((name) => [name, 0n])) as Gprs;
    this.controls.cr0 = R.CR0_LINUX | (wp ? R.CR0_WP : 0);
    this.controls.cr4 =
      R.CR4_PAE |
      R.CR4_PGE |
      (levels === 5 ? R.CR4_LA57 : 0) |
      (smep ? R.CR4_SMEP : 0) |
      (smap ? R.CR4_SMAP : 0) |
      (options.pcid ? R.CR4_PCIDE : 0) |
      (options.pke ? R.CR4_PKE : 0);
    this.controls.efer = R.EFER_SCE | R.EFER_LME | R.EFER_LMA | (nxe ? R.EFER_NXE : 0);
    this.applyControls();
  }

  get levels(): Levels {
    return this.mmu.addressLevels;
  }

  get cr0(): bigint {
    return BigInt(this.controls.cr0 >>> 0);
  }

  get cr3(): bigint {
    return this.controls.cr3;
  }

  /** As {@link setCr3}. */
  set cr3(v: bigint) {
    this.setCr3(v);
  }

  get cr4(): bigint {
    return BigInt(this.controls.cr4 >>> 0);
  }

  get efer(): bigint {
    return BigInt(this.controls.efer >>> 0);
  }

  get rflags(): bigint {
    return this.controls.rflags;
  }

  set rflags(v: bigint) {
    const changed = v ^ this.controls.rflags;
    this.controls.rflags = v | R.RFLAGS_FIXED;
    if (changed & R.RFLAGS_AC) this.applyControls();
  }

  get cpl(): 0 | 3 {
    return this.mmu.mode === USER ? 3 : 0;
  }

  set cpl(v: 0 | 3) {
    this.mmu.mode = v === 3 ? USER : SUPERVISOR;
  }

  get pkru(): number {
    return this.controls.pkru;
  }

  set pkru(v: number) {
    this.controls.pkru = v >>> 0;
    this.applyControls();
  }

  /** MOV to CR0. Clearing WP lets supervisor writes through read-only pages. */
  set cr0(v: bigint) {
    const bits = Number(BigInt.asIntN(32, v));
    if (!(bits & R.CR0_PG) || !(bits & R.CR0_PE)) {
      throw new RangeError(`cr0: expected PG and PE set (64-bit mode), got ${hex(v, 8)}`);
    }
    this.controls.cr0 = bits;
    this.applyControls();
  }

  /** MOV to CR4, with the TLB flushes that brings. SDM vol. 3, 4.10.4.1. */
  set cr4(v: bigint) {
    const old = this.controls.cr4;
    const bits = Number(BigInt.asIntN(32, v));
    const changed = old ^ bits;
    if (!(bits & R.CR4_PAE) || changed & R.CR4_LA57) {
      throw new RangeError(
        `cr4: expected PAE set and LA57 unchanged in 64-bit mode, got ${hex(v, 8)}`,
      );
    }
    if (changed & bits & R.CR4_PCIDE && this.controls.cr3 & 0xfffn) {
      throw new RangeError('cr4: expected CR3[11:0] = 0 when PCIDE is set');
    }
    this.controls.cr4 = bits;
    if (changed & R.CR4_PGE || changed & ~bits & R.CR4_PCIDE) this.mmu.tlb.flush(-1, true);
    else if (changed & bits & R.CR4_SMEP) this.mmu.tlb.flush(this.mmu.currentPcid, true);
    this.applyControls();
  }

  /** WRMSR to EFER; flushes nothing. */
  set efer(v: bigint) {
    const bits = Number(BigInt.asIntN(32, v));
    if (!(bits & R.EFER_LME) || !(bits & R.EFER_LMA)) {
      throw new RangeError(`efer: expected LME and LMA set (64-bit mode), got ${hex(v, 8)}`);
    }
    this.controls.efer = bits;
    this.applyControls();
  }

  /**
   * MOV to CR3. Drops the TLB's non-global entries, with CR4.PCIDE those of the new PCID, and
   * none if bit 63 (or `noFlush`) is set then. SDM vol. 3, 4.10.4.1.
   */
  setCr3(v: bigint, options: { noFlush?: boolean } = {}): void {
    const pcide = this.pcidEnabled;
    const noFlush = pcide && (options.noFlush === true || (v & (1n << 63n)) !== 0n);
    this.controls.cr3 = v & ((1n << 63n) - 1n);
    this.applyControls();
    if (!noFlush) this.mmu.tlb.flush(pcide ? this.mmu.currentPcid : -1, false);
  }

  /** CR4.PCIDE. */
  get pcidEnabled(): boolean {
    return (this.controls.cr4 & R.CR4_PCIDE) !== 0;
  }

  /** INVLPG: drops every entry, also global ones, that translates `va` now. */
  invlpg(va: VirtAddr): void {
    scratch64[0] = va;
    const lo = scratch32[0];
    const hi = scratch32[1];
    this.mmu.tlb.invalidate(lo, hi, this.mmu.currentPcid, true);
  }

  /** INVPCID. Types: 0 one address of a PCID, 1 a PCID, 2 all with global, 3 all but global. */
  invpcid(type: 0 | 1 | 2 | 3, pcid: number = 0, va: VirtAddr = 0n): void {
    const { tlb } = this.mmu;
    scratch64[0] = va;
    const lo = scratch32[0];
    const hi = scratch32[1];
    if (type === 0) tlb.invalidate(lo, hi, pcid, false);
    else if (type === 1) tlb.flush(pcid, false);
    else tlb.flush(-1, type === 2);
  }

  /** Drops everything, global entries too, as toggling CR4.PGE does. */
  flushTlb(): void {
    this.mmu.tlb.flush(-1, true);
  }

  /** How often the TLB hit, missed, … */
  get counters(): TlbCounters {
    return this.mmu.tlb.counters;
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

  /** An instruction fetch at `va`: whether code there may run at the current privilege. */
  fetch(va: VirtAddr): Fault | null {
    const pa = this.translate(va, 'execute');
    return isFault(pa) ? pa : null;
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
    const frame: bigint[] = [];
    for (let i = 0; i < 5; i++) {
      const at = BigInt.asUintN(64, this.rsp + BigInt(8 * i));
      const v = this.port.load64(at, this.mmu.mode, 'stack');
      if (isFault(v)) return v;
      frame.push(v);
    }
    const [rip, cs, rflags, rsp, ss] = frame;
    const selector = Number(cs & 0xffffn);
    const rpl = selector & 3;
    const bad = (code: number): Fault =>
      makeFault(VECTOR_GP, 'bad-selector', { errorCode: code, access: 'read' });
    if ((selector & 0xfffc) === 0) return bad(0);
    if ((rpl !== 0 && rpl !== 3) || rpl < this.cpl) return bad(selector & 0xfffc);
    const stack = Number(ss & 0xffffn);
    if (rpl === 3 && (stack & 3) !== 3) return bad(stack & 0xfffc);
    if (!this.canonical(rip)) return makeFault(VECTOR_GP, 'non-canonical', { address: rip });
    this.rip = rip;
    this.cs = selector;
    this.ss = stack;
    this.rsp = rsp;
    this.cpl = rpl as 0 | 3;
    this.rflags = rflags & 0x277fd7n;
    return null;
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

  private canonical(va: VirtAddr): boolean {
    return BigInt.asUintN(64, BigInt.asIntN(this.levels === 5 ? 57 : 48, va)) === va;
  }

  private applyControls(): void {
    const { cr0, cr3, cr4, efer, rflags, pkru } = this.controls;
    this.mmu.setControl(cr0, cr4, efer, (rflags & R.RFLAGS_AC) !== 0n, pkru);
    scratch64[0] = cr3;
    this.mmu.setRoot(scratch32[0], scratch32[1], cr4);
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
