import type { Random } from '../random';
import type { PageMove } from '../mm/compaction';
import type { PageAllocator } from '../mm/page-allocator';

export interface Fragmentation {
  /** User pages can be moved by compaction, kernel pages can't. */
  readonly pages: 'user' | 'kernel';
  /** Pages left alone at the start. */
  readonly spare: number;
  /** Part of the freed memory that is given back in whole runs of `RUN` pages, 0 to 1; the rest singly. */
  readonly inRuns: number;
}

/** Pages of a run that is given back whole: more than any stack has, aligned. */
const RUN = 16;

/**
 * Takes all memory page by page and gives half of it back, as the recorded guests did before they started
 * threads: in runs of 16 pages, and the rest as single pages, one of each pair, so that no two can merge.
 *
 * @returns the page frames still held, by number; compaction keeps the list right
 */
export function fragment(
  allocator: PageAllocator,
  { pages, spare, inRuns }: Fragmentation,
  random: Random,
): Set<number> {
  const user = pages === 'user';
  const held = new Set<number>();
  const wanted = allocator.freePageCount - spare;
  for (let i = 0; i < wanted; i++) {
    const pfn = allocator.allocPages(0, {
      migratetype: user ? 'MOVABLE' : 'UNMOVABLE',
      class: user ? 'anon' : 'kernel',
      noretry: true,
      nowarn: true,
    });
    if (pfn === null) break;
    held.add(pfn);
  }
  allocator.hooks.onMigrate = ({ from, to }: PageMove) => {
    held.delete(from);
    held.add(to);
  };
  const blocks = wholeBlocks(held);
  random.shuffle(blocks);
  // A block gives back 16 pages whole, or one of each pair: 8.
  const runs = Math.round((blocks.length * inRuns) / (1 + inRuns));
  blocks.forEach((block, i) => {
    if (i < runs) for (let p = 0; p < RUN; p++) giveBack(allocator, held, block + p);
    else if (i < runs + blocks.length * (1 - inRuns)) {
      for (let p = 0; p < RUN; p += 2) giveBack(allocator, held, block + p + random.below(2));
    }
  });
  return held;
}

function giveBack(allocator: PageAllocator, held: Set<number>, pfn: number): void {
  held.delete(pfn);
  allocator.freePages(pfn, 0);
}

/** First pages of the aligned runs that are held whole. */
function wholeBlocks(held: ReadonlySet<number>): number[] {
  const blocks: number[] = [];
  for (const pfn of held) {
    if (pfn % RUN !== 0) continue;
    let whole = true;
    for (let p = 1; whole && p < RUN; p++) whole = held.has(pfn + p);
    if (whole) blocks.push(pfn);
  }
  return blocks.sort((a, b) => a - b);
}
