import { hex, type Levels, type VirtAddr } from './addr';
import { scratch32, scratch64 } from './halves';
import { Mmu, SUPERVISOR, USER } from './mmu';
import type { PhysMemory } from './phys-memory';
import * as R from './registers';
import type { Tlb, TlbConfig, TlbCounters } from './tlb';

/** What a CPU can do, and how its control registers start. */
export interface SystemOptions {
  /** 4 unless given; 5 sets CR4.LA57. */
  levels?: Levels;
  /** Bits of a physical address, 32 to 52; 46 unless given. */
  maxphyaddr?: number;
  /** Sets and ways; as many as Skylake's second level unless given. */
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

/** The registers that steer paging, with the checks and TLB flushes that a write to each brings. */
export class SystemRegisters {
  readonly memory: PhysMemory;
  readonly mmu: Mmu;
  protected controls = { cr0: 0, cr3: 0n, cr4: 0, efer: 0, rflags: R.RFLAGS_FIXED, pkru: 0 };

  constructor(memory: PhysMemory, options: SystemOptions) {
    const {
      levels = 4,
      maxphyaddr = 46,
      smep = true,
      smap = true,
      wp = true,
      nxe = true,
    } = options;
    if (levels !== 4 && levels !== 5) {
      throw new RangeError(`levels: expected 4 or 5, got ${String(levels)}`);
    }
    this.memory = memory;
    this.mmu = new Mmu(memory, maxphyaddr, options.tlb);
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

  get tlb(): Tlb {
    return this.mmu.tlb;
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
    this.controls.cr3 = BigInt.asUintN(63, v);
    this.applyRoot();
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

  protected applyControls(): void {
    const { cr0, cr4, efer, rflags, pkru } = this.controls;
    this.mmu.setControl(cr0, cr4, efer, (rflags & R.RFLAGS_AC) !== 0n, pkru);
    this.applyRoot();
  }

  private applyRoot(): void {
    const { cr3, cr4 } = this.controls;
    scratch64[0] = cr3;
    this.mmu.setRoot(scratch32[0], scratch32[1], cr4);
  }
}
