import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bareMachine } from '../../lib/experiments/bare-machine';
import { fragment } from '../../lib/experiments/fragment';
import { blocksOf, PUBLISHED_LISTS } from '../../lib/experiments/published-lists';
import { runsOf } from '../../lib/experiments/scattered-stacks';
import { median } from '../../lib/experiments/statistics';
import { tableText } from '../../lib/experiments/table';
import { Random } from '../../lib/random';

describe('published free lists', () => {
  it('hold what their kernels printed as the sum, and lie in the reserve from the order on that is said', () => {
    const told = new Set<number | undefined>();
    for (const { id, zones } of PUBLISHED_LISTS) {
      for (const zone of zones) {
        const { counts, highatomicFromOrder: from } = zone;
        const { reserved, others } = blocksOf(zone);
        assert.deepEqual(
          counts,
          reserved.map((blocks, order) => blocks + others[order]),
        );
        assert.ok(reserved.every((blocks, order) => blocks === 0 || order >= from!));
        assert.ok(
          others.every((blocks, order) => blocks === 0 || from === undefined || order < from),
        );
        const kb = counts.reduce((sum, blocks, order) => sum + blocks * 4 * 2 ** order, 0);
        assert.equal(kb, zone.totalKB, `${id} ${zone.zone}`);
        told.add(from);
      }
    }
    assert.deepEqual([...told], [undefined, 2]);
  });
});

describe('median', () => {
  it('has as many values at or below it as at or above', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1 }), (values) => {
        const middle = median(values);
        assert.ok(middle !== null);
        const below = values.filter((value) => value <= middle).length;
        const above = values.filter((value) => value >= middle).length;
        assert.ok(2 * below >= values.length && 2 * above >= values.length);
      }),
    );
    assert.equal(median([]), null);
    assert.equal(median([3, 1]), 2);
  });
});

describe('runsOf', () => {
  it('counts the places where a frame does not follow the one before', () => {
    assert.equal(runsOf([7, 8, 9, 10]), 1);
    assert.equal(runsOf([10, 9, 8, 7]), 4);
    assert.equal(runsOf([7, 8, 20, 21]), 2);
  });
});

describe('fragment', () => {
  it('frees half of what it took, single pages without a free neighbour or runs of sixteen', () => {
    for (const pages of ['user', 'kernel'] as const) {
      for (const inRuns of [0, 1]) {
        const { pageAllocator } = bareMachine({ ramMiB: 64, zoneDma: false });
        const before = pageAllocator.freePageCount;
        const held = fragment(pageAllocator, { pages, spare: 64, inRuns }, new Random(5));
        pageAllocator.check();
        const freed = pageAllocator.freePageCount;
        const taken = before - 64;
        assert.ok(Math.abs(freed - 64 - taken / 2) < 0.02 * taken, `${freed} of ${taken}`);
        assert.equal(held.size, before - freed);
        for (const pfn of held) {
          assert.equal(pageAllocator.pageInfo.classOf(pfn), pages === 'user' ? 'anon' : 'kernel');
        }
        const small = pageAllocator.freeCount(0) + 2 * pageAllocator.freeCount(1);
        if (inRuns === 0) assert.ok(small > 0.95 * freed, `${small} of ${freed}`);
        else assert.ok(small < 0.05 * freed, `${small} of ${freed}`);
      }
    }
  });
});

describe('tableText', () => {
  it('puts numbers to the right and text to the left, and a dash where nothing applies', () => {
    const columns = [
      { key: 'what', label: 'what' },
      { key: 'size', label: 'size', unit: 'kB' },
    ];
    const rows = [
      { what: 'a stack', size: 16 },
      { what: 'x', size: null },
    ];
    assert.equal(
      tableText({ columns, rows }),
      'what     size (kB)\na stack         16\nx                –',
    );
  });
});
