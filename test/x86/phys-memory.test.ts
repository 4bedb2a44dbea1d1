import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { effort } from '../support/effort';

/** The part of memory that the operations touch, so that a plain array can model it. */
const WINDOW = 5 * 4096;

interface Model {
  bytes: Buffer;
  saved: Buffer | null;
  dirty: Set<number>;
}

type Step = (memory: PhysMemory, at: (offset: number) => bigint, model: Model) => void;

function wrote(model: Model, offset: number, n: number): void {
  for (let page = offset >> 12; page <= (offset + n - 1) >> 12; page++) {
    if (model.saved && n > 0) model.dirty.add(page);
  }
}

const offset = (n: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.nat(WINDOW - n),
    fc.constantFrom(4090, 4092, 4095, 8191).filter((o) => o + n <= WINDOW),
  );

const step: fc.Arbitrary<Step> = fc.oneof(
  offset(8).map((o): Step => (memory, at, { bytes }) => {
    assert.equal(memory.read8(at(o)), bytes.readUInt8(o));
    assert.equal(memory.read16(at(o)), bytes.readUInt16LE(o));
    assert.equal(memory.read32(at(o)), bytes.readUInt32LE(o));
    assert.equal(memory.read64(at(o)), bytes.readBigUInt64LE(o));
  }),
  fc
    .tuple(offset(8), fc.constantFrom(1, 2, 4), fc.nat(2 ** 32 - 1))
    .map(([o, size, v]): Step => (memory, at, model) => {
      if (size === 1) memory.write8(at(o), v);
      else if (size === 2) memory.write16(at(o), v);
      else memory.write32(at(o), v);
      for (let i = 0; i < size; i++) model.bytes[o + i] = v >>> (8 * i);
      wrote(model, o, size);
    }),
  fc
    .tuple(offset(8), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
    .map(([o, v]): Step => (memory, at, model) => {
      memory.write64(at(o), v);
      model.bytes.writeBigUInt64LE(v, o);
      wrote(model, o, 8);
    }),
  fc
    .tuple(offset(6000), fc.uint8Array({ maxLength: 6000, size: 'max' }))
    .map(([o, data]): Step => (memory, at, model) => {
      memory.writeBytes(at(o), data);
      model.bytes.set(data, o);
      wrote(model, o, data.length);
    }),
  fc
    .tuple(offset(9000), fc.nat(9000), fc.nat(255))
    .map(([o, n, byte]): Step => (memory, at, model) => {
      memory.fill(at(o), n, byte);
      model.bytes.fill(byte, o, o + n);
      wrote(model, o, n);
    }),
  fc.nat(4).map((page): Step => (memory, at, model) => {
    memory.clearPage(Number(at(page * 4096) >> 12n));
    model.bytes.fill(0, page * 4096, page * 4096 + 4096);
    wrote(model, page * 4096, 4096);
  }),
  fc.constant<Step>((memory, _, model) => {
    memory.checkpoint();
    model.saved = Buffer.from(model.bytes);
    model.dirty.clear();
  }),
  fc.constant<Step>((memory, _, model) => {
    if (!model.saved) {
      assert.throws(() => memory.rollback(), /checkpoint/);
      return;
    }
    memory.rollback();
    model.bytes = Buffer.from(model.saved);
    model.dirty.clear();
  }),
);

describe('PhysMemory', () => {
  for (const [what, size, base, tries] of [
    ['in one buffer', 2 ** 20, 0x3000n, 100],
    ['at the end of one buffer', WINDOW, 0n, 100],
    ['in chunks, across two of them', 2 ** 33, 2n ** 32n - 2n * 4096n, 25],
    ['at the end of 64 GiB in chunks', 2 ** 36, 2n ** 36n - BigInt(WINDOW), 25],
  ] as const) {
    it(`${what} reads back what was written, and rolls back to the checkpoint`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
          const memory = new PhysMemory(size);
          const model: Model = { bytes: Buffer.alloc(WINDOW), saved: null, dirty: new Set() };
          const at = (o: number): bigint => base + BigInt(o);
          for (const run of steps) run(memory, at, model);
          assert.ok(model.bytes.equals(memory.readBytes(base, WINDOW)));
          if (!model.saved) return;
          const pages = [...model.dirty].sort((a, b) => a - b);
          const first = Number(base >> 12n);
          // A page of an untouched chunk that was only cleared need not count as written.
          const reported = new Set(memory.dirtyPfns().map((pfn) => pfn - first));
          for (const page of reported) assert.ok(model.dirty.has(page));
          for (const page of pages) {
            const same = model.saved
              .subarray(page * 4096, page * 4096 + 4096)
              .equals(model.bytes.subarray(page * 4096, page * 4096 + 4096));
            assert.ok(reported.has(page) || same);
          }
        }),
        effort(tries),
      );
    });
  }

  it('builds a 64 GiB machine at once and takes memory only where it is written', () => {
    const before = process.memoryUsage.rss();
    const start = process.cpuUsage();
    const memory = new PhysMemory(2 ** 36);
    memory.write64(0x1230n, 0n);
    // Processor time, so that a busy machine does not matter.
    const { user, system } = process.cpuUsage(start);
    assert.ok(user + system < 500_000, `${user + system} us`);
    for (let i = 0n; i < 64n; i++) memory.write64((i << 30n) + 0x1230n, i);
    const mebibytes = (process.memoryUsage.rss() - before) / 2 ** 20;
    assert.ok(mebibytes < 100, `${mebibytes} MiB`);
    for (let i = 0n; i < 64n; i++) assert.equal(memory.read64((i << 30n) + 0x1230n), i);
    assert.equal(memory.read64(1n << 30n), 0n);
  });

  it('rolls back at a cost of the pages written, not of the memory', () => {
    const memory = new PhysMemory(2 ** 31);
    memory.checkpoint();
    const start = process.cpuUsage();
    for (let trial = 0; trial < 2000; trial++) {
      for (let page = 0n; page < 4n; page++) memory.write64((page << 20n) + 8n, 7n);
      assert.equal(memory.dirtyPfns().length, 4);
      memory.rollback();
    }
    const { user, system } = process.cpuUsage(start);
    assert.ok(user + system < 2_000_000, `${user + system} us`);
    assert.equal(memory.read64(8n), 0n);
  });

  it('shows a page as it was at the checkpoint, written since or not', () => {
    for (const size of [2 ** 20, 2 ** 33]) {
      const memory = new PhysMemory(size);
      memory.write64(0x1008n, 5n);
      memory.checkpoint();
      const before = [memory.atCheckpoint(1), memory.atCheckpoint(2)];
      memory.write64(0x1008n, 6n);
      memory.write64(0x2008n, 6n);
      assert.deepEqual([memory.atCheckpoint(1), memory.atCheckpoint(2)], before);
      assert.deepEqual([before[0][8], before[1][8]], [5, 0]);
      memory.rollback();
      assert.deepEqual(
        [memory.atCheckpoint(1), memory.readBytes(0x1000n, 4096)],
        [before[0], before[0]],
      );
    }
  });

  it('says what it expected of sizes and addresses', () => {
    for (const bytes of [0, 100, 4097, -4096, 2 ** 43, NaN]) {
      assert.throws(() => new PhysMemory(bytes), /bytes: expected a multiple of 4096.*got/);
    }
    const memory = new PhysMemory(8192);
    assert.throws(() => memory.read8(8192n), /pa: expected 1 byte.*0x2000, got 0x2000/);
    assert.throws(() => memory.write64(8185n, 0n), RangeError);
    assert.throws(() => memory.readBytes(-1n, 1), RangeError);
    assert.throws(() => memory.read64(0 as unknown as bigint), TypeError);
    assert.throws(() => memory.fill(0n, -1, 0), /n: expected/);
    assert.throws(() => memory.clearPage(2), /pfn: expected a page below 2, got 2/);
    assert.throws(() => memory.dirtyPfns(), /checkpoint/);
  });
});
