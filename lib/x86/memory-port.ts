import type { VirtAddr } from './addr';
import { type Fault, makeFault, VECTOR_GP, VECTOR_SS } from './fault';
import { scratch32, scratch64 } from './halves';
import { type Mmu, READ, WRITE } from './mmu';
import type { PhysMemory } from './phys-memory';

/** Which segment an access goes through: a non-canonical address is #GP in data, #SS in stack. */
export type Segment = 'data' | 'stack';

const PAGE = 4096;

/** Loads and stores of a CPU: through its MMU to memory, or to nobody outside RAM. */
export class MemoryPort {
  private readonly flat: Int32Array;
  private readonly flat64: BigUint64Array;

  constructor(
    private readonly memory: PhysMemory,
    private readonly mmu: Mmu,
  ) {
    this.flat = memory.flat ?? new Int32Array(0);
    this.flat64 = memory.flat64 ?? new BigUint64Array(0);
  }

  load64(va: VirtAddr, mode: number, segment: Segment = 'data'): bigint | Fault {
    const { memory, mmu } = this;
    if (!mmu.translate(va, READ, mode)) return this.faultIn(segment);
    const word = memory.flatIndex(mmu.pa32[0], mmu.pa32[1], 3);
    if (word >= 0) return this.flat64[word];
    const at = this.place();
    if ((at & (PAGE - 1)) <= PAGE - 8) return memory.busRead64(at);
    const bytes = this.gather(va, 8, mode, segment);
    if (!(bytes instanceof Uint8Array)) return bytes;
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  store64(va: VirtAddr, v: bigint, mode: number, segment: Segment = 'data'): Fault | null {
    const { memory, mmu } = this;
    if (!mmu.translate(va, WRITE, mode)) return this.faultIn(segment);
    const word = memory.flatIndex(mmu.pa32[0], mmu.pa32[1], 3);
    if (word >= 0) {
      memory.willStore(word, 3);
      this.flat64[word] = v;
      return null;
    }
    const at = this.place();
    if ((at & (PAGE - 1)) <= PAGE - 8) {
      memory.busWrite64(at, v);
      return null;
    }
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, v), true);
    return this.scatter(va, bytes, mode, segment);
  }

  /**
   * Stores the words `which` of `words` one below the other, the last at `bottom`, if all lie in one page that may
   * be written. False: nothing was stored, one by one they meet what is in the way.
   */
  storeDown(
    bottom: VirtAddr,
    words: BigUint64Array,
    which: readonly number[],
    mode: number,
  ): boolean {
    const last = this.placeWords(bottom, which.length, WRITE, mode);
    if (last < 0) return false;
    this.memory.willStore(last, 3);
    const first = last + which.length - 1;
    for (let i = 0; i < which.length; i++) this.flat64[first - i] = words[which[i]];
    return true;
  }

  /** Loads the words `which` of `words` one above the other from `bottom`, if all lie in one page; else false. */
  loadUp(bottom: VirtAddr, words: BigUint64Array, which: readonly number[], mode: number): boolean {
    const first = this.placeWords(bottom, which.length, READ, mode);
    if (first < 0) return false;
    for (let i = 0; i < which.length; i++) words[which[i]] = this.flat64[first + i];
    return true;
  }

  /** Which word of flat memory is the lowest of `count` from `bottom`; -1 unless all are in one page of it. */
  private placeWords(bottom: VirtAddr, count: number, access: number, mode: number): number {
    const { memory, mmu } = this;
    scratch64[0] = bottom;
    if ((scratch32[0] & (PAGE - 1)) + 8 * count > PAGE) return -1;
    if (!mmu.translate(bottom, access, mode)) return -1;
    return memory.flatIndex(mmu.pa32[0], mmu.pa32[1], 3);
  }

  /** 1, 2 or 4 bytes, unsigned. */
  load(va: VirtAddr, size: number, segment: Segment = 'data'): number | Fault {
    const { memory, mmu } = this;
    if (!mmu.translate(va, READ, mmu.mode)) return this.faultIn(segment);
    const word = size === 4 ? memory.flatIndex(mmu.pa32[0], mmu.pa32[1], 2) : -1;
    if (word >= 0) return this.flat[word] >>> 0;
    const at = this.place();
    if ((at & (PAGE - 1)) <= PAGE - size) {
      if (size === 4) return memory.busRead32(at) >>> 0;
      if (size === 1) return memory.busRead8(at);
      return memory.busRead8(at) | (memory.busRead8(at + 1) << 8);
    }
    const bytes = this.gather(va, size, mmu.mode, segment);
    if (!(bytes instanceof Uint8Array)) return bytes;
    return bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
  }

  store(va: VirtAddr, size: number, v: number, segment: Segment = 'data'): Fault | null {
    const { memory, mmu } = this;
    if (!mmu.translate(va, WRITE, mmu.mode)) return this.faultIn(segment);
    const word = size === 4 ? memory.flatIndex(mmu.pa32[0], mmu.pa32[1], 2) : -1;
    if (word >= 0) {
      memory.willStore(word, 2);
      this.flat[word] = v;
      return null;
    }
    const at = this.place();
    if ((at & (PAGE - 1)) <= PAGE - size) {
      if (size === 4) memory.busWrite32(at, v);
      else for (let i = 0; i < size; i++) memory.busWrite8(at + i, v >>> (8 * i));
      return null;
    }
    const bytes = Uint8Array.from({ length: size }, (_, i) => v >>> (8 * i));
    return this.scatter(va, bytes, mmu.mode, segment);
  }

  loadBytes(va: VirtAddr, n: number, segment: Segment = 'data'): Uint8Array | Fault {
    const out = new Uint8Array(checkLength(n));
    return this.loadInto(out, va, segment) ?? out;
  }

  /** Fills `out` from `va` on; on a fault what lies below the faulting page has been loaded. */
  loadInto(out: Uint8Array, va: VirtAddr, segment: Segment = 'data'): Fault | null {
    return this.eachPage(va, out.length, READ, segment, (at, from, count) => {
      this.memory.busReadBytes(at, out, from, count);
    });
  }

  storeBytes(va: VirtAddr, bytes: Uint8Array, segment: Segment = 'data'): Fault | null {
    return this.eachPage(va, bytes.length, WRITE, segment, (at, from, count) => {
      this.memory.busWriteBytes(at, bytes, from, count);
    });
  }

  fillBytes(va: VirtAddr, n: number, byte: number, segment: Segment = 'data'): Fault | null {
    return this.eachPage(va, checkLength(n), WRITE, segment, (at, _, count) => {
      this.memory.busFill(at, count, byte);
    });
  }

  /** Calls `visit` with the physical address of each piece inside one page, ascending. */
  private eachPage(
    va: VirtAddr,
    n: number,
    access: number,
    segment: Segment,
    visit: (at: number, from: number, count: number) => void,
  ): Fault | null {
    const { mmu } = this;
    let next = va;
    for (let done = 0; done < n;) {
      if (done > 0) next = va + BigInt(done);
      if (!mmu.translate(next, access, mmu.mode)) return this.faultIn(segment);
      const at = this.place();
      const count = Math.min(n - done, PAGE - (at & (PAGE - 1)));
      visit(at, done, count);
      done += count;
    }
    return null;
  }

  /** An unaligned load: both pages are translated before anything is read. */
  private gather(va: VirtAddr, size: number, mode: number, segment: Segment): Uint8Array | Fault {
    const at = this.placeBytes(va, size, READ, mode, segment);
    if (!Array.isArray(at)) return at;
    return Uint8Array.from(at, (a) => this.memory.busRead8(a));
  }

  /** An unaligned store: both pages are translated before anything is written. */
  private scatter(va: VirtAddr, bytes: Uint8Array, mode: number, segment: Segment): Fault | null {
    const at = this.placeBytes(va, bytes.length, WRITE, mode, segment);
    if (!Array.isArray(at)) return at;
    at.forEach((a, i) => this.memory.busWrite8(a, bytes[i]));
    return null;
  }

  /** Physical addresses of the bytes of one access that may cross into a second page. */
  private placeBytes(
    va: VirtAddr,
    size: number,
    access: number,
    mode: number,
    segment: Segment,
  ): number[] | Fault {
    const { mmu } = this;
    const places: number[] = [];
    while (places.length < size) {
      const next = va + BigInt(places.length);
      if (!mmu.translate(next, access, mode)) return this.faultIn(segment);
      const at = this.place();
      const here = Math.min(size - places.length, PAGE - (at & (PAGE - 1)));
      for (let i = 0; i < here; i++) places.push(at + i);
    }
    return places;
  }

  /** The physical address just translated, as a Number: it is below 2^52. */
  private place(): number {
    const { pa32 } = this.mmu;
    return pa32[1] * 4294967296 + (pa32[0] >>> 0);
  }

  /** The MMU's fault; a non-canonical reference to the stack is #SS(0). SDM vol. 1, 3.3.7.1. */
  private faultIn(segment: Segment): Fault {
    const fault = this.mmu.fault as Fault;
    if (segment === 'data' || fault.vector !== VECTOR_GP) return fault;
    const { address, access } = fault;
    return makeFault(VECTOR_SS, 'non-canonical', { address, access });
  }
}

function checkLength(n: number): number {
  if (!Number.isSafeInteger(n) || n < 0) {
    throw new RangeError(`n: expected a whole number of bytes from 0, got ${n}`);
  }
  return n;
}
