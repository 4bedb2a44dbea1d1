import assert from 'node:assert/strict';
import recordedRuns from '../../../lib/data/recorded-overruns.json';
import { experiment } from '../../../lib/experiments';
import { parseBuddyinfo } from '../../../lib/mm/buddyinfo-parse';
import { MAX_PAGE_ORDER } from '../../../lib/mm/free-lists';
import { layoutFor } from '../../../lib/mm/layout';
import { PageAllocator } from '../../../lib/mm/page-allocator';
import { RECORDED_MEMORY } from '../../../lib/mm/recorded-memory';
import { recordedTables } from '../../../lib/mm/recorded-tables';
import { slabLayout } from '../../../lib/mm/slab-order';
import { kernelConfig } from '../../../lib/stack/config';
import { taskStructSize } from '../../../lib/stack/task-struct';
import { PhysMemory } from '../../../lib/x86/phys-memory';
import type { Claim } from '../claim';

const real = recordedTables();

/** Bytes of the direct map in pages of one size, as the tables have it. */
function bytesIn(pageSize: number): number {
  const { PAGE_OFFSET, ramBytes, dump } = real;
  return dump
    .mappings({ start: PAGE_OFFSET, end: PAGE_OFFSET + BigInt(ramBytes) })
    .filter((part) => part.pageSize === pageSize)
    .reduce((sum, part) => sum + Number(part.bytes), 0);
}

const meminfo = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(real.meminfo)?.[1]);

const nextDoor = experiment('next-door');

export const CLAIMS: readonly Claim[] = [
  {
    says: 'Not 786,432 but about 5,000, because a recorded 3 GiB machine of 6.1.192 maps most of it with large pages: one of 1 GiB, about a thousand of 2 MiB',
    source: 'recording pt_4level_nokaslr',
    holds: () => {
      assert.equal((3 * 2 ** 30) / 4096, 786_432);
      assert.equal(real.kernel, '6.1.192');
      const counts = [4096, 0x200000, 0x40000000].map((size) => bytesIn(size) / size);
      assert.deepEqual(counts, [4064, 1016, 1]);
    },
  },
  {
    says: 'it says 26,496 kB of small pages where its tables have 16,256. The difference is five times 2 MiB',
    source: 'recording pt_4level_nokaslr: /proc/meminfo and the tables of one moment',
    holds: () => {
      assert.equal(meminfo('DirectMap4k'), 26_496);
      assert.equal(bytesIn(4096) / 1024, 16_256);
      assert.equal(26_496 - 16_256, 5 * 2048);
      assert.equal(bytesIn(0x200000) / 1024 - meminfo('DirectMap2M'), 5 * 2048);
    },
  },
  {
    says: 'in that second mapping exactly five pages of 2 MiB are cut up, as the dump shows. The counters count those too',
    source: 'recording pt_4level_nokaslr; __split_large_page() counts whatever virt_addr_valid() accepts',
    holds: () => {
      const start = 0xffffffff80000000n;
      const parts = real.dump.mappings({ start, end: start + 0x40000000n });
      const cut = new Set(
        parts
          .filter(({ pageSize }) => pageSize === 4096)
          .flatMap(({ start: from, end }) => {
            const numbers: bigint[] = [];
            for (let at = from >> 21n; at <= (end - 1n) >> 21n; at++) numbers.push(at);
            return numbers;
          }),
      );
      assert.equal(cut.size, 5);
    },
  },
  {
    says: 'and 10, the largest, is 4 MiB',
    source: 'fact sheet, kernel stacks 10',
    holds: () => assert.deepEqual([MAX_PAGE_ORDER, 4096 << MAX_PAGE_ORDER], [10, 4 * 2 ** 20]),
  },
  {
    says: 'so that `pfn ^ (1 << order)` leads from each to the other',
    source: 'fact sheet, kernel stacks 10: __find_buddy_index() of 3.14',
    holds: () => {
      const zones = [{ name: 'DMA32', start: 0, end: 1024 }];
      const options = { version: '3.14', zones, reserved: [] };
      const allocator = new PageAllocator(new PhysMemory(4 << 20), options);
      const blocks = Array.from({ length: 1 << 6 }, () => allocator.allocPages(2)!);
      // Freed alone, a block stays as it is until its buddy comes, and only then.
      for (const pfn of blocks.slice(0, 8)) {
        allocator.freePages(pfn, 2);
        const [before, larger] = [allocator.freeCount(2), allocator.freeCount(3)];
        allocator.freePages(pfn ^ 4, 2);
        assert.deepEqual([allocator.freeCount(2), allocator.freeCount(3) > larger - 1], [before - 1, true]);
        allocator.allocPages(2);
        allocator.allocPages(2);
      }
    },
  },
  {
    says: 'DMA up to 16 MiB, DMA32 up to 4 GiB, Normal above',
    source: 'fact sheet, kernel stacks 10',
    holds: () => {
      const zones = new PageAllocator(new PhysMemory(6 * 2 ** 30), { version: '6.1' }).zones;
      assert.deepEqual(
        zones.map(({ name, start, end }) => [name, start, end]),
        [
          ['DMA', 0, 4096],
          ['DMA32', 4096, 1_048_576],
          ['Normal', 1_048_576, 1_572_864],
        ],
      );
    },
  },
  {
    says: 'more than nine thousand single free pages, 37 MiB',
    source: 'recording memstate_nokaslr',
    holds: () => {
      const dma32 = parseBuddyinfo(RECORDED_MEMORY.fragmented.buddyinfo).find(
        ({ zone }) => zone === 'DMA32',
      )!;
      const single = dma32.counts[0];
      assert.ok(single > 9000 && Math.floor((single * 4) / 1024) === 37, `${single}`);
    },
  },
  {
    says: '6.1.192 built without `VMAP_STACK`, with stacks of 8 or 16 KB and up to 500 threads that were started in bursts, 61,928 stacks in all',
    source: 'recording overruns_summary.md, what lay just below',
    holds: () => {
      const all = recordedRuns.belowStacks.reduce((sum, { n }) => sum + n, 0);
      assert.equal(all, 61_928);
    },
  },
  {
    says: '**mostly another stack**, about seven times in ten; then a slab page, about one in four; everything else together is never more than one in ten',
    source: 'recording overruns_summary.md, and the model',
    holds: () => {
      for (const { stack, slab, n } of recordedRuns.belowStacks) {
        assert.ok(stack / n > 0.65 && stack / n < 0.8);
        assert.ok(slab / n > 0.2 && slab / n < 0.3);
        assert.ok((n - stack - slab) / n < 0.1);
      }
      const { rows } = nextDoor.run({ machines: 6 }).table;
      const model = rows.filter(({ evidence }) => evidence === 'model');
      for (const { neighbour, share } of model) {
        if (neighbour === 'another stack') assert.ok(Number(share) > 0.6 && Number(share) < 0.85);
        else assert.ok(Number(share) < 0.4);
      }
    },
  },
  {
    says: '`task_struct`, 9792 bytes on the recorded kernel: three of them in a slab of eight pages',
    source: 'fact sheet, real overruns, constants read from the running kernel',
    holds: () => {
      assert.equal(taskStructSize(kernelConfig('vmap')), 9792);
      const { order, objectsPerSlab } = slabLayout({ size: 9792, version: '6.1' });
      assert.deepEqual([1 << order, objectsPerSlab], [8, 3]);
    },
  },
  {
    says: 'Linux 3.14: `mm/page_alloc.c`, `expand()`, `__find_buddy_index()` and `__free_one_page()`',
    source: 'fact sheet, kernel stacks 10: read in the tree of 3.14',
    holds: () => assert.equal(kernelConfig('8k').version, '3.14'),
  },
  {
    says: 'Linux 6.1: `Documentation/x86/x86_64/mm.rst`',
    source: 'the layout of 6.1 in that file',
    holds: () => assert.equal(layoutFor({ version: '6.1', levels: 4 }).PAGE_OFFSET, real.PAGE_OFFSET),
  },
];
