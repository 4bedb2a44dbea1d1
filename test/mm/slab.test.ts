import assert from 'node:assert/strict';
import fc from 'fast-check';
import { KmemCache } from '../../lib/mm/slab';
import { slabLayout } from '../../lib/mm/slab-order';
import { Random } from '../../lib/random';
import { isFault, type Fault } from '../../lib/x86/fault';
import { effort } from '../support/effort';
import { bareMachine } from './machine';
import { runSlab, SlabModel } from './slab-model';

type Command = fc.Command<object, { model: SlabModel }>;

const commands = fc.commands(
  [
    fc.constant<Command>({
      check: () => true,
      run: (_, { model }) => model.alloc(),
      toString: () => 'alloc',
    }),
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
  { maxCommands: 100 },
);

describe('slab caches', () => {
  it('never hand out what is in use, and keep their pointers out of it', () => {
    const caches = fc.record({
      size: fc.constantFrom(8, 24, 64, 192, 1000, 2048, 9792),
      ctor: fc.boolean(),
      hardened: fc.constantFrom(undefined, 0x1234_5678_9abc_def0n),
      version: fc.constantFrom('3.14', '5.4', '6.1', '6.19'),
    });
    fc.assert(
      fc.property(caches, commands, ({ version, ...options }, run) => {
        const model = new SlabModel({ name: 'test', ...options }, version);
        fc.modelRun(() => ({ model: {}, real: { model } }), run);
        model.check();
      }),
      effort(25),
    );
  });

  it('random operations leave every page accounted for', () => {
    const { seed, numRuns: operations } = effort(10_000);
    runSlab(new SlabModel({ name: 'kmalloc-512', size: 512 }), new Random(seed), operations);
  });

  // Worked out by hand from calculate_order(); [2, 32] and [1, 16] are also what /proc/slabinfo of
  // machines with 8 and 4 CPUs shows for kmalloc-512.
  it('choose the order that wastes little', () => {
    const of = (size: number, cpus: number, version = '6.1') => {
      const { order, objectsPerSlab } = slabLayout({ size, cpus, version });
      return [order, objectsPerSlab];
    };
    assert.deepEqual(of(64, 1), [0, 64]);
    assert.deepEqual(of(512, 1), [0, 8]);
    assert.deepEqual(of(512, 4), [1, 16]);
    assert.deepEqual(of(512, 8), [2, 32]);
    assert.deepEqual(of(192, 1), [0, 21]);
    assert.deepEqual(of(2048, 1), [2, 8]);
    assert.deepEqual(of(9792, 1), [3, 3]);
    assert.deepEqual(of(40000, 1), [4, 1]);
    assert.throws(() => of(0, 1), /size: expected a whole number of bytes from 8, got 0/);
  });

  it('the free pointer lies in the middle of the object since 5.7, at its start before, behind it with a constructor', () => {
    assert.equal(slabLayout({ size: 512, version: '5.4' }).offset, 0);
    assert.equal(slabLayout({ size: 512, version: '5.7' }).offset, 256);
    assert.equal(slabLayout({ size: 200, version: '6.1' }).offset, 96);
    const behind = slabLayout({ size: 200, version: '6.1', ctor: true });
    assert.deepEqual([behind.offset, behind.size], [200, 208]);
  });

  it('the pointer of a free object is the address of the next one, in simulated memory', () => {
    const { cache, cpu } = setUp('6.1');
    const a = take(cache);
    const b = take(cache);
    assert.equal(cache.free(a), null);
    assert.equal(cache.free(b), null);
    assert.equal(cpu.load64(b + 256n), a);
    assert.equal(take(cache), b);
    assert.equal(take(cache), a);
  });

  it('a pointer overwritten with a non-canonical value is #GP at the allocation that follows it', () => {
    const { cache, cpu } = setUp('6.1');
    const a = take(cache);
    cache.free(a);
    cpu.store64(a + 256n, 0xa5a5_a5a5_a5a5_a5a5n);
    assert.equal(take(cache), a);
    const fault = cache.alloc();
    assert.ok(isFault(fault));
    assert.equal(fault.mnemonic, '#GP');
  });

  it('a pointer to where nothing is mapped is #PF with its address', () => {
    const { cache, cpu, layout } = setUp('6.1');
    const a = take(cache);
    cache.free(a);
    cpu.store64(a + 256n, layout.VMALLOC_START);
    assert.equal(take(cache), a);
    const fault = cache.alloc() as Fault;
    assert.equal(fault.mnemonic, '#PF');
    assert.equal(fault.address, layout.VMALLOC_START + 256n);
  });

  it('a pointer into another object makes the next two owners share memory', () => {
    const { cache, cpu } = setUp('6.1');
    const victim = take(cache);
    cpu.fillBytes(victim, 512, 0);
    const a = take(cache);
    cache.free(a);
    cpu.store64(a + 256n, victim + 64n);
    assert.equal(take(cache), a);
    const overlapping = take(cache);
    assert.equal(overlapping, victim + 64n);
    cpu.fillBytes(overlapping, 512, 0xff);
    assert.equal(cpu.load64(victim), 0n);
    assert.equal(cpu.load64(victim + 64n), 0xffff_ffff_ffff_ffffn);
  });

  it('with a hardened free list the same store becomes a wild pointer', () => {
    const { cache, cpu } = setUp('6.1', 0x1234_5678_9abc_def0n);
    const victim = take(cache);
    const a = take(cache);
    cache.free(a);
    cpu.store64(a + 256n, victim);
    assert.equal(take(cache), a);
    assert.ok(isFault(cache.alloc()));
  });

  it('empty slabs go back to the page allocator, all but four and the one in use', () => {
    const { cache, pageAllocator } = setUp('6.1');
    const objects = Array.from({ length: 400 }, () => take(cache));
    assert.equal(cache.slabCount, 50);
    for (const object of objects) assert.equal(cache.free(object), null);
    // A fifth in the list of partly used slabs reaches min_partial and is given up when it is empty.
    assert.equal(cache.slabCount, 5);
    assert.equal(pageAllocator.pageInfo.pagesOf('slab'), 5);
  });

  it('an address that is in no slab meets the BUG_ON of kfree: #UD', () => {
    const { cache, directMap } = setUp('6.1');
    assert.equal(cache.free(directMap.start + 0x500000n)?.mnemonic, '#UD');
  });

  it('restore() brings back lists and slabs, together with the bytes in memory', () => {
    const { cache, memory, pageAllocator } = setUp('6.1');
    const kept = Array.from({ length: 20 }, () => take(cache));
    cache.free(kept[3]);
    cache.free(kept[15]);
    memory.checkpoint();
    pageAllocator.snapshot();
    cache.snapshot();
    const next = () => Array.from({ length: 40 }, () => take(cache));
    const expected = next();
    for (let round = 0; round < 3; round++) {
      memory.rollback();
      pageAllocator.restore();
      cache.restore();
      assert.deepEqual(next(), expected);
      for (const object of [...kept.slice(5, 15), ...expected]) cache.free(object);
    }
    memory.rollback();
    pageAllocator.restore();
    cache.restore();
    assert.equal(cache.activeObjects, 18);
    assert.equal(cache.slabCount, 3);
    pageAllocator.check();
  });

  it('prints its line of /proc/slabinfo', () => {
    const { cache } = setUp('6.1');
    take(cache);
    assert.equal(
      cache.slabinfo(),
      'kmalloc-512            1      8    512    8    1 : tunables    0    0    0 : slabdata      1      1      0',
    );
  });
});

function setUp(version: string, hardened?: bigint) {
  const machine = bareMachine({ version, ram: 32 * 2 ** 20 });
  const { pageAllocator, directMap, cpu } = machine;
  const options = { name: 'kmalloc-512', size: 512, hardened };
  return { ...machine, cache: new KmemCache(pageAllocator, directMap, cpu, options) };
}

function take(cache: KmemCache): bigint {
  const object = cache.alloc();
  assert.equal(typeof object, 'bigint');
  return object as bigint;
}
