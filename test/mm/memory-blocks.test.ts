import assert from 'node:assert/strict';
import fc from 'fast-check';
import { memoryBlocks } from '../../lib/mm/memory-blocks';
import { PageAllocator } from '../../lib/mm/page-allocator';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { effort } from '../support/effort';

describe('the blocks that memory is cut into', () => {
  it('cover it without gaps, and are those of the free lists and of who asked', () => {
    const steps = fc.array(fc.record({ order: fc.nat(4), free: fc.boolean(), which: fc.nat() }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, fc.constantFrom('3.14', '6.1'), (list, version) => {
        const allocator = new PageAllocator(new PhysMemory(32 << 20), { version });
        const held: { pfn: number; order: number }[] = [];
        for (const { order, free, which } of list) {
          if (free && held.length > 0) {
            const [{ pfn, order: its }] = held.splice(which % held.length, 1);
            allocator.freePages(pfn, its);
            continue;
          }
          const pfn = allocator.allocPages(order, { class: 'stack' });
          if (pfn !== null) held.push({ pfn, order });
        }
        const blocks = memoryBlocks(allocator);
        let next = 0;
        for (const { pfn, pages } of blocks) {
          assert.equal(pfn, next);
          next = pfn + pages;
        }
        assert.equal(next, allocator.memory.pages);
        for (let order = 0; order <= 10; order++) {
          const free = blocks.filter((block) => block.class === 'free' && block.order === order);
          assert.equal(free.length, allocator.freeCount(order), `order ${order}`);
        }
        const stacks = blocks.filter((block) => block.class === 'stack');
        const sorted = held.sort((a, b) => a.pfn - b.pfn);
        assert.deepEqual(
          stacks.map(({ pfn, order }) => ({ pfn, order })),
          sorted,
        );
      }),
      effort(40),
    );
  });
});
