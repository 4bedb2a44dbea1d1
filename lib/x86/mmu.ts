import type { Levels } from './addr';
import {
  type Access,
  type Fault,
  makeFault,
  pageFault,
  VECTOR_GP,
  X86_PF_PK,
  X86_PF_PROT,
  X86_PF_RSVD,
} from './fault';
import { join, scratch32, scratch64 } from './halves';
import type { PhysMemory } from './phys-memory';
import {
  CR0_WP,
  CR4_LA57,
  CR4_PCIDE,
  CR4_PGE,
  CR4_PKE,
  CR4_SMAP,
  CR4_SMEP,
  EFER_NXE,
} from './registers';
import { errorCodeOf, fastTable, pkeyDenies, type Rights, rightsAllow } from './rights';
import { memoSlot, Tlb, type TlbConfig } from './tlb';
import { TLB_D } from './tlb-array';
import { TableWalker } from './table-walker';

export const READ: number = 0;
export const WRITE: number = 1;
export const EXECUTE: number = 2;

/** Who accesses: code at CPL 0, code at CPL 3, or the CPU itself (IDT, GDT, TSS). */
export const SUPERVISOR: number = 0;
export const USER: number = 1;
export const IMPLICIT: number = 2;

const ACCESS_NAMES: readonly Access[] = ['read', 'write', 'execute'];

/**
 * Translation as the CPU does it: TLB, walk, rights, accessed and dirty bits, faults.
 * Works on 32-bit halves; the answer is in `pa64` and `pa32`, or the fault in `fault`.
 * SDM vol. 3, chapter 4. Simplified: no PKS, no shadow stacks; memory types have no effect.
 */
export class Mmu extends TableWalker {
  readonly tlb: Tlb;
  readonly maxphyaddr: number;
  fault: Fault | null = null;
  /** SUPERVISOR or USER, from the CPL. */
  mode: number = SUPERVISOR;

  private pcid = 0;
  private rights: Rights;
  private fast: Int32Array;

  constructor(memory: PhysMemory, maxphyaddr: number, tlb?: TlbConfig) {
    super(memory);
    if (!Number.isInteger(maxphyaddr) || maxphyaddr < 32 || maxphyaddr > 52) {
      throw new RangeError(`maxphyaddr: expected 32 to 52, got ${maxphyaddr}`);
    }
    this.maxphyaddr = maxphyaddr;
    this.tlb = new Tlb(tlb);
    this.rights = { wp: true, smep: false, smap: false, ac: false, nxe: true, pkru: null };
    this.fast = fastTable(this.rights);
  }

  get addressLevels(): Levels {
    return this.levels as Levels;
  }

  get currentPcid(): number {
    return this.pcid;
  }

  /** Takes over what the control registers say; flushes nothing. */
  setControl(cr0: number, cr4: number, efer: number, ac: boolean, pkru: number): void {
    const nxe = (efer & EFER_NXE) !== 0;
    this.rights = {
      wp: (cr0 & CR0_WP) !== 0,
      smep: (cr4 & CR4_SMEP) !== 0,
      smap: (cr4 & CR4_SMAP) !== 0,
      ac,
      nxe,
      pkru: cr4 & CR4_PKE ? pkru : null,
    };
    this.fast = fastTable(this.rights);
    this.setRules({
      levels: cr4 & CR4_LA57 ? 5 : 4,
      maxphyaddr: this.maxphyaddr,
      nxe,
      globals: (cr4 & CR4_PGE) !== 0,
    });
  }

  /** Takes over the root and the PCID of a CR3 value; flushes nothing. */
  setRoot(cr3Lo: number, cr3Hi: number, cr4: number): void {
    this.setRootFrame(cr3Lo, cr3Hi);
    this.pcid = cr4 & CR4_PCIDE ? cr3Lo & 0xfff : 0;
  }

  /**
   * Translates one address for one access. True: the physical address is in `pa64` and, as
   * halves, in `pa32`. False: `fault` says why (#PF, or #GP for a non-canonical address).
   */
  translate(va: bigint, access: number, mode: number): boolean {
    if (typeof va !== 'bigint') throw notAnAddress(va);
    scratch64[0] = va;
    const lo = scratch32[0];
    const hi = scratch32[1];
    // The entry that the memo names, if it grants the access: the common case, kept short.
    // No canonical check is needed: neither an entry nor a free place answers to any other.
    const { words, words64, memo, times, clock } = this.tlb;
    const e = memo[memoSlot(lo)];
    const inPage = words[e + 4];
    if (words[e + 1] === hi && words[e] === ((lo & ~inPage) | this.pcid)) {
      const frame = words[e + 2];
      if ((this.fast[access * 3 + mode] >>> (frame & 15)) & 1) {
        times[(e >> 1) + 3] = ++clock[0];
        const frame64 = words64[(e >> 1) + 1];
        this.pa64[0] = BigInt.asUintN(64, frame64 ^ ((frame64 ^ va) & words64[(e >> 1) + 2]));
        return true;
      }
    }
    return this.lookUp(va, lo, hi, access, mode);
  }

  /** Translates by a walk that neither looks into the TLB nor fills it. */
  translateUncached(va: bigint, access: number, mode: number): boolean {
    if (typeof va !== 'bigint') throw notAnAddress(va);
    scratch64[0] = va;
    const lo = scratch32[0];
    const hi = scratch32[1];
    if (this.tryFast(va, lo, hi) && (this.fast[access * 3 + mode] >>> (this.bits & 15)) & 1) {
      return true;
    }
    if (!this.canonical(hi)) return this.nonCanonical(lo, hi, access);
    return this.walk(va, lo, hi, access, mode);
  }

  /** The whole TLB, then the tables. */
  private lookUp(va: bigint, lo: number, hi: number, access: number, mode: number): boolean {
    if (!this.canonical(hi)) return this.nonCanonical(lo, hi, access);
    const { tlb, pcid } = this;
    const e = tlb.find(lo, hi, pcid);
    if (e < 0) return this.walkAndFill(va, lo, hi, access, mode);
    const frame = tlb.words[e + 2];
    const inPage = tlb.words[e + 4];
    if (!this.allowed(frame, access, mode)) {
      // The fault also drops the entry, which may be stale. SDM vol. 3, 4.10.4.1.
      tlb.invalidate(lo, hi, pcid, true);
      return this.denied(lo, hi, access, mode, frame);
    }
    if (access === WRITE && !(frame & TLB_D)) {
      // D is set in memory, so the tables are walked anew: here a stale entry comes to light.
      tlb.drop(lo, hi, pcid, true);
      return this.walkAndFill(va, lo, hi, access, mode);
    }
    this.pa32[0] = (frame & ~inPage) | (lo & inPage);
    this.pa32[1] = tlb.words[e + 3];
    return true;
  }

  private walkAndFill(va: bigint, lo: number, hi: number, access: number, mode: number): boolean {
    this.tlb.noteWalk();
    if (!this.walk(va, lo, hi, access, mode)) return false;
    this.tlb.fill(this.level, lo, hi, this.pcid, this.pa32[0], this.pa32[1], this.bits);
    return true;
  }

  /** The tables, the rights, then A and D of the leaf: in a refused access they stay. */
  private walk(va: bigint, lo: number, hi: number, access: number, mode: number): boolean {
    const stop = this.tryFast(va, lo, hi) ? -1 : this.descend(lo, hi);
    if (stop >= 0) {
      const code = stop | errorCodeOf(this.rights, access, mode);
      const reason = stop & X86_PF_RSVD ? 'reserved-bit' : 'not-present';
      return this.pageFault(lo, hi, access, code, reason);
    }
    if (!this.allowed(this.bits, access, mode)) {
      return this.denied(lo, hi, access, mode, this.bits);
    }
    this.markLeaf(access === WRITE);
    return true;
  }

  private allowed(bits: number, access: number, mode: number): boolean {
    return (
      rightsAllow(this.rights, bits, access, mode) && !pkeyDenies(this.rights, bits, access, mode)
    );
  }

  private denied(lo: number, hi: number, access: number, mode: number, bits: number): boolean {
    const key = pkeyDenies(this.rights, bits, access, mode);
    const code = X86_PF_PROT | errorCodeOf(this.rights, access, mode) | (key ? X86_PF_PK : 0);
    return this.pageFault(lo, hi, access, code, key ? 'protection-key' : 'protection');
  }

  private pageFault(
    lo: number,
    hi: number,
    access: number,
    code: number,
    reason: Fault['reason'],
  ): boolean {
    this.fault = pageFault(join(lo, hi), code, ACCESS_NAMES[access], reason);
    return false;
  }

  private canonical(hi: number): boolean {
    const top = this.levels === 4 ? hi >> 15 : hi >> 24;
    return top === 0 || top === -1;
  }

  private nonCanonical(lo: number, hi: number, access: number): boolean {
    const address = join(lo, hi);
    this.fault = makeFault(VECTOR_GP, 'non-canonical', { address, access: ACCESS_NAMES[access] });
    return false;
  }
}

function notAnAddress(va: unknown): TypeError {
  return new TypeError(`va: expected an address as a bigint, such as 0x1000n, got ${typeof va}`);
}
