import assert from 'node:assert/strict';
import { loadFreeLists } from '../../lib/mm/free-list-loader';
import type { MigrateType } from '../../lib/mm/migrate-type';
import { PageAllocator, type PageAllocatorOptions } from '../../lib/mm/page-allocator';
import { watermarkOk } from '../../lib/mm/watermark';
import { PhysMemory } from '../../lib/x86/phys-memory';

const MIB = 2 ** 20;

function machine(options: Partial<PageAllocatorOptions> = {}, mib = 32): PageAllocator {
  return new PageAllocator(new PhysMemory(mib * MIB), {
    version: '6.1',
    zoneDma: false,
    minFreeKbytes: 0,
    ...options,
  });
}

/** A machine with these free blocks and nothing else. */
function withBlocks(
  version: string,
  free: Partial<Record<MigrateType, number[]>>,
  pageblocks?: Partial<Record<MigrateType, number>>,
): PageAllocator {
  const allocator = machine({ version, reserved: [] });
  loadFreeLists(allocator, [{ zone: 'DMA32', free, pageblocks }]);
  return allocator;
}

const order = (n: number) => [...Array(n).fill(0), 1];

describe('migrate types', () => {
  it('a request without memory of its type takes the largest block of another', () => {
    // Order 3 and order 7 lie in different pageblocks.
    const allocator = withBlocks('4.9', { MOVABLE: order(3), RECLAIMABLE: order(7) });
    allocator.allocPages(0, { migratetype: 'UNMOVABLE' });
    assert.equal(allocator.freeCount(7), 0);
    assert.equal(allocator.freeCount(3, 'MOVABLE'), 1);
  });

  it('where the largest block is of both types, the order of fallbacks decides', () => {
    const of = (type: MigrateType) => {
      const allocator = withBlocks('4.9', {
        MOVABLE: order(7),
        RECLAIMABLE: order(7),
        UNMOVABLE: order(7),
        [type]: [],
      });
      allocator.allocPages(5, { migratetype: type });
      return (['UNMOVABLE', 'RECLAIMABLE', 'MOVABLE'] as const).filter(
        (other) => other !== type && allocator.freeCount(7, other) === 0,
      );
    };
    assert.deepEqual(of('UNMOVABLE'), ['RECLAIMABLE']);
    assert.deepEqual(of('RECLAIMABLE'), ['UNMOVABLE']);
    assert.deepEqual(of('MOVABLE'), ['RECLAIMABLE']);
  });

  it('a pageblock changes its type when half of it is free, not with less', () => {
    const claimed = (free: number[]) => {
      const allocator = withBlocks('4.9', { MOVABLE: free });
      const pfn = allocator.allocPages(0) as number;
      return [allocator.counters.claimedPageblocks, allocator.blocks.of(pfn)];
    };
    assert.deepEqual(claimed(order(8)), [1, 0]);
    assert.deepEqual(claimed(order(7)), [0, 1]);
  });

  it('what is left of a block that was not claimed: its old type before 4.0 and since 6.10, the new one between', () => {
    const rest = (version: string) => {
      // All pages in use in the pageblock are movable: since 4.12 that speaks against claiming it.
      const allocator = machine({ version, reserved: [] }, 8);
      const pages: number[] = [];
      for (;;) {
        const pfn = allocator.allocPages(0, { migratetype: 'MOVABLE', class: 'anon' });
        if (pfn === null) break;
        pages.push(pfn);
      }
      const block = Math.min(...pages) + 1024;
      for (let pfn = block; pfn < block + 64; pfn++) allocator.freePages(pfn, 0);
      allocator.allocPages(0, { migratetype: 'UNMOVABLE' });
      allocator.check();
      return (['UNMOVABLE', 'MOVABLE'] as const).map((type) => allocator.freeCount(5, type));
    };
    assert.deepEqual(rest('3.14'), [0, 1]);
    assert.deepEqual(rest('4.9'), [1, 0]);
    assert.deepEqual(rest('4.14'), [1, 0]);
    assert.deepEqual(rest('6.9'), [1, 0]);
    assert.deepEqual(rest('6.10'), [0, 1]);
  });

  it('since 4.12 pages in use that suit the new type count towards claiming', () => {
    const claimed = (version: string) => {
      // 128 free pages; the rest of the pageblock is in use and not movable.
      const allocator = withBlocks(version, { MOVABLE: order(7) });
      allocator.allocPages(0, { migratetype: 'UNMOVABLE' });
      return allocator.counters.claimedPageblocks;
    };
    assert.deepEqual(['4.9', '4.11', '4.12', '6.1'].map(claimed), [0, 0, 1, 1]);
  });

  it('free blocks that change type join the tail of their new list since 5.10, the head before', () => {
    const list = (version: string) => {
      // X is unmovable; Y lies in a movable pageblock with 256 free pages, which is claimed.
      const blocks = [0, 0, 0, 1, 0, 0, 0, 0, 1];
      const allocator = withBlocks(version, { UNMOVABLE: order(3), MOVABLE: blocks });
      const { free } = allocator.zones[0];
      const [x] = free.blocks(3, 0);
      const [y] = free.blocks(3, 1);
      allocator.allocPages(5);
      return [...free.blocks(3, 0)]
        .map((pfn) => (pfn === x ? 'X' : pfn === y ? 'Y' : '?'))
        .join('');
    };
    assert.equal(list('5.9'), 'YX');
    assert.equal(list('5.10'), 'XY');
  });

  it('zone Normal takes whole pageblocks or goes to DMA32 before it mixes types in a pageblock (5.0)', () => {
    const zoneOfRequest = (version: string) => {
      const allocator = new PageAllocator(new PhysMemory(32 * MIB), {
        version,
        minFreeKbytes: 0,
        reserved: [],
        zones: [
          { name: 'DMA32', start: 0, end: 4096 },
          { name: 'Normal', start: 4096, end: 8192 },
        ],
      });
      loadFreeLists(allocator, [{ zone: 'Normal', free: { MOVABLE: [0, 0, 0, 0, 0, 4] } }]);
      return allocator.zoneOf(allocator.allocPages(0) as number).name;
    };
    assert.equal(zoneOfRequest('4.19'), 'Normal');
    assert.equal(zoneOfRequest('5.0'), 'DMA32');
  });

  it('before 4.4 a pageblock or two are kept as MIGRATE_RESERVE and used last', () => {
    const allocator = machine({ version: '3.14', minFreeKbytes: undefined });
    const [reserve] = allocator.zones.map((zone) => zone.pageblockCounts()[3]);
    assert.equal(reserve, 1);
    assert.equal(allocator.freeCount(9, 'RESERVE'), 1);
    assert.match(
      allocator.pagetypeinfo(),
      /type\s+Unmovable .*\n.*type\s+Reclaimable .*\n.*type\s+Movable .*\n.*type\s+Reserve /,
    );
    const plain = machine({ version: '3.14', minFreeKbytes: 2048 });
    while (plain.freeCount(10) + plain.freeCount(9) > 1) plain.allocPages(9, { nowarn: true });
    assert.equal(plain.freeCount(9, 'RESERVE'), 1);
  });

  it('an atomic request of order 2 keeps its pageblock for such requests (4.4 and later)', () => {
    const allocator = machine();
    allocator.allocPages(2, { atomic: true });
    assert.equal(allocator.zones[0].pageblockCounts()[4], 1);
    assert.equal(allocator.zones[0].reservedHighatomic, 512);
    const kept = [...Array(11).keys()].reduce(
      (sum, o) => sum + (allocator.freeCount(o, 'HIGHATOMIC') << o),
      0,
    );
    assert.equal(kept, 508);
    while (allocator.allocPages(2, { noretry: true, nowarn: true }) !== null);
    assert.notEqual(allocator.allocPages(2, { atomic: true }), null);
    allocator.check();
  });

  it('that reserve is given up before somebody is killed, since 4.10', () => {
    const lasts = (version: string) => {
      const allocator = machine({ version });
      allocator.allocPages(2, { atomic: true });
      while (allocator.allocPages(2, { mayOom: false, nowarn: true }) !== null);
      return allocator.freeCount(2, 'HIGHATOMIC') + allocator.freeCount(3, 'HIGHATOMIC');
    };
    assert.ok(lasts('4.9') > 0);
    assert.equal(lasts('4.10'), 0);
  });
});

describe('watermarks', () => {
  it('a request of order 2 needs a block of a type it can use; an atomic one may use HIGHATOMIC', () => {
    const allocator = withBlocks('6.1', { HIGHATOMIC: order(4), UNMOVABLE: [100] });
    const [zone] = allocator.zones;
    assert.equal(watermarkOk(zone, 2, 0, 0), false);
    assert.equal(watermarkOk(zone, 2, 0, 0, { harder: true }), true);
    assert.equal(watermarkOk(zone, 0, 0, 0), true);
  });

  it('before 4.4 the smaller blocks are taken off order by order, and half the mark with them', () => {
    // 100 single pages and one block of 16: 116 free; without the single pages 16 − 3 are left.
    const [zone] = withBlocks('3.14', { UNMOVABLE: [100, 0, 0, 0, 1] }).zones;
    assert.equal(watermarkOk(zone, 2, 20, 0), true);
    assert.equal(watermarkOk(zone, 2, 60, 0), false);
    const [later] = withBlocks('4.4', { UNMOVABLE: [100, 0, 0, 0, 1] }).zones;
    assert.equal(watermarkOk(later, 2, 60, 0), true);
    assert.equal(watermarkOk(later, 2, 113, 0), false);
    assert.equal(watermarkOk(later, 2, 113, 0, { high: true }), true);
  });
});

describe('per-CPU lists', () => {
  it('hand out the page freed last, and hold no more than their limit', () => {
    const allocator = machine({ pcp: { batch: 8, high: 24 } });
    const pages = Array.from({ length: 200 }, () => allocator.allocPages(0) as number);
    allocator.freePages(pages[50], 0);
    assert.equal(allocator.pageInfo.classOf(pages[50]), 'pcp');
    assert.equal(allocator.allocPages(0), pages[50]);
    for (const pfn of pages) {
      allocator.freePages(pfn, 0);
      assert.ok(allocator.perCpuPages() < 24 + 8);
    }
    allocator.check();
  });

  it('are emptied for a request that needs what they hold back', () => {
    const allocator = machine({ reserved: [], pcp: { batch: 8, high: 4000 } }, 4);
    const pages = Array.from({ length: 1024 }, () => allocator.allocPages(0) as number);
    for (const pfn of pages) allocator.freePages(pfn, 0);
    assert.ok(allocator.freeCount(10) === 0 && allocator.perCpuPages() > 900);
    assert.equal(allocator.allocPages(10), 0);
  });

  it('serve orders up to 3 since 5.13, single pages before', () => {
    const held = (version: string) => {
      const allocator = machine({ version, pcp: { batch: 8, high: 100 } });
      allocator.freePages(allocator.allocPages(2) as number, 2);
      return allocator.perCpuPages() > 0;
    };
    assert.deepEqual(['5.12', '5.13', '6.1'].map(held), [false, true, true]);
  });
});
