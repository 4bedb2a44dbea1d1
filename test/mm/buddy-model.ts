import assert from 'node:assert/strict';
import type { MigrateType } from '../../lib/mm/migrate-type';
import { PageAllocator, type PageAllocatorOptions } from '../../lib/mm/page-allocator';
import type { PageClass } from '../../lib/mm/page-info';
import type { Random } from '../../lib/random';
import { PhysMemory } from '../../lib/x86/phys-memory';

/** What the model knows of a block: where it is and what it was asked for as. */
interface Block {
  pfn: number;
  order: number;
  class: PageClass;
  owner: number;
}

const TYPES: readonly MigrateType[] = ['UNMOVABLE', 'MOVABLE', 'RECLAIMABLE'];
const CLASSES: readonly PageClass[] = ['kernel', 'anon', 'slab', 'stack', 'pagetable'];

/**
 * An obvious model of the page allocator: the set of blocks handed out, and one bit a page. The real
 * one has to hand out blocks that are aligned and overlap nothing, and to take back exactly those.
 */
export class BuddyModel {
  readonly allocator: PageAllocator;
  readonly blocks: Block[] = [];
  private readonly inUse: Uint8Array;
  private owner = 0;

  constructor(options: Partial<PageAllocatorOptions> & { ram?: number }) {
    const memory = new PhysMemory(options.ram ?? 32 * 2 ** 20);
    this.allocator = new PageAllocator(memory, {
      version: '6.1',
      zoneDma: false,
      minFreeKbytes: 0,
      ...options,
    });
    this.inUse = new Uint8Array(memory.pages);
    for (const { start, pages } of this.allocator.pageInfo.reserved) {
      this.inUse.fill(1, start, start + pages);
    }
  }

  alloc(order: number, migratetype: MigrateType, pageClass: PageClass): void {
    const owner = ++this.owner;
    const pfn = this.allocator.allocPages(order, { migratetype, class: pageClass, owner });
    if (pfn === null) {
      // One zone and no watermark: a request fails only when no block of that order is free.
      for (let at = 0; at < this.inUse.length; at += 1 << order) {
        assert.ok(this.inUse.subarray(at, at + (1 << order)).includes(1), `free block at ${at}`);
      }
      return;
    }
    assert.equal(pfn % (1 << order), 0, 'aligned');
    const pages = this.inUse.subarray(pfn, pfn + (1 << order));
    assert.ok(pages.length === 1 << order && !pages.includes(1), 'overlaps nothing');
    pages.fill(1);
    this.blocks.push({ pfn, order, class: pageClass, owner });
    const last = pfn + (1 << order) - 1;
    assert.deepEqual(
      { ...this.allocator.pageInfo.describe(last), migratetype },
      { pfn: last, class: pageClass, head: pfn, order, migratetype, owner },
    );
  }

  free(index: number): void {
    if (this.blocks.length === 0) return;
    const i = index % this.blocks.length;
    const { pfn, order } = this.blocks[i];
    this.blocks[i] = this.blocks[this.blocks.length - 1];
    this.blocks.pop();
    this.inUse.fill(0, pfn, pfn + (1 << order));
    this.allocator.freePages(pfn, order);
    assert.equal(this.allocator.pageInfo.ownerOf(pfn + (1 << order) - 1), 0);
  }

  /** Free + allocated = all, by the model's own count; then the allocator's own check. */
  check(): void {
    const { allocator } = this;
    const used = this.inUse.reduce((sum, bit) => sum + bit, 0);
    const free = allocator.freePageCount + allocator.perCpuPages();
    assert.equal(free, allocator.memory.pages - used, 'free pages');
    for (const { pfn, order, class: pageClass, owner } of this.blocks) {
      assert.equal(allocator.pageInfo.classOf(pfn), pageClass);
      assert.equal(allocator.pageInfo.ownerOf(pfn + (1 << order) - 1), owner);
    }
    allocator.check();
  }
}

/** A long run: phases of mostly allocating and mostly freeing, small orders more often than large. */
export function runBuddy(model: BuddyModel, random: Random, operations: number): void {
  const checkEvery = Math.max(1000, Math.floor(operations / 20));
  for (let i = 1; i <= operations; i++) {
    const filling = Math.floor(i / 4000) % 2 === 0;
    if (random.chance(filling ? 0.65 : 0.35)) {
      const order = Math.min(random.below(11), random.below(11), random.below(11));
      model.alloc(order, random.pick(TYPES), random.pick(CLASSES));
    } else {
      model.free(random.below(1 << 30));
    }
    if (i % checkEvery === 0) model.check();
  }
  while (model.blocks.length > 0) model.free(0);
  model.check();
}
