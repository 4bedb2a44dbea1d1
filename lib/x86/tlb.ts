/**
 * The translation lookaside buffer. SDM vol. 3, 4.10.
 *
 * One level, shared by data and instructions, with an array of sets and ways for each page
 * size. Simplified: no second level, no paging-structure caches, no speculation: an entry
 * comes only from an access that used it. Replacement is least recently used.
 */

/** Sets (a power of two) and ways of the array for one page size. */
export interface TlbGeometry {
  sets: number;
  ways: number;
}

export interface TlbConfig {
  /** 4 KiB pages. */
  small: TlbGeometry;
  /** 2 MiB pages. */
  large: TlbGeometry;
  /** 1 GiB pages. */
  huge: TlbGeometry;
}

/** First-level data TLB of Skylake: 64 + 32 + 4 entries. Intel optimization manual, 2.5.5. */
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

/** Bits of an entry's third word, below the frame. W … D are the index into the rights table. */
export const TLB_W: number = 1;
export const TLB_U: number = 2;
export const TLB_X: number = 4;
export const TLB_D: number = 8;
export const TLB_G: number = 16;
export const TLB_VALID: number = 32;
export const TLB_PKEY_SHIFT: number = 6;

/** Words of an entry: page | PCID; upper half of the page; frame | bits; upper half of the frame. */
const STRIDE = 4;

/** The entries for one page size. */
export class TlbArray {
  readonly sets: number;
  readonly ways: number;
  /** log2 of the page size: 12, 21 or 30. */
  readonly shift: number;
  readonly words: Int32Array;
  private readonly pageMask: number;
  /** Per set, the first word of the entry used last. */
  private readonly recent: Int32Array;
  private readonly usedAt: Float64Array;
  private clock = 0;

  constructor({ sets, ways }: TlbGeometry, shift: number) {
    if (!Number.isInteger(Math.log2(sets)) || sets > 1024) {
      throw new RangeError(`sets: expected a power of two up to 1024, got ${sets}`);
    }
    if (!Number.isInteger(ways) || ways < 1 || ways > 64) {
      throw new RangeError(`ways: expected 1 to 64, got ${ways}`);
    }
    this.sets = sets;
    this.ways = ways;
    this.shift = shift;
    this.pageMask = -(2 ** shift) | 0;
    this.words = new Int32Array(sets * ways * STRIDE);
    this.recent = Int32Array.from({ length: sets }, (_, set) => set * ways * STRIDE);
    this.usedAt = new Float64Array(sets * ways);
  }

  /** The first word of the entry that translates this address, or -1. */
  find(lo: number, hi: number, pcid: number): number {
    const { words, recent } = this;
    const set = this.setOf(lo, hi);
    const key = (lo & this.pageMask) | pcid;
    const e = recent[set];
    if (words[e] === key && words[e + 1] === hi && words[e + 2] & TLB_VALID) return e;
    return this.search(set, key, hi);
  }

  /** Takes the least recently used place of the set and returns its first word. */
  insert(lo: number, hi: number, pcid: number, frameAndBits: number, frameHi: number): boolean {
    const { words } = this;
    const set = this.setOf(lo, hi);
    const first = set * this.ways * STRIDE;
    let victim = first;
    for (let e = first; e < first + this.ways * STRIDE; e += STRIDE) {
      if (!(words[e + 2] & TLB_VALID)) {
        victim = e;
        break;
      }
      if (this.usedAt[e / STRIDE] < this.usedAt[victim / STRIDE]) victim = e;
    }
    const evicted = (words[victim + 2] & TLB_VALID) !== 0;
    words[victim] = (lo & this.pageMask) | pcid;
    words[victim + 1] = hi;
    words[victim + 2] = frameAndBits | TLB_VALID;
    words[victim + 3] = frameHi;
    this.touch(set, victim);
    return evicted;
  }

  /** Drops what translates this address for `pcid`, and a global entry if `globals`. */
  invalidate(lo: number, hi: number, pcid: number, globals: boolean): void {
    const { words } = this;
    const key = lo & this.pageMask;
    const first = this.setOf(lo, hi) * this.ways * STRIDE;
    for (let e = first; e < first + this.ways * STRIDE; e += STRIDE) {
      if ((words[e] & this.pageMask) !== key || words[e + 1] !== hi) continue;
      const global = (words[e + 2] & TLB_G) !== 0;
      if (global ? globals : (words[e] & 0xfff) === pcid) words[e + 2] = 0;
    }
  }

  /** Drops all entries of `pcid` (of every PCID if it is -1); global ones only if `globals`. */
  flush(pcid: number, globals: boolean): void {
    const { words } = this;
    for (let e = 0; e < words.length; e += STRIDE) {
      if (words[e + 2] & TLB_G ? globals : pcid === -1 || (words[e] & 0xfff) === pcid) {
        words[e + 2] = 0;
      }
    }
  }

  private search(set: number, key: number, hi: number): number {
    const { words } = this;
    const first = set * this.ways * STRIDE;
    for (let e = first; e < first + this.ways * STRIDE; e += STRIDE) {
      const bits = words[e + 2];
      if (!(bits & TLB_VALID) || words[e + 1] !== hi) continue;
      if (words[e] === key || (bits & TLB_G && ((words[e] ^ key) & ~0xfff) === 0)) {
        this.touch(set, e);
        return e;
      }
    }
    return -1;
  }

  private setOf(lo: number, hi: number): number {
    return ((lo >>> this.shift) | (this.shift === 30 ? hi << 2 : 0)) & (this.sets - 1);
  }

  private touch(set: number, e: number): void {
    this.recent[set] = e;
    this.usedAt[e / STRIDE] = ++this.clock;
  }
}

/** How often what happened, since the counters were last reset. */
export interface TlbCounters {
  hits: number;
  misses: number;
  /** Page walks: misses, and writes through an entry whose dirty bit is not yet set. */
  walks: number;
  evictions: number;
  /** Single addresses invalidated: INVLPG, INVPCID type 0, page faults. */
  invalidations: number;
  /** Flushes of a whole PCID or of everything. */
  flushes: number;
}

export class Tlb {
  readonly small: TlbArray;
  readonly large: TlbArray;
  readonly huge: TlbArray;
  counters: TlbCounters = zeroCounters();

  constructor(config: TlbConfig = TLB_SKYLAKE_L1D) {
    this.small = new TlbArray(config.small, 12);
    this.large = new TlbArray(config.large, 21);
    this.huge = new TlbArray(config.huge, 30);
  }

  /** The array for leaves of level 1, 2 or 3. */
  arrayOf(level: number): TlbArray {
    return level === 1 ? this.small : level === 2 ? this.large : this.huge;
  }

  /** Drops every size of page that translates this address. */
  invalidate(lo: number, hi: number, pcid: number, globals: boolean): void {
    this.counters.invalidations++;
    this.small.invalidate(lo, hi, pcid, globals);
    this.large.invalidate(lo, hi, pcid, globals);
    this.huge.invalidate(lo, hi, pcid, globals);
  }

  /** Drops all of `pcid` (-1: of every PCID); global entries only if `globals`. */
  flush(pcid: number, globals: boolean): void {
    this.counters.flushes++;
    this.small.flush(pcid, globals);
    this.large.flush(pcid, globals);
    this.huge.flush(pcid, globals);
  }

  resetCounters(): void {
    this.counters = zeroCounters();
  }
}

function zeroCounters(): TlbCounters {
  return { hits: 0, misses: 0, walks: 0, evictions: 0, invalidations: 0, flushes: 0 };
}
