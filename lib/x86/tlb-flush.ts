import { hex, type VirtAddr } from './addr';
import type { Cpu } from './cpu';

/** Above so many pages Linux flushes everything instead (tlb_single_page_flush_ceiling). */
const SINGLE_PAGE_FLUSH_CEILING = 33;

/** Linear addresses whose translations changed. */
export interface FlushRange {
  readonly start: VirtAddr;
  /** First address after it. */
  readonly end: VirtAddr;
  /** Bytes of the pages as the TLB may hold them. */
  readonly pageSize: number;
}

/**
 * The duty a change of a mapping leaves behind: until it is discharged on a CPU, that CPU may
 * go on using the old translation.
 */
export interface TlbFlush {
  /** Empty if nothing is owed: a mapping that was not present is never in the TLB. */
  readonly ranges: readonly FlushRange[];
  readonly state: 'owed' | 'discharged' | 'ignored';
  /** Invalidates the ranges: page by page, or everything when they have more than 33 pages. */
  discharge(cpu: Cpu): void;
  /** Says that leaving the stale entries is meant. */
  ignore(): void;
}

class OwedFlush implements TlbFlush {
  constructor(
    readonly ranges: readonly FlushRange[],
    public state: TlbFlush['state'] = 'owed',
  ) {}

  discharge(cpu: Cpu): void {
    this.state = 'discharged';
    const pages = this.ranges.reduce(
      (sum, { start, end, pageSize }) => sum + Number((end - start) / BigInt(pageSize)),
      0,
    );
    // INVLPG reaches the current PCID alone.
    if (pages > SINGLE_PAGE_FLUSH_CEILING || (pages > 0 && cpu.pcidEnabled)) {
      cpu.flushTlb();
      return;
    }
    for (const { start, end, pageSize } of this.ranges) {
      for (let va = start; va < end; va += BigInt(pageSize)) cpu.invlpg(va);
    }
  }

  ignore(): void {
    if (this.state === 'owed') this.state = 'ignored';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const ranges = this.ranges.map(({ start, end }) => `${hex(start)}-${hex(end)}`);
    return `TlbFlush ${this.state}: ${ranges.join(', ') || 'nothing'}`;
  }
}

const NOTHING: TlbFlush = new OwedFlush([], 'discharged');

/** The flush owed for these ranges; for none, one that is done already. */
export function owedFlush(ranges: readonly FlushRange[]): TlbFlush {
  return ranges.length === 0 ? NOTHING : new OwedFlush(ranges);
}
