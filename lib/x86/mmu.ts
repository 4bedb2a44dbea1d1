import { type Levels, type VirtAddr } from './addr';
import { type Access, type Fault, makeFault, pageFault, VECTOR_GP, X86_PF_RSVD } from './fault';
import { join } from './halves';
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
import { errorCodeOf, fastTable, type Rights, rightsAllow, pkeyDenies } from './rights';
import { Tlb, TLB_D, TLB_G, TLB_PKEY_SHIFT, TLB_U, TLB_W, TLB_X, type TlbConfig } from './tlb';

export const READ: number = 0;
export const WRITE: number = 1;
export const EXECUTE: number = 2;

/** Who accesses: code at CPL 0 to 2, code at CPL 3, or the CPU itself (IDT, GDT, TSS). */
export const SUPERVISOR: number = 0;
export const USER: number = 1;
export const IMPLICIT: number = 2;

const ACCESS_NAMES: readonly Access[] = ['read', 'write', 'execute'];

/**
 * Translation as the CPU does it: TLB, walk, rights, accessed and dirty bits, faults.
 * Works on 32-bit halves; the answer is in `paLo`, `paHi`, or the fault in `fault`.
 * SDM vol. 3, chapter 4. Simplified: no PKS, no shadow stacks, memory types have no effect.
 */
export class Mmu {
  readonly memory: PhysMemory;
  readonly tlb: Tlb;
  readonly maxphyaddr: number;
  paLo = 0;
  paHi = 0;
  fault: Fault | null = null;
  /** SUPERVISOR or USER, from the CPL. */
  mode: number = SUPERVISOR;

  private root = 0;
  private pcid = 0;
  private rights: Rights = { wp: true, smep: false, smap: false, ac: false, nxe: true, pkru: null };
  private fast: Int32Array = fastTable(this.rights);
  private global = true;
  private levels: number = 4;
  private reservedHi = 0;

  /** Filled by the walk: rights of all levels together, and the leaf. */
  private bits = 0;
  private level = 0;
  private leafLo = 0;
  private leafHi = 0;
  private leafWord = 0;

  constructor(memory: PhysMemory, maxphyaddr: number, tlb?: TlbConfig) {
    if (!Number.isInteger(maxphyaddr) || maxphyaddr < 32 || maxphyaddr > 52) {
      throw new RangeError(`maxphyaddr: expected 32 to 52, got ${maxphyaddr}`);
    }
    this.memory = memory;
    this.maxphyaddr = maxphyaddr;
    this.tlb = new Tlb(tlb);
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
    this.global = (cr4 & CR4_PGE) !== 0;
    this.levels = cr4 & CR4_LA57 ? 5 : 4;
    const addressHi = this.maxphyaddr === 32 ? 0 : 2 ** (this.maxphyaddr - 32) - 1;
    this.reservedHi = (0xfffff & ~addressHi) | (nxe ? 0 : 0x80000000);
  }

  /** Takes over the root and the PCID of a CR3 value; flushes nothing. */
  setRoot(cr3Lo: number, cr3Hi: number, cr4: number): void {
    this.root = (cr3Lo >>> 12) + (cr3Hi & 0xfffff) * 0x100000;
    this.pcid = cr4 & CR4_PCIDE ? cr3Lo & 0xfff : 0;
  }

  get currentPcid(): number {
    return this.pcid;
  }

  /**
   * Translates one address for one access. True: the physical address is in `paLo`, `paHi`.
   * False: `fault` says why (#PF, or #GP for a non-canonical address).
   */
  translate(lo: number, hi: number, access: number, mode: number): boolean {
    const top = this.levels === 4 ? hi >> 15 : hi >> 24;
    if (top !== 0 && top !== -1) return this.nonCanonical(lo, hi, access);
    const { tlb, pcid } = this;
    let array = tlb.small;
    let e = array.find(lo, hi, pcid);
    if (e < 0) e = (array = tlb.large).find(lo, hi, pcid);
    if (e < 0) e = (array = tlb.huge).find(lo, hi, pcid);
    if (e >= 0) {
      const { words } = array;
      const bits = words[e + 2];
      tlb.counters.hits++;
      if ((this.fast[access * 3 + mode] >>> (bits & 15)) & 1) {
        this.paLo = (bits & ~0xfff) | (lo & (2 ** array.shift - 1));
        this.paHi = words[e + 3];
        return true;
      }
      return this.onHit(lo, hi, access, mode, bits, words[e + 3], array.shift);
    }
    tlb.counters.misses++;
    return this.onMiss(lo, hi, access, mode);
  }

  /** A hit that the fast table does not grant: denied, a key to check, or D still to be set. */
  private onHit(
    lo: number,
    hi: number,
    access: number,
    mode: number,
    bits: number,
    paHi: number,
    shift: number,
  ): boolean {
    if (!this.allowed(bits, access, mode)) return this.denied(lo, hi, access, mode, bits);
    if (access === WRITE && !(bits & TLB_D)) {
      // The dirty bit is set in memory, so the tables are walked anew; a stale entry ends here.
      this.tlb.invalidate(lo, hi, this.pcid, true);
      this.tlb.counters.invalidations--;
      return this.onMiss(lo, hi, access, mode);
    }
    this.paLo = (bits & ~0xfff) | (lo & (2 ** shift - 1));
    this.paHi = paHi;
    return true;
  }

  private onMiss(lo: number, hi: number, access: number, mode: number): boolean {
    this.tlb.counters.walks++;
    const stop = this.walk(lo, hi);
    if (stop >= 0) {
      const reserved = stop & X86_PF_RSVD;
      const code = stop | errorCodeOf(this.rights, access, mode);
      return this.pageFault(lo, hi, access, code, reserved ? 'reserved-bit' : 'not-present');
    }
    if (!this.allowed(this.bits, access, mode)) {
      return this.denied(lo, hi, access, mode, this.bits);
    }
    const marks = access === WRITE ? 0x60 : 0x20;
    if ((this.leafLo & marks) !== marks) this.setBits(this.leafWord, this.leafLo | marks);
    const shift = 3 + 9 * this.level;
    const inPage = 2 ** shift - 1;
    const dirty = access === WRITE || this.leafLo & 0x40 ? TLB_D : 0;
    const frame = this.leafLo & ~inPage & ~0xfff;
    const bits = this.bits | dirty;
    const frameHi = this.leafHi & 0xfffff;
    const array = this.tlb.arrayOf(this.level);
    if (array.insert(lo, hi, this.pcid, frame | bits, frameHi)) this.tlb.counters.evictions++;
    this.paLo = frame | (lo & inPage);
    this.paHi = frameHi;
    return true;
  }

  /**
   * From CR3 down to the leaf. Sets the accessed bit of every table entry it follows.
   *
   * @returns -1, or the P and RSVD bits of the error code
   */
  private walk(lo: number, hi: number): number {
    const { memory, reservedHi } = this;
    let table = this.root;
    let bits = TLB_W | TLB_U | TLB_X;
    for (let level = this.levels; ; level--) {
      const index =
        (level === 5
          ? hi >>> 16
          : level === 4
            ? hi >>> 7
            : level === 3
              ? (hi << 2) | (lo >>> 30)
              : lo >>> (3 + 9 * level)) & 511;
      const word = table * 1024 + index * 2;
      const inRam = table < memory.pages;
      // Outside RAM nobody answers and every bit reads as one.
      const entryLo = inRam ? memory.word(word) : -1;
      const entryHi = inRam ? memory.word(word + 1) : -1;
      if (!(entryLo & 1)) return 0;
      const leaf = level === 1 || (level <= 3 && (entryLo & 0x80) !== 0);
      const reservedLo =
        level >= 4 ? 0x80 : leaf && level > 1 ? (level === 3 ? 0x3fffe000 : 0x1fe000) : 0;
      if (entryHi & reservedHi || entryLo & reservedLo) return 1 | X86_PF_RSVD;
      if (!(entryLo & 2)) bits &= ~TLB_W;
      if (!(entryLo & 4)) bits &= ~TLB_U;
      if (entryHi < 0) bits &= ~TLB_X;
      if (leaf) {
        if (entryLo & 0x100 && this.global) bits |= TLB_G;
        if (this.rights.pkru !== null) bits |= ((entryHi >>> 27) & 15) << TLB_PKEY_SHIFT;
        this.bits = bits;
        this.level = level;
        this.leafLo = entryLo;
        this.leafHi = entryHi;
        this.leafWord = inRam ? word : -1;
        return -1;
      }
      if (!(entryLo & 0x20) && inRam) this.setBits(word, entryLo | 0x20);
      table = (entryLo >>> 12) + (entryHi & 0xfffff) * 0x100000;
    }
  }

  private setBits(word: number, entryLo: number): void {
    if (word >= 0) this.memory.setWord(word, entryLo);
  }

  private allowed(bits: number, access: number, mode: number): boolean {
    return (
      rightsAllow(this.rights, bits, access, mode) && !pkeyDenies(this.rights, bits, access, mode)
    );
  }

  private denied(lo: number, hi: number, access: number, mode: number, bits: number): boolean {
    const key = pkeyDenies(this.rights, bits, access, mode);
    const code = 1 | errorCodeOf(this.rights, access, mode) | (key ? 32 : 0);
    const reason = key ? 'protection-key' : 'protection';
    return this.pageFault(lo, hi, access, code, reason);
  }

  /** A page fault also drops what the TLB holds for the address. SDM vol. 3, 4.10.4.1. */
  private pageFault(
    lo: number,
    hi: number,
    access: number,
    code: number,
    reason: Fault['reason'],
  ): boolean {
    this.tlb.invalidate(lo, hi, this.pcid, true);
    this.fault = pageFault(join(lo, hi), code, ACCESS_NAMES[access], reason);
    return false;
  }

  private nonCanonical(lo: number, hi: number, access: number): boolean {
    const address: VirtAddr = join(lo, hi);
    this.fault = makeFault(VECTOR_GP, 'non-canonical', { address, access: ACCESS_NAMES[access] });
    return false;
  }

  get addressLevels(): Levels {
    return this.levels as Levels;
  }
}
