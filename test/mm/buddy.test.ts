import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PageAllocator } from '../../lib/mm/page-allocator';
import { Random } from '../../lib/random';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { effort } from '../support/effort';
import { BuddyModel, runBuddy } from './buddy-model';

const VERSIONS = ['2.6.32', '3.14', '4.0', '4.9', '4.14', '5.4', '6.1', '6.19'];

interface Real {
  model: BuddyModel;
}
type Command = fc.Command<object, Real>;

const types = fc.constantFrom('UNMOVABLE' as const, 'MOVABLE' as const, 'RECLAIMABLE' as const);
const classes = fc.constantFrom('kernel' as const, 'anon' as const, 'stack' as const);

const commands = fc.commands(
  [
    fc
      .tuple(fc.integer({ min: 0, max: 10 }), types, classes)
      .map(([order, type, pageClass]): Command => ({
        check: () => true,
        run: (_, { model }) => model.alloc(order, type, pageClass),
        toString: () => `alloc(${order}, ${type})`,
      })),
    fc.nat().map((index): Command => ({
      check: () => true,
      run: (_, { model }) => model.free(index),
      toString: () => `free(${index})`,
    })),
    fc.constant<Command>({
      check: () => true,
      run: (_, { model }) => model.check(),
      toString: () => 'check',
    }),
  ],
  { maxCommands: 60 },
);

describe('buddy allocator', () => {
  for (const pcp of [false, true]) {
    it(`any order of requests keeps all pages accounted for, ${pcp ? 'with' : 'without'} per-CPU lists`, () => {
      fc.assert(
        fc.property(fc.constantFrom(...VERSIONS), commands, (version, run) => {
          const model = new BuddyModel({ version, pcp, ram: 16 * 2 ** 20 });
          fc.modelRun(() => ({ model: {}, real: { model } }), run);
          model.check();
        }),
        effort(40),
      );
    });
  }

  for (const version of VERSIONS) {
    it(`random requests on ${version} break no invariant, and freeing all merges all`, () => {
      const model = new BuddyModel({ version });
      const before = model.allocator.buddyinfo();
      const { seed, numRuns: operations } = effort(20_000);
      runBuddy(model, new Random(seed), operations);
      assert.equal(model.allocator.buddyinfo(), before);
    });
  }

  it('splits a block downwards: the lower half is used, upper halves wait in the lists below', () => {
    const allocator = machine({ reserved: [{ start: 0, pages: 1024, what: 'all but one block' }] });
    assert.equal(allocator.allocPages(0, { migratetype: 'MOVABLE' }), 1024);
    const free = [...Array(10).keys()].map((order) => [
      ...allocator.zones[0].free.blocks(order, 1),
    ]);
    assert.deepEqual(
      free,
      [1025, 1026, 1028, 1032, 1040, 1056, 1088, 1152, 1280, 1536].map((pfn) => [pfn]),
    );
    allocator.freePages(1024, 0);
    assert.deepEqual([...allocator.zones[0].free.blocks(10, 1)], [1024, 2048, 3072]);
  });

  it('a freed block goes to the head of its list, to the tail when its parent could merge next', () => {
    const allocator = machine({ reserved: [] });
    const take = () => allocator.allocPages(0, { migratetype: 'MOVABLE' }) as number;
    const pages = Array.from({ length: 16 }, take);
    const [a] = pages;
    // a+2 is half of a block whose other half, a..a+1, stays in use: no reason to wait.
    allocator.freePages(a + 4, 0);
    allocator.freePages(a + 8, 0);
    const list = () => [...allocator.zones[0].free.blocks(0, 1)];
    assert.deepEqual(list().slice(0, 2), [a + 8, a + 4]);
    // a+2..a+3 is free as a block of two: when a is freed, a+1 is all that is missing to merge.
    allocator.freePages(a + 2, 0);
    allocator.freePages(a + 3, 0);
    allocator.freePages(a, 0);
    assert.equal(list().at(-1), a);
    allocator.check();
  });

  it('before 2.6.35 every freed block goes to the head', () => {
    const allocator = machine({ reserved: [], version: '2.6.32' });
    const pages = Array.from({ length: 16 }, () => allocator.allocPages(0) as number);
    const [a] = [...pages].sort((x, y) => x - y);
    for (const pfn of [a + 2, a + 3, a]) allocator.freePages(pfn, 0);
    assert.equal(
      [...allocator.zones[0].free.blocks(0, 1), ...allocator.zones[0].free.blocks(0, 0)][0],
      a,
    );
  });

  it('memory of the boot is handed out from its low end since 5.10, from its high end before', () => {
    const first = (version: string) => machine({ version, reserved: [] }).allocPages(10);
    assert.equal(first('6.1'), 0);
    assert.equal(first('4.9'), 3072);
  });

  it('misuse is refused with what was expected', () => {
    const allocator = machine({});
    assert.throws(() => allocator.allocPages(11), /order: expected 0 to 10, got 11/);
    assert.throws(() => allocator.allocPages(0, { zone: 'HighMem' }), /zone: expected one of DMA/);
    const pfn = allocator.allocPages(2) as number;
    assert.throws(() => allocator.freePages(pfn, 1), /allocated block of order 1, got pfn/);
    assert.throws(() => allocator.freePages(pfn + 1, 2), /first page of an allocated block/);
    allocator.freePages(pfn, 2);
    assert.throws(() => allocator.freePages(pfn, 2), /first page of an allocated block/);
  });

  it('64 GiB are set up without touching every page', () => {
    const memory = new PhysMemory(64 * 2 ** 30);
    const start = process.hrtime.bigint();
    const allocator = new PageAllocator(memory, { version: '6.1' });
    const ms = Number(process.hrtime.bigint() - start) / 1e6;
    assert.ok(ms < 1000, `${ms} ms`);
    assert.equal(allocator.zones.length, 3);
    assert.equal(allocator.freePageCount, allocator.managedPages);
    assert.equal(allocator.pageInfo.classOf(5_000_000), 'free');
  });

  function machine(options: Partial<ConstructorParameters<typeof PageAllocator>[1]>) {
    return new PageAllocator(new PhysMemory(16 * 2 ** 20), { version: '6.1', ...options });
  }
});
