import { hex, PAGE_SHIFT, PAGE_SIZE, type PhysAddr } from './addr';
import { join, scratch32, scratch64 } from './halves';

/** Up to here memory is one flat buffer; the host itself gives it pages only where it is used. */
const FLAT_LIMIT = 2 ** 32;
/**
 * Bytes of a chunk, above that: 2^26. Above 32 MiB the C library maps each chunk by itself, so that
 * the host gives it pages only where it is used; with chunks of 1 MiB a million vmalloc'ed stacks
 * took 2.9 GB of the host instead of 0.8.
 */
const CHUNK_SIZE = 0x4000000;
const CHUNK_WORDS = CHUNK_SIZE / 4;
const CHUNK_PAGES = CHUNK_SIZE / PAGE_SIZE;
const PAGE_WORDS = PAGE_SIZE / 4;
const ALL_ONES = 0xffffffffffffffffn;
const MAX_SIZE = 2 ** 42;

/** A chunk nobody wrote to reads as this; it is never written. */
const ZEROS = new Int32Array(CHUNK_WORDS);

/** What a walk reads tables from: memory, or a dump of page tables. */
export interface TableSource {
  /** Whether the page `pfn` is there. */
  hasPage(pfn: number): boolean;
  /** The 32-bit word `index` (0 … 1023) of a page that is there, signed. */
  pageWord(pfn: number, index: number): number;
}

/**
 * The RAM of a simulated machine, zero at first, from physical address 0 without holes.
 *
 * Up to 4 GiB it is one buffer; above that chunks of 64 MiB appear at the first write.
 * Reads and writes are little-endian and need no alignment. An address outside RAM is a
 * misuse here and throws RangeError; the Cpu uses the `bus…` methods, which do not.
 */
export class PhysMemory implements TableSource {
  /** Bytes. */
  readonly size: number;
  readonly pages: number;
  /** All memory as 32-bit words, or null when it is in chunks. For the walk's fast path. */
  readonly flat: Int32Array | null;
  /** The same as 64-bit words. */
  readonly flat64: BigUint64Array | null;
  private readonly flatBytes: Uint8Array | null;
  /** Words of `flat`; 0 when memory is in chunks. */
  private readonly flatWords: number;
  private readonly chunks: Int32Array[];
  /** Per page, 1: already saved since the checkpoint. */
  private dirty: Uint8Array | null = null;
  /** Pages as they were at the checkpoint, kept over rollbacks: null for one that nothing had touched. */
  private readonly saved: Map<number, Int32Array | null> = new Map();
  /** The pages written since the checkpoint or the last rollback. */
  private readonly written: number[] = [];

  /** @throws RangeError unless `bytes` is a multiple of 4096, from 4096 to 2^42 (4 TiB) */
  constructor(bytes: number) {
    if (
      !Number.isSafeInteger(bytes) ||
      bytes < PAGE_SIZE ||
      bytes % PAGE_SIZE ||
      bytes > MAX_SIZE
    ) {
      throw new RangeError(`bytes: expected a multiple of 4096 from 4096 to 2^42, got ${bytes}`);
    }
    this.size = bytes;
    this.pages = bytes / PAGE_SIZE;
    this.flat = bytes <= FLAT_LIMIT ? flatBuffer(bytes) : null;
    this.flat64 = this.flat && new BigUint64Array(this.flat.buffer);
    this.flatBytes = this.flat && new Uint8Array(this.flat.buffer);
    this.flatWords = this.flat?.length ?? 0;
    this.chunks = this.flat ? [] : new Array<Int32Array>(Math.ceil(bytes / CHUNK_SIZE)).fill(ZEROS);
  }

  hasPage(pfn: number): boolean {
    return pfn < this.pages;
  }

  pageWord(pfn: number, index: number): number {
    return this.word(pfn * PAGE_WORDS + index);
  }

  read8(pa: PhysAddr): number {
    return this.byte(this.offset(pa, 1));
  }

  read16(pa: PhysAddr): number {
    const at = this.offset(pa, 2);
    return this.byte(at) | (this.byte(at + 1) << 8);
  }

  /** Unsigned. */
  read32(pa: PhysAddr): number {
    return this.load32(this.offset(pa, 4)) >>> 0;
  }

  read64(pa: PhysAddr): bigint {
    return this.busRead64(this.offset(pa, 8));
  }

  write8(pa: PhysAddr, v: number): void {
    this.setByte(this.offset(pa, 1), v);
  }

  write16(pa: PhysAddr, v: number): void {
    const at = this.offset(pa, 2);
    this.setByte(at, v);
    this.setByte(at + 1, v >>> 8);
  }

  write32(pa: PhysAddr, v: number): void {
    this.store32(this.offset(pa, 4), v);
  }

  /** `v` modulo 2^64. */
  write64(pa: PhysAddr, v: bigint): void {
    this.busWrite64(this.offset(pa, 8), v);
  }

  /** A copy of `n` bytes. */
  readBytes(pa: PhysAddr, n: number): Uint8Array {
    const start = this.offset(pa, checkCount(n));
    if (this.flatBytes) return this.flatBytes.slice(start, start + n);
    const out = new Uint8Array(n);
    for (let at = start; at < start + n;) {
      const here = Math.min(start + n - at, PAGE_SIZE - (at % PAGE_SIZE));
      out.set(this.bytesIn(this.chunks[Math.floor(at / CHUNK_SIZE)], at, here), at - start);
      at += here;
    }
    return out;
  }

  writeBytes(pa: PhysAddr, bytes: Uint8Array): void {
    const start = this.offset(pa, bytes.length);
    for (let at = start; at < start + bytes.length;) {
      const here = Math.min(start + bytes.length - at, PAGE_SIZE - (at % PAGE_SIZE));
      this.willWrite(Math.floor(at / PAGE_SIZE));
      this.pageBytes(at, here).set(bytes.subarray(at - start, at - start + here));
      at += here;
    }
  }

  fill(pa: PhysAddr, n: number, byte: number): void {
    const start = this.offset(pa, checkCount(n));
    for (let at = start; at < start + n;) {
      const here = Math.min(start + n - at, PAGE_SIZE - (at % PAGE_SIZE));
      this.willWrite(Math.floor(at / PAGE_SIZE));
      this.pageBytes(at, here).fill(byte);
      at += here;
    }
  }

  /** Makes the page `pfn` zero. */
  clearPage(pfn: number): void {
    if (!Number.isInteger(pfn) || pfn < 0 || pfn >= this.pages) {
      throw new RangeError(`pfn: expected a page below ${this.pages}, got ${pfn}`);
    }
    if (!this.flat && this.chunks[Math.floor(pfn / CHUNK_PAGES)] === ZEROS) return;
    this.willWrite(pfn);
    this.pageBytes(pfn * PAGE_SIZE, PAGE_SIZE).fill(0);
  }

  /** From here on pages are saved before their first write. A second checkpoint replaces the first. */
  checkpoint(): void {
    if (this.dirty === null) this.dirty = new Uint8Array(this.pages);
    for (const pfn of this.written) this.dirty[pfn] = 0;
    this.written.length = 0;
    this.saved.clear();
  }

  /** Puts every page written since the checkpoint back; may be repeated. Cost: the pages written. */
  rollback(): void {
    const dirty = this.tracked();
    for (const pfn of this.written) {
      const words = this.saved.get(pfn);
      if (!words) this.pageWords(pfn).fill(0);
      else if (this.flat) this.flat.set(words, pfn * PAGE_WORDS);
      else this.pageWords(pfn).set(words);
      dirty[pfn] = 0;
    }
    this.written.length = 0;
  }

  /** The pages written since the checkpoint, ascending. A write counts even if it changed nothing. */
  dirtyPfns(): number[] {
    this.tracked();
    return [...this.written].sort((a, b) => a - b);
  }

  /** As {@link dirtyPfns}, in the order of the first writes; valid until the next write. */
  get writtenPfns(): readonly number[] {
    return this.written;
  }

  /** A copy of the page `pfn` as it was at the checkpoint. */
  atCheckpoint(pfn: number): Uint8Array {
    this.tracked();
    const words = this.saved.get(pfn);
    if (words === null) return new Uint8Array(PAGE_SIZE);
    if (words) return new Uint8Array(words.buffer).slice();
    return this.readBytes(BigInt(pfn) * BigInt(PAGE_SIZE), PAGE_SIZE);
  }

  /**
   * Loads and stores as on a bus, by byte address; none may cross a page. Outside RAM nobody
   * answers: all bits read as one, a store is lost.
   */
  busRead32(at: number): number {
    return at < this.size ? this.load32(at) : -1;
  }

  busWrite32(at: number, v: number): void {
    if (at < this.size) this.store32(at, v);
  }

  busRead64(at: number): bigint {
    if (at >= this.size) return ALL_ONES;
    if ((at & 7) !== 0) return join(this.load32(at), this.load32(at + 4));
    if (this.flat64 !== null) return this.flat64[at / 8];
    return join(this.word(at / 4), this.word(at / 4 + 1));
  }

  /** `v` modulo 2^64. */
  busWrite64(at: number, v: bigint): void {
    if (at >= this.size) return;
    if (this.flat64 !== null && (at & 7) === 0) {
      if (this.dirty !== null) this.willWrite((at / PAGE_SIZE) | 0);
      this.flat64[at / 8] = v;
      return;
    }
    scratch64[0] = v;
    const lo = scratch32[0];
    const hi = scratch32[1];
    this.store32(at, lo);
    this.store32(at + 4, hi);
  }

  /**
   * Which element of `flat64` (shift 3) or `flat` (shift 2) lies at the physical address with these halves; -1 if
   * none does: an address that is not aligned or outside RAM, memory in chunks. Then the `bus…` methods serve.
   * As they reckon in 64-bit floats, most accesses are made faster without them: measured, 4 of 13 ns.
   */
  flatIndex(lo: number, hi: number, shift: number): number {
    if (hi !== 0 || (lo & ((1 << shift) - 1)) !== 0 || lo >>> 2 >= this.flatWords) return -1;
    return lo >>> shift;
  }

  /** Has the page of a {@link flatIndex} saved, if need be, before something is stored there. */
  willStore(index: number, shift: number): void {
    if (this.dirty !== null) this.willWrite(index >>> (PAGE_SHIFT - shift));
  }

  busRead8(at: number): number {
    return at < this.size ? this.byte(at) : 0xff;
  }

  busWrite8(at: number, v: number): void {
    if (at < this.size) this.setByte(at, v);
  }

  /** `n` bytes of one page, to the place `from` of `out`. */
  busReadBytes(at: number, out: Uint8Array, from: number, n: number): void {
    if (at >= this.size) out.fill(0xff, from, from + n);
    else if (this.flatBytes) out.set(this.flatBytes.subarray(at, at + n), from);
    else out.set(this.bytesIn(this.chunks[Math.floor(at / CHUNK_SIZE)], at, n), from);
  }

  /** `n` bytes into one page, from the place `from` of `bytes`. */
  busWriteBytes(at: number, bytes: Uint8Array, from: number, n: number): void {
    if (at >= this.size) return;
    this.willWrite((at / PAGE_SIZE) | 0);
    const piece = n === bytes.length ? bytes : bytes.subarray(from, from + n);
    if (this.flatBytes) this.flatBytes.set(piece, at);
    else this.pageBytes(at, n).set(piece);
  }

  /** `n` equal bytes. */
  busFill(at: number, n: number, byte: number): void {
    if (at >= this.size) return;
    if (this.dirty !== null) this.willWrite((at / PAGE_SIZE) | 0);
    if (this.flatBytes) this.flatBytes.fill(byte, at, at + n);
    else this.pageBytes(at, n).fill(byte);
  }

  /** The signed word number `w` (byte address / 4), which must be inside RAM. */
  word(w: number): number {
    if (this.flat !== null) return this.flat[w];
    return this.chunks[(w / CHUNK_WORDS) | 0][w & (CHUNK_WORDS - 1)];
  }

  /** Sets the word number `w`, which must be inside RAM. */
  setWord(w: number, v: number): void {
    if (this.dirty !== null) this.willWrite((w / PAGE_WORDS) | 0);
    if (this.flat !== null) this.flat[w] = v;
    else this.chunkForWrite((w / CHUNK_WORDS) | 0)[w & (CHUNK_WORDS - 1)] = v;
  }

  private load32(at: number): number {
    const shift = (at & 3) << 3;
    const w = Math.floor(at / 4);
    if (shift === 0) return this.word(w);
    return (this.word(w) >>> shift) | (this.word(w + 1) << (32 - shift));
  }

  private store32(at: number, v: number): void {
    if ((at & 3) === 0) {
      this.setWord(at / 4, v);
      return;
    }
    for (let i = 0; i < 4; i++) this.setByte(at + i, v >>> (8 * i));
  }

  private byte(at: number): number {
    return (this.word(Math.floor(at / 4)) >>> ((at & 3) << 3)) & 0xff;
  }

  private setByte(at: number, v: number): void {
    const w = Math.floor(at / 4);
    const shift = (at & 3) << 3;
    this.setWord(w, (this.word(w) & ~(0xff << shift)) | ((v & 0xff) << shift));
  }

  /** Where `pa` is, as a Number, once all of its `n` bytes are known to be inside RAM. */
  private offset(pa: PhysAddr, n: number): number {
    if (typeof pa !== 'bigint') {
      throw new TypeError(`pa: expected a physical address as a bigint, got ${typeof pa}`);
    }
    scratch64[0] = pa;
    const at = (scratch32[1] >>> 0) * 2 ** 32 + (scratch32[0] >>> 0);
    if (at + n > this.size) {
      throw new RangeError(
        `pa: expected ${n} byte(s) below the end of RAM at ${hex(BigInt(this.size), 1)}, got ${hex(pa, 1)}`,
      );
    }
    return at;
  }

  private tracked(): Uint8Array {
    if (this.dirty === null) throw new Error('no checkpoint: call checkpoint() first');
    return this.dirty;
  }

  /** Saves a page before its first write since the checkpoint. */
  private willWrite(pfn: number): void {
    const dirty = this.dirty;
    if (dirty === null || dirty[pfn] !== 0) return;
    dirty[pfn] = 1;
    this.written.push(pfn);
    if (this.saved.has(pfn)) return;
    const untouched = this.flat === null && this.chunks[Math.floor(pfn / CHUNK_PAGES)] === ZEROS;
    this.saved.set(pfn, untouched ? null : this.pageWords(pfn).slice());
  }

  private pageWords(pfn: number): Int32Array {
    const w = pfn * PAGE_WORDS;
    if (this.flat) return this.flat.subarray(w, w + PAGE_WORDS);
    const chunk = this.chunkForWrite(Math.floor(w / CHUNK_WORDS));
    return chunk.subarray(w % CHUNK_WORDS, (w % CHUNK_WORDS) + PAGE_WORDS);
  }

  /** A view of `n` bytes inside one page, to be written. */
  private pageBytes(at: number, n: number): Uint8Array {
    if (this.flatBytes) return this.flatBytes.subarray(at, at + n);
    return this.bytesIn(this.chunkForWrite(Math.floor(at / CHUNK_SIZE)), at, n);
  }

  private bytesIn(chunk: Int32Array, at: number, n: number): Uint8Array {
    return new Uint8Array(chunk.buffer, at % CHUNK_SIZE, n);
  }

  private chunkForWrite(i: number): Int32Array {
    const chunk = this.chunks[i];
    if (chunk !== ZEROS) return chunk;
    return (this.chunks[i] = new Int32Array(CHUNK_WORDS));
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `PhysMemory ${this.size / 2 ** 20} MiB (${this.pages} pages)`;
  }
}

/** One buffer, or null where the host refuses so large a one. */
function flatBuffer(bytes: number): Int32Array | null {
  try {
    return new Int32Array(bytes / 4);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function checkCount(n: number): number {
  if (!Number.isSafeInteger(n) || n < 0) {
    throw new RangeError(`n: expected a whole number of bytes from 0, got ${n}`);
  }
  return n;
}
