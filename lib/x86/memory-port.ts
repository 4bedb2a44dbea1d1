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
  constructor(
    private readonly memory: PhysMemory,
    private readonly mmu: Mmu,
  ) {}

  load64(va: VirtAddr, mode: number, segment: Segment = 'data'): bigint | Fault {
    const { memory, mmu } = this;
    scratch64[0] = va;
    const lo = scratch32[0];
    const hi = scratch32[1];
    if ((lo & 7) === 0) {
      if (!mmu.translate(lo, hi, READ, mode)) return this.faultIn(segment);
      const at = mmu.paHi * 2 ** 32 + (mmu.paLo >>> 0);
      const low = memory.busRead32(at);
      const high = memory.busRead32(at + 4);
      scratch32[0] = low;
      scratch32[1] = high;
      return scratch64[0];
    }
    const bytes = this.gather(va, 8, mode, segment);
    if (!(bytes instanceof Uint8Array)) return bytes;
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  store64(va: VirtAddr, v: bigint, mode: number, segment: Segment = 'data'): Fault | null {
    const { memory, mmu } = this;
    scratch64[0] = va;
    const lo = scratch32[0];
    const hi = scratch32[1];
    if ((lo & 7) === 0) {
      if (!mmu.translate(lo, hi, WRITE, mode)) return this.faultIn(segment);
      const at = mmu.paHi * 2 ** 32 + (mmu.paLo >>> 0);
      scratch64[0] = v;
      const low = scratch32[0];
      const high = scratch32[1];
      memory.busWrite32(at, low);
      memory.busWrite32(at + 4, high);
      return null;
    }
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, v), true);
    return this.scatter(va, bytes, mode, segment);
  }

  /** 1, 2 or 4 bytes, unsigned. */
  load(va: VirtAddr, size: number, segment: Segment = 'data'): number | Fault {
    const { memory, mmu } = this;
    scratch64[0] = va;
    const lo = scratch32[0];
    const hi = scratch32[1];
    if ((lo & (size - 1)) === 0) {
      if (!mmu.translate(lo, hi, READ, mmu.mode)) return this.faultIn(segment);
      const at = mmu.paHi * 2 ** 32 + (mmu.paLo >>> 0);
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
    scratch64[0] = va;
    const lo = scratch32[0];
    const hi = scratch32[1];
    if ((lo & (size - 1)) === 0) {
      if (!mmu.translate(lo, hi, WRITE, mmu.mode)) return this.faultIn(segment);
      const at = mmu.paHi * 2 ** 32 + (mmu.paLo >>> 0);
      if (size === 4) memory.busWrite32(at, v);
      else for (let i = 0; i < size; i++) memory.busWrite8(at + i, v >>> (8 * i));
      return null;
    }
    const bytes = Uint8Array.from({ length: size }, (_, i) => v >>> (8 * i));
    return this.scatter(va, bytes, mmu.mode, segment);
  }

  loadBytes(va: VirtAddr, n: number, segment: Segment = 'data'): Uint8Array | Fault {
    const out = new Uint8Array(checkLength(n));
    const fault = this.eachPage(va, n, READ, segment, (at, from, count) => {
      for (let i = 0; i < count; i++) out[from + i] = this.memory.busRead8(at + i);
    });
    return fault ?? out;
  }

  storeBytes(va: VirtAddr, bytes: Uint8Array, segment: Segment = 'data'): Fault | null {
    return this.eachPage(va, bytes.length, WRITE, segment, (at, from, count) => {
      if (at + count > this.memory.size) return;
      this.memory.writeBytes(BigInt(at), bytes.subarray(from, from + count));
    });
  }

  fillBytes(va: VirtAddr, n: number, byte: number, segment: Segment = 'data'): Fault | null {
    return this.eachPage(va, checkLength(n), WRITE, segment, (at, _, count) => {
      if (at + count <= this.memory.size) this.memory.fill(BigInt(at), count, byte);
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
    for (let done = 0; done < n;) {
      scratch64[0] = va + BigInt(done);
      const lo = scratch32[0];
      const hi = scratch32[1];
      const count = Math.min(n - done, PAGE - (lo & (PAGE - 1)));
      if (!mmu.translate(lo, hi, access, mmu.mode)) return this.faultIn(segment);
      visit(mmu.paHi * 2 ** 32 + (mmu.paLo >>> 0), done, count);
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
      scratch64[0] = va + BigInt(places.length);
      const lo = scratch32[0];
      const hi = scratch32[1];
      if (!mmu.translate(lo, hi, access, mode)) return this.faultIn(segment);
      const at = mmu.paHi * 2 ** 32 + (mmu.paLo >>> 0);
      const here = Math.min(size - places.length, PAGE - (lo & (PAGE - 1)));
      for (let i = 0; i < here; i++) places.push(at + i);
    }
    return places;
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
