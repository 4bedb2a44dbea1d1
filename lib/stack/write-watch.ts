import type { VirtAddr } from '../x86/addr';
import { scratch32, scratch64 } from '../x86/halves';

const PAGE = 4096;
const NO_MASK: Uint8Array = new Uint8Array(0);

/** Remembers which bytes were written, page by page: for looking back, not used by the kernel. */
export class WriteWatch {
  /** Linear page number → one byte a byte of the page, 1 where it was written. */
  readonly pages: Map<number, Uint8Array> = new Map();
  /** The page marked last: the next mark is mostly in it too. */
  private lastPage = -1;
  private lastMask: Uint8Array = NO_MASK;
  private lowestPage = Infinity;
  private lowestOffset = 0;
  private readonly ownStart: VirtAddr;
  private readonly ownBytes: number;

  /** Bytes that the code may write: from `start` up to `end`, less than 4 GiB. */
  constructor(own: { readonly start: VirtAddr; readonly end: VirtAddr } | null = null) {
    this.ownStart = own ? own.start : 0n;
    this.ownBytes = own ? Number(own.end - own.start) : 0;
  }

  /** Lowest address written; null before the first write. */
  get lowest(): VirtAddr | null {
    if (this.lowestPage === Infinity) return null;
    return (BigInt(this.lowestPage) << 12n) + BigInt(this.lowestOffset);
  }

  mark(address: VirtAddr, bytes: number): void {
    scratch64[0] = BigInt.asUintN(64, address - this.ownStart);
    if (scratch32[1] === 0 && scratch32[0] >>> 0 < this.ownBytes) return;
    scratch64[0] = address;
    let page = (scratch32[1] >>> 0) * 0x100000 + (scratch32[0] >>> 12);
    let offset = scratch32[0] & (PAGE - 1);
    if (page < this.lowestPage || (page === this.lowestPage && offset < this.lowestOffset)) {
      this.lowestPage = page;
      this.lowestOffset = offset;
    }
    for (let left = bytes; left > 0; page++) {
      const mask = page === this.lastPage ? this.lastMask : this.maskOf(page);
      const end = Math.min(PAGE, offset + left);
      mask.fill(1, offset, end);
      left -= end - offset;
      offset = 0;
    }
  }

  private maskOf(page: number): Uint8Array {
    let mask = this.pages.get(page);
    if (!mask) this.pages.set(page, (mask = new Uint8Array(PAGE)));
    this.lastPage = page;
    this.lastMask = mask;
    return mask;
  }
}
