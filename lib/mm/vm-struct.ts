import type { VirtAddr } from '../x86/addr';
import { vmallocinfoLine } from './vmallocinfo';

/** Flags of an area, by the word that /proc/vmallocinfo prints for it. */
export type VmFlag = 'ioremap' | 'vmalloc' | 'vmap' | 'user' | 'dma-coherent';

/**
 * One area of the vmalloc space (struct vm_struct). Its addresses run from `addr` to `addr + size`;
 * unless `guard` is false the last page of them is the guard page, which has no memory behind it.
 */
export class VmStruct {
  constructor(
    readonly addr: VirtAddr,
    /** Bytes, guard page included. */
    readonly size: number,
    readonly flags: readonly VmFlag[],
    /** Who asked, as the kernel prints a code address: `kernel_clone+0xbf/0x430`. */
    readonly caller: string,
    /** Page frames, lowest address first; empty for ioremap. */
    readonly pages: readonly number[],
    readonly guard: boolean = true,
    /** First physical address of an ioremap. */
    readonly physAddr: bigint | null = null,
    /** The array of page pointers itself is vmalloc'ed. */
    readonly vpages: boolean = false,
    /** Pages as the listing counts them: an area read from a listing has no page frames. */
    readonly nrPages: number = pages.length,
    /** Where that array is; null when it is not in vmalloc space, or not known. */
    readonly pageArray: VirtAddr | null = null,
  ) {}

  /** Bytes that are mapped: get_vm_area_size(). */
  get mappedSize(): number {
    return this.guard ? this.size - 4096 : this.size;
  }

  /** The line of /proc/vmallocinfo. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return vmallocinfoLine(this);
  }
}

/** Why a vmalloc or vmap got nothing, and what the kernel prints about it. */
export interface VmallocFailure {
  readonly failure: 'no-address' | 'no-memory' | 'no-page-table';
  readonly messages: readonly string[];
}

export function isVmallocFailure(result: VmStruct | VmallocFailure): result is VmallocFailure {
  return !(result instanceof VmStruct);
}
