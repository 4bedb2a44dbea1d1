import type { VirtAddr } from '../../x86/addr';

/** SS, RSP, RFLAGS, CS, RIP and the error code. */
export const FRAME_WORDS = 6;
const WORD = 8n;

/** Where the CPU pushes the frame of a page fault that comes in at `rsp`, first push first. SDM vol. 3, 6.14.2. */
export function framePushes(rsp: VirtAddr): VirtAddr[] {
  const aligned = rsp & ~15n;
  return Array.from({ length: FRAME_WORDS }, (_, i) =>
    BigInt.asUintN(64, aligned - WORD * BigInt(i + 1)),
  );
}

/**
 * The first push that lies below `base`, where nothing is mapped: what CR2 holds once it has failed. Null
 * if the whole frame fits.
 */
export function failingPush(rsp: VirtAddr, base: VirtAddr): VirtAddr | null {
  return framePushes(rsp).find((at) => at < base) ?? null;
}

/**
 * Whether CR2 is a push that may have failed at `rsp`: the first of the frame, or a later one that is the
 * first in the next lower page.
 */
export function isFailedPush(rsp: VirtAddr, cr2: VirtAddr): boolean {
  const nth = framePushes(rsp).indexOf(cr2);
  return nth === 0 || (nth > 0 && (cr2 & 0xfffn) === 0xff8n);
}
