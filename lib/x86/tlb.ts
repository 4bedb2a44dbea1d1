/**
 * The translation lookaside buffer. SDM vol. 3, 4.10.
 *
 * One level, shared by data and instructions, with an array of sets and ways for each page
 * size. Simplified: no second level, no paging-structure caches, no speculation: an entry
 * comes only from an access that used it.
 */
import { hex, type PhysAddr, type VirtAddr } from './addr';
import { join } from './halves';
import {
  TLB_D,
  TLB_G,
  TLB_U,
  TLB_W,
  TLB_X,
  TlbArray,
  type TlbGeometry,
  type TlbStore,
  wordsOf,
} from './tlb-array';

export interface TlbConfig {
  /** 4 KiB pages. */
  small: TlbGeometry;
  /** 2 MiB pages. */
  large: TlbGeometry;
  /** 1 GiB pages. */
  huge: TlbGeometry;
  /** Large pages are held in pieces of 4 KiB, and nothing is global. False unless given. */
  pieces?: boolean;
}

/** First-level data TLB of Skylake: 64 + 32 + 4 entries. */
export const TLB_SKYLAKE_L1D: TlbConfig = {
  small: { sets: 16, ways: 4 },
  large: { sets: 8, ways: 4 },
  huge: { sets: 1, ways: 4 },
};

/** As many entries as Skylake's second level: 1536 of 4 KiB, and of 2 MiB, 16 of 1 GiB. */
export const TLB_SKYLAKE_L2: TlbConfig = {
  small: { sets: 128, ways: 12 },
  large: { sets: 128, ways: 12 },
  huge: { sets: 4, ways: 4 },
};

/**
 * The TLB of QEMU's TCG, as it starts: 256 entries of 4 KiB for each mode, one possible place for a page; it
 * holds pieces of larger pages, and a write to CR3 drops everything. Left out: its eight places for evicted
 * entries, and that it grows and shrinks with use (accel/tcg/cputlb.c, CPU_TLB_DYN_DEFAULT_BITS).
 */
export const TLB_QEMU_TCG: TlbConfig = {
  small: { sets: 256, ways: 1 },
  large: { sets: 1, ways: 1 },
  huge: { sets: 1, ways: 1 },
  pieces: true,
};

/** How often what happened, since the counters were last reset. */
export interface TlbCounters {
  readonly hits: number;
  readonly misses: number;
  /** Page walks: misses, and writes through an entry whose dirty bit was not set. */
  readonly walks: number;
  readonly evictions: number;
  /** Single addresses invalidated: INVLPG, INVPCID type 0, a fault on a TLB hit. */
  readonly invalidations: number;
  /** Flushes of a PCID or of everything. */
  readonly flushes: number;
}

/** One translation that the TLB holds. */
export class TlbLine {
  constructor(
    readonly va: VirtAddr,
    readonly pa: PhysAddr,
    readonly pageSize: number,
    readonly pcid: number,
    readonly global: boolean,
    /** Rights of all levels together, and D: W, U, X, D. */
    readonly rights: string,
  ) {}

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const who = this.global ? 'global' : `pcid ${this.pcid}`;
    return `${hex(this.va)} -> ${hex(this.pa)} ${this.pageSize / 1024}K ${this.rights} ${who}`;
  }
}

const MISSES = 0;
const WALKS = 1;
const EVICTIONS = 2;
const INVALIDATIONS = 3;
const FLUSHES = 4;
const FILLS = 5;

/** Slots of the memo. */
const MEMO = 1024;

/** Where the memo keeps an address: by page number, mixed so that large pages spread too. */
export function memoSlot(lo: number): number {
  return ((lo >>> 12) ^ (lo >>> 21)) & (MEMO - 1);
}

export class Tlb implements TlbStore {
  readonly small: TlbArray;
  readonly large: TlbArray;
  readonly huge: TlbArray;
  readonly words: Int32Array;
  readonly words64: BigUint64Array;
  readonly times: Float64Array;
  readonly clock: Float64Array = new Float64Array(1);
  /**
   * Per {@link memoSlot} the word of an entry that may translate it. Only a shortcut:
   * whoever follows it compares the entry's page, so it may be out of date.
   */
  readonly memo: Int32Array = new Int32Array(MEMO);
  private readonly counts: Float64Array = new Float64Array(6);
  private clockAtReset = 0;
  private readonly pieces: boolean;

  constructor(config: TlbConfig = TLB_SKYLAKE_L2) {
    const small = wordsOf(config.small);
    const large = wordsOf(config.large);
    this.words = new Int32Array(small + large + wordsOf(config.huge));
    this.words64 = new BigUint64Array(this.words.buffer);
    this.times = new Float64Array(this.words.buffer);
    this.small = new TlbArray(config.small, 12, this, 0);
    this.large = new TlbArray(config.large, 21, this, small);
    this.huge = new TlbArray(config.huge, 30, this, small + large);
    this.pieces = config.pieces ?? false;
  }

  /** The first word of the entry that translates this address, or -1. Small pages go first. */
  find(lo: number, hi: number, pcid: number): number {
    let e = this.small.find(lo, hi, pcid);
    if (e < 0) e = this.large.find(lo, hi, pcid);
    if (e < 0) e = this.huge.find(lo, hi, pcid);
    if (e < 0) {
      this.counts[MISSES]++;
      return e;
    }
    this.times[(e >> 1) + 3] = ++this.clock[0];
    this.memo[memoSlot(lo)] = e;
    return e;
  }

  /** Takes in the translation that a walk found in a leaf of level 1, 2 or 3. */
  fill(
    level: number,
    lo: number,
    hi: number,
    pcid: number,
    paLo: number,
    paHi: number,
    bits: number,
  ): void {
    const array = level === 1 || this.pieces ? this.small : level === 2 ? this.large : this.huge;
    if (this.pieces) bits &= ~TLB_G;
    const e = array.victim(lo, hi);
    if (array.fill(e, lo, hi, pcid, paLo, paHi, bits)) this.counts[EVICTIONS]++;
    this.counts[FILLS]++;
    this.memo[memoSlot(lo)] = e;
  }

  noteWalk(): void {
    this.counts[WALKS]++;
  }

  /** INVLPG, INVPCID type 0, a fault: drops every size that translates this address. */
  invalidate(lo: number, hi: number, pcid: number, globals: boolean): void {
    this.counts[INVALIDATIONS]++;
    this.drop(lo, hi, pcid, globals);
  }

  /** As {@link invalidate}, without being counted as one. */
  drop(lo: number, hi: number, pcid: number, globals: boolean): void {
    this.small.invalidate(lo, hi, pcid, globals);
    this.large.invalidate(lo, hi, pcid, globals);
    this.huge.invalidate(lo, hi, pcid, globals);
  }

  /** Drops all of `pcid` (-1: of every PCID); global entries only if `globals`. */
  flush(pcid: number, globals: boolean): void {
    this.counts[FLUSHES]++;
    this.small.flush(pcid, globals);
    this.large.flush(pcid, globals);
    this.huge.flush(pcid, globals);
  }

  get counters(): TlbCounters {
    const { counts } = this;
    return {
      // The clock ticks at each hit and each fill, so that hits need no counter of their own.
      hits: this.clock[0] - this.clockAtReset - counts[FILLS],
      misses: counts[MISSES],
      walks: counts[WALKS],
      evictions: counts[EVICTIONS],
      invalidations: counts[INVALIDATIONS],
      flushes: counts[FLUSHES],
    };
  }

  resetCounters(): void {
    this.counts.fill(0);
    this.clockAtReset = this.clock[0];
  }

  /** What it holds now, ascending: stale entries too. */
  lines(): TlbLine[] {
    return [this.small, this.large, this.huge]
      .flatMap((array) => array.entries().map((entry) => ({ ...entry, shift: array.shift })))
      .map((e) => {
        const letter = (bit: number, name: string): string => (e.bits & bit ? name : '-');
        const rights =
          letter(TLB_W, 'W') + letter(TLB_U, 'U') + letter(TLB_X, 'X') + letter(TLB_D, 'D');
        const global = (e.bits & TLB_G) !== 0;
        const [va, pa] = [join(e.pageLo, e.pageHi), join(e.frameLo, e.frameHi)];
        return new TlbLine(va, pa, 2 ** e.shift, e.pcid, global, rights);
      })
      .sort((a, b) => (a.va < b.va ? -1 : a.va > b.va ? 1 : a.pageSize - b.pageSize));
  }
}
