import type { VirtAddr } from '../x86/addr';
import { scratch32, scratch64 } from '../x86/halves';

const PAGE = 4096;
const NO_MASK: Uint8Array = new Uint8Array(0);

/** Remembers which bytes were written, page by page, and how far down RSP went: for looking back, not used by the kernel. */
export class WriteWatch {
  /** Linear page number → one byte a byte of the page, 1 where it was written. */
  readonly pages: Map<number, Uint8Array> = new Map();
  /** Null as long as none was told. */
  lowestRsp: VirtAddr | null = null;
  /** The page marked last: the next mark is mostly in it too. */
  private lastPage = -1;
  private lastMask: Uint8Array = NO_MASK;
  private readonly ownStart: VirtAddr;
  private readonly ownBytes: number;

  /** Bytes that the code may write: from `start` up to `end`, less than 4 GiB. */
  constructor(own: { readonly start: VirtAddr; readonly end: VirtAddr } | null = null) {
    this.ownStart = own ? own.start : 0n;
    this.ownBytes = own ? Number(own.end - own.start) : 0;
  }

  /** RSP has gone down to `rsp`. */
  reached(rsp: VirtAddr): void {
    if (this.lowestRsp === null || rsp < this.lowestRsp) this.lowestRsp = rsp;
  }

  /** `bytes` have been pushed, RSP is at `rsp` now. */
  pushed(rsp: VirtAddr, bytes: number): void {
    this.reached(rsp);
    this.mark(rsp, bytes);
  }

  /** `bytes` have been written from `address` on. */
  mark(address: VirtAddr, bytes: number): void {
    scratch64[0] = BigInt.asUintN(64, address - this.ownStart);
    if (scratch32[1] === 0 && scratch32[0] >>> 0 < this.ownBytes) return;
    scratch64[0] = address;
    let page = (scratch32[1] >>> 0) * 0x100000 + (scratch32[0] >>> 12);
    let offset = scratch32[0] & (PAGE - 1);
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
