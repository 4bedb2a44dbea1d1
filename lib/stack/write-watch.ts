import type { VirtAddr } from '../x86/addr';

const PAGE = 4096;

/** Remembers which bytes were written, page by page: for looking back, not used by the kernel. */
export class WriteWatch {
  /** Linear page number → one byte a byte of the page, 1 where it was written. */
  readonly pages: Map<number, Uint8Array> = new Map();
  /** Lowest address written; null before the first write. */
  lowest: VirtAddr | null = null;

  /** Bytes that the code may write: from `start` up to `end`. */
  constructor(
    private readonly own: { readonly start: VirtAddr; readonly end: VirtAddr } | null = null,
  ) {}

  mark(address: VirtAddr, bytes: number): void {
    if (this.own && address >= this.own.start && address < this.own.end) return;
    if (this.lowest === null || address < this.lowest) this.lowest = address;
    let page = Number(address >> 12n);
    let offset = Number(address & 0xfffn);
    for (let left = bytes; left > 0; page++) {
      let mask = this.pages.get(page);
      if (!mask) this.pages.set(page, (mask = new Uint8Array(PAGE)));
      const end = Math.min(PAGE, offset + left);
      mask.fill(1, offset, end);
      left -= end - offset;
      offset = 0;
    }
  }
}
