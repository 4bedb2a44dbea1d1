import assert from 'node:assert/strict';
import { experiment } from '../../lib/experiments';
import type { Row } from '../../lib/experiments/table';
import { kernelConfig } from '../../lib/stack/config';
import { PUBLISHED_TRACES, publishedTrace } from '../../lib/stack/published-traces';

const found = new Map<string, readonly Row[]>();

/** The rows that an experiment finds with seed 1; run once. */
function rowsOf(name: string, params: Record<string, number | string> = {}): readonly Row[] {
  const key = JSON.stringify([name, params]);
  const rows = found.get(key) ?? experiment(name).run(params, 1).table.rows;
  found.set(key, rows);
  return rows;
}

const model = (rows: readonly Row[]) => rows.filter(({ evidence }) => evidence === 'model');

describe('findings of the experiments', function () {
  this.timeout(120_000);

  it('trace-depths: what is left of a stack is usable minus depth', () => {
    const rows = rowsOf('trace-depths', { extra: 168 });
    const traces = rows.filter(({ evidence }) => evidence === 'estimate');
    assert.deepEqual(
      traces.map(({ depth }) => depth),
      PUBLISHED_TRACES.map((id) => publishedTrace(id).maxDepth + 168),
    );
    for (const { depth, left8k, left16k, leftVmap } of traces) {
      assert.equal(left8k, kernelConfig('8k').usable - Number(depth));
      assert.equal(left16k, kernelConfig('16k').usable - Number(depth));
      assert.equal(leftVmap, kernelConfig('vmap').usable - Number(depth));
    }
  });

  it('outcome-by-era: shares of a kind add up, a guard page stops what lands in it, endless recursion always ends', () => {
    const rows = model(rowsOf('outcome-by-era', { trials: 12, machines: 2 }));
    for (const era of ['8k', '16k', 'vmap']) {
      for (const kind of new Set(rows.map((row) => row.kind))) {
        const cell = rows.filter((row) => row.era === era && row.kind === kind);
        assert.equal(
          cell.reduce((sum, { count }) => sum + Number(count), 0),
          cell[0].n,
          `${era} ${kind}`,
        );
        const atOnce = cell.find(({ outcome }) => outcome === 'immediate');
        const jumpsOver = String(kind).includes('16752');
        if (era === 'vmap' && !jumpsOver) assert.equal(atOnce?.share, 1, `${era} ${kind}`);
        if (kind === 'endless recursion') {
          // Not always at once: the frames may overwrite what says how deep to go, and the recursion comes back.
          assert.equal(cell.find(({ outcome }) => outcome === 'silent')?.share, 0, era);
        }
        if (jumpsOver) assert.equal(atOnce?.share, 0, `${era} ${kind}`);
      }
    }
  });

  it('time-to-detection: a guard page speaks in the same time slice, readers only later', () => {
    const rows = model(rowsOf('time-to-detection', { trials: 40, machines: 2 }));
    const guard = rows.filter(({ kernel }) => kernel === 'vmalloc');
    assert.deepEqual(
      guard.map(({ detector, share, first, last }) => ({ detector, share, first, last })),
      [{ detector: 'guard-page', share: 100, first: 1, last: 1 }],
    );
    for (const row of rows.filter(({ detector }) => detector === 'stack-end-check')) {
      assert.deepEqual([row.kernel, row.last], ['direct map, end check', 1]);
    }
    const late = rows.filter(({ detector }) => detector === 'reader');
    assert.ok(late.length > 0 && late.every(({ first }) => Number(first) > 1));
  });

  it('stack-memory: pages of a block, one table page for each large page that a guard split', () => {
    const rows = model(rowsOf('stack-memory', { threads: 2000 }));
    for (const row of rows) {
      const { layout, threads, stackKb, lostKb, tablesKb, splits, leaves } = row;
      const [own, lost] = (
        {
          '8 KB, direct map': [8, 0],
          '16 KB, direct map': [16, 0],
          '16 KB, vmalloc': [16, 0],
          '8 KB + guard in the direct map': [8, 8],
          '16 KB + guard in the direct map': [16, 16],
        } as Record<string, number[]>
      )[String(layout)];
      assert.equal(stackKb, own * Number(threads));
      assert.equal(lostKb, lost * Number(threads));
      const guarded = String(layout).includes('guard in');
      if (guarded) {
        assert.equal(tablesKb, 4 * Number(splits));
        assert.equal(leaves, 1023 + 511 * Number(splits) - Number(threads));
        assert.ok(Number(splits) >= (Number(threads) * (own + lost)) / 2048 - 1);
      } else {
        assert.deepEqual([splits, leaves], [0, 1023]);
      }
    }
  });

  it('order2-success: single pages are always to be had, two together more often than four', () => {
    const rows = model(rowsOf('order2-success'));
    const granted = (request: string, compaction: string, pages: string) =>
      rows
        .filter(
          (row) => row.request === request && row.compaction === compaction && row.pages === pages,
        )
        .map((row) => Number(row.granted));
    const one = granted('16 KB, 4 × order 0 (vmalloc)', 'no', 'user');
    const two = granted('8 KB, order 1', 'no', 'user');
    const four = granted('16 KB, order 2', 'no', 'user');
    const compacted = granted('16 KB, order 2', 'yes', 'user');
    const immovable = granted('16 KB, order 2', 'yes', 'kernel');
    one.forEach((made, i) => {
      assert.equal(made, 400);
      assert.ok(two[i] >= four[i] && compacted[i] >= four[i], `point ${i}`);
      assert.equal(immovable[i], four[i]);
    });
    assert.ok(four[0] < 100 && four[four.length - 1] === 400);
  });

  it('order2-success: on the recorded lists it refuses where parking 400 threads ended in a panic, and never with vmalloc', () => {
    const rows = rowsOf('order2-success').filter((row) => row.evidence === 'recorded');
    const parked = rows.filter((row) => /A16_\w+_park400/.test(String(row.case)));
    assert.equal(parked.length, 2);
    for (const row of parked) {
      assert.match(String(row.happened), /panic/);
      assert.ok(Number(row.granted) < 400, `${row.case}: ${row.granted}`);
    }
    const vmalloc = rows.filter((row) => String(row.case).includes('C16v'));
    assert.deepEqual(
      vmalloc.map(({ share }) => share),
      [1, 1, 1, 1],
    );
  });

  it('stack-scatter: as contiguous as recorded to within a tenth, and not at all between kernel pages', () => {
    const rows = rowsOf('stack-scatter');
    for (const row of model(rows)) {
      const real = rows.find((one) => one.memory === row.memory && one.evidence === 'recorded');
      const apart = Math.abs(Number(row.share) - Number(real?.share));
      assert.ok(apart < 0.11, `${row.memory}: ${row.share} and ${real?.share}`);
    }
    assert.equal(model(rows).find(({ memory }) => String(memory).startsWith('kernel'))?.share, 0);
  });

  it('stack-frames: four different frames for every stack, none used twice', () => {
    const rows = rowsOf('stack-frames');
    for (const evidence of ['model', 'recorded']) {
      for (const memory of new Set(rows.map((row) => row.memory))) {
        const frames = rows
          .filter((row) => row.evidence === evidence && row.memory === memory)
          .map(({ pfn }) => pfn);
        assert.equal(frames.length, 4 * 32);
        assert.equal(new Set(frames).size, frames.length, `${evidence} ${memory}`);
      }
    }
  });

  it('fork-cost: two cached stacks make one thread after the other free of page tables and flushes', () => {
    const rows = model(rowsOf('fork-cost', { forks: 1700, burst: 10 }));
    const row = (kernel: string, pattern: string) => {
      const found = rows.find((one) => one.kernel === kernel && one.pattern === pattern);
      assert.ok(found);
      return found;
    };
    const [serial, bursts] = ['one after the other', 'in bursts of 10'];
    const none = row('vmalloc, no cache', serial);
    // Four entries set and four cleared, a page table now and then; 1638 freed areas fill 8192 pages.
    assert.ok(Number(none.entries) >= 8 && Number(none.entries) < 8.1);
    assert.equal(none.flushes, Number((1000 / 1700).toFixed(3)));
    const two = row('vmalloc, 2 cached', serial);
    assert.deepEqual([two.flushes, two.fromCache], [0, 99.9]);
    assert.ok(Number(two.entries) < 0.01 && Number(two.pagesTaken) < 0.01);
    for (const cached of [2, 5]) {
      const share = Number(row(`vmalloc, ${cached} cached`, bursts).fromCache);
      // Of each burst but the first as many come from the cache as it holds.
      assert.equal(share, Number(((100 * (169 * cached)) / 1700).toFixed(1)));
    }
    assert.deepEqual(
      ['8 KB, direct map', '16 KB, direct map'].map((kernel) => row(kernel, serial).pagesTaken),
      [2, 4],
    );
  });

  it('guard-jump: faults follow from what is mapped where, and recorded boots agree', () => {
    const rows = rowsOf('guard-jump', { step: 1024 });
    const expected = (holes: string, below: number) => {
      if (below <= 4096) return 'guard page';
      // Below the guard: 12 KB of hole, in its lower part a small area of two pages if filled.
      if (below <= 16_384) {
        return holes === 'filled' && below <= 12_288 ? 'mapped: no fault' : 'unmapped';
      }
      return below <= 32_768 ? 'mapped: no fault' : 'unmapped';
    };
    for (const { holes, below, landing } of model(rows)) {
      assert.equal(landing, expected(String(holes), Number(below)), `${holes} ${below}`);
    }
    for (const { below, landing } of rows.filter(({ evidence }) => evidence === 'recorded')) {
      assert.equal(landing, expected('empty', Number(below)), `recorded ${below}`);
    }
  });

  it('jump-by-frame: no frame of a page or less gets past the guard', () => {
    const rows = rowsOf('jump-by-frame', { entries: 8 });
    for (const { frame, fits, guard, unmapped, silent } of rows) {
      assert.equal(Number(fits) + Number(guard) + Number(unmapped) + Number(silent), 100);
      if (Number(frame) <= 4096) assert.deepEqual([unmapped, silent], [0, 0], `${frame}`);
    }
    assert.ok(rows.some(({ silent }) => Number(silent) > 0));
  });

  it('dynamic-stacks: one page a thread, one more for every fault, never more than static stacks', () => {
    const rows = model(rowsOf('dynamic-stacks', { threads: 200 }));
    for (const { faults, dynamicKb, staticKb, saved } of rows) {
      assert.equal(staticKb, 200 * 16);
      assert.equal(dynamicKb, 4 * (200 + Number(faults) + 3));
      assert.equal(saved, Number((100 * (1 - Number(dynamicKb) / Number(staticKb))).toFixed(1)));
    }
    assert.equal(rows[0].faults, 0);
    const pages = (depth: number) => Math.ceil(depth / 4096);
    const most = Math.max(...PUBLISHED_TRACES.map((id) => pages(publishedTrace(id).maxDepth)));
    assert.ok(Number(rows[rows.length - 1].faults) <= 200 * (most - 1));
  });

  it('next-door: most stacks lie above another stack, next most above slab, as recorded, whatever memory has been through', () => {
    const rows = rowsOf('next-door', { machines: 8 });
    for (const memory of ['light load', 'half of user memory freed']) {
      for (const stack of ['8 KB', '16 KB']) {
        const shares = model(rows)
          .filter((row) => row.stack === stack && row.memory === memory)
          .sort((a, b) => Number(b.share) - Number(a.share));
        assert.deepEqual(
          shares.slice(0, 2).map(({ neighbour }) => neighbour),
          ['another stack', 'slab'],
        );
      }
    }
  });
});
