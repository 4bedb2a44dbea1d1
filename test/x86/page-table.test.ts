import { strict as assert } from 'node:assert';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { canonical, type Levels, type PageSize } from '../../lib/x86/addr';
import { type MapError, type MapOptions, PageTable } from '../../lib/x86/page-table';
import { PhysMemory } from '../../lib/x86/phys-memory';
import type { TlbFlush } from '../../lib/x86/tlb-flush';
import { walk } from '../../lib/x86/walk';
import { effort } from '../support/effort';
import { DIRECT, frames, HANDLERS, STACK, TestMachine } from './machine';

const K = 4096;
const M = 0x200000;
const G = 0x40000000;

function newTable(levels: Levels = 4, pages = 256): PageTable {
  const memory = new PhysMemory(pages * 4096);
  return new PageTable(memory, { levels, allocTable: frames(1, pages) });
}

/** All mappings, as one line each; compare with the whole expected list. */
function list(tables: PageTable): string[] {
  return tables.mappings().map((m) => inspect(m));
}

function owed(result: TlbFlush | MapError): string {
  return typeof result === 'string' ? result : inspect(result);
}

/** What one 4 KiB page of the model is mapped to. */
interface Page {
  pa: bigint;
  size: PageSize;
  flags: string;
}

/** A page table as a Map from page to frame, to be compared with the real one. */
class Model {
  readonly pages = new Map<bigint, Page>();

  map(va: bigint, pa: bigint, size: PageSize, options: MapOptions): string {
    for (let o = 0n; o < BigInt(size); o += 4096n)
      if (this.pages.has(va + o)) return 'already-mapped';
    for (let o = 0n; o < BigInt(size); o += 4096n) {
      this.pages.set(va + o, { pa: pa + o, size, flags: flagsOf(options, size) });
    }
    return 'ok';
  }

  unmap(va: bigint, size: PageSize): string {
    const page = this.pages.get(va);
    if (page?.size === size) {
      for (let o = 0n; o < BigInt(size); o += 4096n) this.pages.delete(va + o);
      return 'ok';
    }
    return 'refused';
  }

  split(va: bigint): string {
    const page = this.pages.get(va);
    if (!page || page.size === K) return 'refused';
    const start = va - (va % BigInt(page.size));
    for (let o = 0n; o < BigInt(page.size); o += 4096n) {
      const old = this.pages.get(start + o) as Page;
      this.pages.set(start + o, { ...old, size: K, flags: old.flags.replace(' PS', '') });
    }
    return 'ok';
  }
}

function flagsOf(o: MapOptions, size: PageSize): string {
  return [
    ...['P', o.writable ? 'RW' : '', o.user ? 'US' : '', ...(o.user ? [] : ['A', 'D'])],
    ...[size > K ? 'PS' : '', o.global ? 'G' : '', o.executable ? '' : 'NX'],
  ]
    .filter(Boolean)
    .join(' ');
}

type Step = (real: PageTable, model: Model) => void;
/** A few pages on both sides of the borders of large pages, in both halves. */
const page = fc
  .tuple(fc.constantFrom(0n, -BigInt(4 * M), DIRECT), fc.nat(3), fc.constantFrom(0, 1, 2, 511))
  .map(([base, large, small]) => BigInt.asUintN(64, base + BigInt(large * M + small * K)));
const options = fc.record({
  writable: fc.boolean(),
  user: fc.boolean(),
  executable: fc.boolean(),
  global: fc.boolean(),
});
const size = fc.constantFrom<PageSize>(K, M);
const down = (va: bigint, bytes: number): bigint => va - (va % BigInt(bytes));
const outcome = (r: TlbFlush | MapError): string => (typeof r === 'object' ? 'ok' : r);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(page, fc.nat(20), size, options).map(([va, n, bytes, o]): Step => (real, model) => {
    const args = [down(va, bytes), BigInt(n * bytes), bytes, o] as const;
    assert.equal(outcome(real.map(...args)), model.map(...args));
  }),
  fc.tuple(page, size).map(([va, bytes]): Step => (real, model) => {
    const result = outcome(real.unmap(down(va, bytes), bytes));
    assert.equal(result === 'ok' ? 'ok' : 'refused', model.unmap(down(va, bytes), bytes));
  }),
  page.map((va): Step => (real, model) => {
    const result = outcome(real.split(va));
    assert.equal(result === 'ok' ? 'ok' : 'refused', model.split(va));
  }),
);

describe('PageTable', () => {
  for (const levels of [4, 5] as const) {
    it(`with ${levels} levels maps, unmaps and splits as a Map from page to frame does`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
          const real = newTable(levels);
          const model = new Model();
          for (const run of steps) run(real, model);
          const seen = new Map<bigint, Page>();
          for (const m of real.mappings()) {
            for (let o = 0n; o < m.bytes; o += 4096n) {
              const flags = m.flags.join(' ');
              seen.set(m.start + o, { pa: m.pa + o, size: m.pageSize as PageSize, flags });
            }
          }
          assert.deepEqual(seen.size, model.pages.size);
          for (const [va, expected] of model.pages) assert.deepEqual(seen.get(va), expected);
        }),
        effort(60),
      );
    });
  }

  it('maps each size with each bit, and the walk finds it', () => {
    for (const [bytes, level] of [
      [K, 1],
      [M, 2],
      [G, 3],
    ] as const) {
      const memory = new PhysMemory(64 * 4096);
      const tables = new PageTable(memory, { levels: 5, allocTable: frames(1, 64) });
      const va = canonical(0x1ffn << 48n, 5);
      const result = tables.map(va, BigInt(bytes) * 3n, bytes, {
        ...{ writable: false, user: true, executable: true, global: true, cache: 'wp', pkey: 9 },
        accessed: true,
      });
      assert.equal(owed(result), 'TlbFlush discharged: nothing');
      const found = walk(memory, { cr3: tables.cr3, levels: 5 }, va + 5n);
      assert.deepEqual([found.level, found.pa], [level, BigInt(bytes) * 3n + 5n]);
      const ps = level > 1 ? ['PS', 'PAT'] : ['PAT'];
      assert.deepEqual(found.flags, ['P', 'US', 'PWT', 'A', ...ps, 'G']);
      assert.equal(((found.leaf as bigint) >> 59n) & 15n, 9n);
      assert.deepEqual(tables.lookup(va)?.raw, found.leaf);
    }
  });

  it('lets user code through every level above a user page', () => {
    const { cpu, tables } = new TestMachine({ smap: false });
    tables.map(0x1000n, 0n, K);
    tables.map(0x2000n, 0n, K, { user: true });
    cpu.cpl = 3;
    assert.equal(typeof cpu.load64(0x2000n), 'bigint');
    assert.equal(typeof cpu.load64(0x1000n), 'object');
  });

  it('splits a 2 MiB page whose middle is unmapped into the two halves that are left', () => {
    const tables = newTable();
    tables.map(DIRECT, 0x40000000n, M, { global: true });
    assert.equal(tables.unmap(DIRECT + 0x5000n, K), 'large-page');
    const range = '0xffff888000000000-0xffff888000200000';
    assert.equal(owed(tables.split(DIRECT + 0x5000n)), `TlbFlush owed: ${range}`);
    tables.unmap(DIRECT + 0x5000n, K);
    assert.deepEqual(list(tables), [
      '0xffff888000000000-0xffff888000005000 -> 0x0000000040000000 4K P RW A D G NX',
      '0xffff888000006000-0xffff888000200000 -> 0x0000000040006000 4K P RW A D G NX',
    ]);
    assert.equal(tables.merge(DIRECT), 'not-mergeable');
    tables.map(DIRECT + 0x5000n, 0x40005000n, K, { global: true });
    assert.equal(owed(tables.merge(DIRECT + 0x1ff000n)), `TlbFlush owed: ${range}`);
    assert.deepEqual(list(tables), [
      '0xffff888000000000-0xffff888000200000 -> 0x0000000040000000 2M P RW A D PS G NX',
    ]);
  });

  it('splits and merges a 1 GiB page, with PAT in its place and the table given back', () => {
    const memory = new PhysMemory(64 * 4096);
    const freed: number[] = [];
    const tables = new PageTable(memory, {
      levels: 4,
      allocTable: frames(1, 64),
      freeTable: (pfn) => freed.push(pfn),
    });
    tables.map(0n, BigInt(G), G, { cache: 'wt' });
    const before = list(tables);
    tables.split(0n);
    assert.deepEqual(list(tables), [before[0].replace(' 1G ', ' 2M ')]);
    tables.split(0n);
    assert.equal(tables.lookup(0x1000n)?.raw, 0x80000000400010fbn);
    assert.deepEqual([tables.merge(0n), tables.merge(0n)].map(outcome), ['ok', 'ok']);
    assert.deepEqual([list(tables), freed], [before, [4, 3]]);
    assert.equal(tables.merge(0n), 'not-mergeable');
  });

  it('changes only the bits that protect names, and owes a flush only for a change', () => {
    const tables = newTable();
    tables.map(STACK, 0x5000n, K, { global: true });
    const changed = tables.protect(STACK, K, { writable: false });
    assert.equal(owed(changed), 'TlbFlush owed: 0xffffc90000004000-0xffffc90000005000');
    assert.equal(tables.lookup(STACK)?.raw, 0x8000000000005161n);
    assert.deepEqual(
      [tables.protect(STACK, K, { writable: false })].map((r) => typeof r === 'object' && r.ranges),
      [[]],
    );
    assert.equal(tables.protect(STACK + 0x1000n, K, {}), 'not-mapped');
  });

  it('returns that memory ran out, and leaves what it had mapped', () => {
    const memory = new PhysMemory(16 * 4096);
    const tables = new PageTable(memory, { levels: 4, allocTable: frames(1, 5) });
    tables.map(0n, 0n, K);
    tables.map(BigInt(M), 0n, M);
    assert.equal(tables.map(BigInt(2 * M), 0n, K), 'no-memory');
    assert.equal(tables.split(BigInt(M)), 'no-memory');
    assert.equal(tables.map(0n, 0n, K), 'already-mapped');
    assert.equal(list(tables).length, 2);
    assert.throws(() => new PageTable(memory, { levels: 4, allocTable: () => null }), /allocTable/);
  });

  it('maps a large page over an empty table, which it gives back', () => {
    const memory = new PhysMemory(16 * 4096);
    const freed: number[] = [];
    const tables = new PageTable(memory, {
      levels: 4,
      allocTable: frames(1, 16),
      freeTable: (pfn) => freed.push(pfn),
    });
    tables.map(0x3000n, 0n, K);
    assert.equal(tables.map(0n, 0n, M), 'already-mapped');
    assert.equal(tables.unmap(0n, M), 'small-pages');
    tables.unmap(0x3000n, K);
    assert.deepEqual([outcome(tables.map(0n, 0n, M)), freed], ['ok', [4]]);
  });

  it('says that an entry on the way was damaged', () => {
    const memory = new PhysMemory(16 * 4096);
    const tables = new PageTable(memory, { levels: 4, allocTable: frames(1, 16) });
    tables.map(0n, 0n, K);
    memory.write64(tables.cr3, 0x7777777777777067n);
    assert.equal(tables.map(0x1000n, 0n, K), 'bad-table');
    assert.equal(tables.unmap(0n, K), 'bad-table');
    assert.equal(tables.lookup(0n), null);
    assert.deepEqual(tables.mappings(), []);
  });

  it('lists only the range asked for', () => {
    const { tables } = new TestMachine();
    const range = { start: STACK + 0x1000n, end: STACK + 0x3000n };
    assert.deepEqual(
      tables.mappings(range).map(({ start, end }) => [start, end]),
      [
        [STACK + 0x1000n, STACK + 0x2000n],
        [STACK + 0x2000n, STACK + 0x3000n],
      ],
    );
    assert.deepEqual(tables.mappings({ start: 0n, end: STACK - 0x1000000000n }).length, 1);
  });

  it('says what it expected of addresses and sizes', () => {
    const tables = newTable();
    assert.throws(() => tables.map(1n, 0n, K), /va: expected a canonical multiple of 0x1000/);
    assert.throws(() => tables.map(1n << 60n, 0n, K), /va: expected/);
    assert.throws(() => tables.map(0n, 0x1000n, M), /pa: expected a multiple of 0x200000/);
    assert.throws(() => tables.map(0n, 0n, 8192 as PageSize), /size: expected 4096, 2097152/);
    assert.throws(() => tables.map(0n, 0n, K, { pkey: 16 }), /pkey: expected 0 to 15, got 16/);
    assert.throws(() => tables.map(0n, 0n, K, { cache: 'x' as 'wb' }), /cache: expected wb, wc/);
  });

  it('flushes page by page up to 33 pages and everything above', () => {
    const { cpu, tables } = new TestMachine();
    const flushes = (): number[] => [cpu.counters.invalidations, cpu.counters.flushes];
    const before = flushes();
    const small = tables.unmap(STACK, K);
    if (typeof small === 'object') small.discharge(cpu);
    assert.deepEqual(flushes(), [before[0] + 1, before[1]]);
    tables.split(DIRECT);
    const merged = tables.merge(DIRECT);
    if (typeof merged === 'object') merged.discharge(cpu);
    assert.deepEqual(flushes(), [before[0] + 1, before[1] + 1]);
  });

  it('prints like the kernel: runs of entries, holes, level names', () => {
    const { tables } = new TestMachine();
    tables.map(0x400000n, 0x1000n, K, { user: true, cache: 'uc' });
    assert.deepEqual(
      tables
        .dump([
          { start: 0n, name: 'User Space' },
          { start: DIRECT, name: 'Low Kernel Mapping' },
        ])
        .split('\n'),
      [
        '---[ User Space ]---',
        '0x0000000000000000-0x0000000000400000           4M                               pmd',
        '0x0000000000400000-0x0000000000401000           4K USR RW PWT PCD             NX pte',
        '0x0000000000401000-0x0000000000600000        2044K                               pte',
        '0x0000000000600000-0x0000000040000000        1018M                               pmd',
        '0x0000000040000000-0x0000008000000000         511G                               pud',
        '0x0000008000000000-0xffff888000000000    16777096T                               pgd',
        '---[ Low Kernel Mapping ]---',
        '0xffff888000000000-0xffff888000800000           8M     RW         PSE     GLB NX pmd',
        '0xffff888000800000-0xffff888040000000        1016M                               pmd',
        '0xffff888040000000-0xffff890000000000         511G                               pud',
        '0xffff890000000000-0xffffc90000000000          64T                               pgd',
        '0xffffc90000000000-0xffffc90000004000          16K                               pte',
        '0xffffc90000004000-0xffffc90000008000          16K     RW                     NX pte',
        '0xffffc90000008000-0xffffc90000200000        2016K                               pte',
        '0xffffc90000200000-0xffffc90040000000        1022M                               pmd',
        '0xffffc90040000000-0xffffc98000000000         511G                               pud',
        '0xffffc98000000000-0xffffff8000000000          54T                               pgd',
        '0xffffff8000000000-0xffffffff80000000         510G                               pud',
        '0xffffffff80000000-0xffffffff81000000          16M                               pmd',
        '0xffffffff81000000-0xffffffff81200000           2M     ro         PSE         x  pmd',
        '0xffffffff81200000-0xffffffffc0000000        1006M                               pmd',
        '0xffffffffc0000000-0x0000000000000000           1G                               pud',
        '',
      ],
    );
    assert.equal(tables.lookup(HANDLERS)?.level, 2);
  });
});
