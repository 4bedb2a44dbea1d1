/** Sets (a power of two) and ways of the array for one page size. */
export interface TlbGeometry {
  sets: number;
  ways: number;
}

/** Bits of an entry's third word, below the frame. W … D are the index into the rights table. */
export const TLB_W: number = 1;
export const TLB_U: number = 2;
export const TLB_X: number = 4;
export const TLB_D: number = 8;
export const TLB_G: number = 16;
export const TLB_PKEY_SHIFT: number = 6;

/**
 * Words of an entry: [0] lower half of the page | PCID, [1] upper half, [2] lower half of the
 * frame | bits, [3] upper half, [4] and [5] the bits inside the page as a mask, [6] and [7] when it was last used.
 */
export const STRIDE: number = 8;
/**
 * What a free place holds so that nothing finds it: an upper half that no canonical address
 * has; and, since whoever follows the memo asks before that is judged, a mask that leaves of any
 * address only its PCID, which is never FREE_PAGE.
 */
const FREE = 0x7fffffff;
const FREE_MASK = -1;
const FREE_PAGE = 0x1000;

/** Storage that the arrays for all page sizes share. */
export interface TlbStore {
  readonly words: Int32Array;
  /** The same bytes; the time of use of the entry at word e is number e / 2 + 3. */
  readonly times: Float64Array;
  /** [0] goes up by one at each use of an entry. */
  readonly clock: Float64Array;
}

/** One entry, decoded. */
export interface TlbEntry {
  readonly pageLo: number;
  readonly pageHi: number;
  readonly frameLo: number;
  readonly frameHi: number;
  readonly pcid: number;
  /** TLB_W … TLB_G and the protection key. */
  readonly bits: number;
}

/** Words that an array of this geometry takes. */
export function wordsOf({ sets, ways }: TlbGeometry): number {
  if (!Number.isInteger(Math.log2(sets)) || sets < 1 || sets > 1024) {
    throw new RangeError(`sets: expected a power of two up to 1024, got ${sets}`);
  }
  if (!Number.isInteger(ways) || ways < 1 || ways > 64) {
    throw new RangeError(`ways: expected 1 to 64, got ${ways}`);
  }
  return sets * ways * STRIDE;
}

/** The TLB's entries for one page size: sets and ways, least recently used goes first. */
export class TlbArray {
  readonly sets: number;
  readonly ways: number;
  /** log2 of the page size: 12, 21 or 30. */
  readonly shift: number;
  private readonly mask: number;
  private readonly words: Int32Array;
  private readonly times: Float64Array;
  private readonly clock: Float64Array;
  /** Entries it holds: an empty array need not be searched. */
  private live = 0;
  /** Words of the places filled since the array was last seen empty, each once or more: what a flush looks at. */
  private readonly filled: number[] = [];

  /** @param start its first word in the store */
  constructor(
    { sets, ways }: TlbGeometry,
    shift: number,
    store: TlbStore,
    private readonly start: number,
  ) {
    this.sets = sets;
    this.ways = ways;
    this.shift = shift;
    this.mask = -(1 << shift);
    this.words = store.words;
    this.times = store.times;
    this.clock = store.clock;
    for (let e = start; e < this.end; e += STRIDE) this.setFree(e);
  }

  private get end(): number {
    return this.start + this.sets * this.ways * STRIDE;
  }

  /** The first word of the entry that translates this address, or -1. */
  find(lo: number, hi: number, pcid: number): number {
    if (this.live === 0) return -1;
    const { words } = this;
    const key = (lo & this.mask) | pcid;
    const first = this.firstOf(lo, hi);
    const end = first + this.ways * STRIDE;
    for (let e = first; e < end; e += STRIDE) {
      if (words[e + 1] !== hi) continue;
      const differs = words[e] ^ key;
      if (differs === 0 || ((differs & ~0xfff) === 0 && words[e + 2] & TLB_G)) return e;
    }
    return -1;
  }

  /** The least recently used place of the set for this address. */
  victim(lo: number, hi: number): number {
    const { words, times } = this;
    const first = this.firstOf(lo, hi);
    const end = first + this.ways * STRIDE;
    let victim = first;
    for (let e = first; e < end; e += STRIDE) {
      if (words[e + 1] === FREE) return e;
      if (times[(e >> 1) + 3] < times[(victim >> 1) + 3]) victim = e;
    }
    return victim;
  }

  /** Writes an entry at a place that `victim` gave; true if another one had to go. */
  fill(
    e: number,
    lo: number,
    hi: number,
    pcid: number,
    paLo: number,
    paHi: number,
    bits: number,
  ): boolean {
    const { words } = this;
    const evicted = words[e + 1] !== FREE;
    if (!evicted) {
      this.live++;
      if (this.filled.length >= 2 * this.sets * this.ways) this.forgetFreed();
      this.filled.push(e);
    }
    words[e] = (lo & this.mask) | pcid;
    words[e + 1] = hi;
    words[e + 2] = (paLo & this.mask) | bits;
    words[e + 3] = paHi;
    words[e + 4] = ~this.mask;
    this.times[(e >> 1) + 3] = ++this.clock[0];
    return evicted;
  }

  /** Drops what translates this address for `pcid`, and a global entry if `globals`. */
  invalidate(lo: number, hi: number, pcid: number, globals: boolean): void {
    if (this.live === 0) return;
    const { words } = this;
    const first = this.firstOf(lo, hi);
    for (let e = first; e < first + this.ways * STRIDE; e += STRIDE) {
      if (words[e + 1] !== hi || ((words[e] ^ lo) & this.mask) !== 0) continue;
      const global = (words[e + 2] & TLB_G) !== 0;
      if (global ? globals : (words[e] & 0xfff) === pcid) this.free(e);
    }
  }

  /** Drops all entries of `pcid` (of every PCID if it is -1); global ones only if `globals`. */
  flush(pcid: number, globals: boolean): void {
    const { words, filled } = this;
    let kept = 0;
    for (let i = 0; i < filled.length; i++) {
      const e = filled[i];
      if (words[e + 1] === FREE) continue;
      if (words[e + 2] & TLB_G ? globals : pcid === -1 || (words[e] & 0xfff) === pcid) this.free(e);
      else filled[kept++] = e;
    }
    filled.length = kept;
  }

  /** What it holds now, set by set. */
  entries(): TlbEntry[] {
    const { words } = this;
    const out: TlbEntry[] = [];
    for (let e = this.start; e < this.end; e += STRIDE) {
      if (words[e + 1] === FREE) continue;
      out.push({
        pageLo: words[e] & this.mask,
        pageHi: words[e + 1],
        frameLo: words[e + 2] & this.mask,
        frameHi: words[e + 3],
        pcid: words[e] & 0xfff,
        bits: words[e + 2] & 0xfff,
      });
    }
    return out;
  }

  private forgetFreed(): void {
    const { filled, words } = this;
    const held = [...new Set(filled)].filter((e) => words[e + 1] !== FREE);
    filled.splice(0, filled.length, ...held);
  }

  private free(e: number): void {
    if (this.words[e + 1] === FREE) return;
    this.setFree(e);
    this.live--;
  }

  private setFree(e: number): void {
    this.words[e] = FREE_PAGE;
    this.words[e + 1] = FREE;
    this.words[e + 4] = FREE_MASK;
  }

  private firstOf(lo: number, hi: number): number {
    const set = ((lo >>> this.shift) | (this.shift === 30 ? hi << 2 : 0)) & (this.sets - 1);
    return this.start + set * this.ways * STRIDE;
  }
}
