import { MAX_PAGE_ORDER } from './free-lists';
import type { PageAllocator } from './page-allocator';
import type { PageClass } from './page-info';

/** A block of page frames as the allocator sees it: free, in use, or kept from it by the boot. */
export interface MemoryBlock {
  /** First page frame. */
  readonly pfn: number;
  readonly pages: number;
  /** log2 of `pages`; null for what the boot kept, which need not be a power of two. */
  readonly order: number | null;
  readonly class: PageClass;
}

/**
 * The blocks that memory is cut into, lowest first. A block that reaches out of the range is listed whole.
 *
 * @param from first page frame looked at; 0 unless given
 * @param to the page frame after the last one looked at; the end of memory unless given
 * @throws RangeError for page frames outside memory
 */
export function memoryBlocks(
  allocator: PageAllocator,
  from: number = 0,
  to: number = allocator.memory.pages,
): MemoryBlock[] {
  const { pages } = allocator.memory;
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to > pages || from > to) {
    throw new RangeError(`from, to: expected page frames from 0 to ${pages}, got ${from}, ${to}`);
  }
  const blocks: MemoryBlock[] = [];
  for (let pfn = from; pfn < to;) {
    const block = blockAt(allocator, pfn);
    blocks.push(block);
    pfn = block.pfn + block.pages;
  }
  return blocks;
}

function blockAt({ pageInfo }: PageAllocator, pfn: number): MemoryBlock {
  const reserved = pageInfo.reserved.find(
    ({ start, pages }) => start <= pfn && pfn < start + pages,
  );
  if (reserved) {
    return { pfn: reserved.start, pages: reserved.pages, order: null, class: 'reserved' };
  }
  const { head, order, class: pageClass } = pageInfo.describe(pfn);
  // Memory that nobody has touched since the boot has no records: it is free in the largest blocks.
  const untouched = pageClass === 'free' && pageInfo.freeOrder(head) < 0;
  const actual = untouched ? MAX_PAGE_ORDER : order;
  const first = untouched ? pfn & ~((1 << MAX_PAGE_ORDER) - 1) : head;
  return { pfn: first, pages: 1 << actual, order: actual, class: pageClass };
}
