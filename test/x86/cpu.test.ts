import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { Cpu } from '../../lib/x86/cpu';
import { isFault } from '../../lib/x86/fault';
import { PageTable } from '../../lib/x86/page-table';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { CR4_PCIDE, RFLAGS_AC } from '../../lib/x86/registers';
import { effort } from '../support/effort';
import { DIRECT, frames, HANDLERS, STACK, STACK_END, TestMachine } from './machine';

const HOLE = 1n << 47n;

describe('pushing and popping several registers', () => {
  const SOME = ['rbp', 'r15', 'rdi', 'rbx'] as const;

  it('does what single pushes and pops do wherever RSP stands, or nothing at all', () => {
    const [one, all] = [new TestMachine(), new TestMachine()];
    const rsp = fc.oneof(
      fc.integer({ min: -64, max: 64 }),
      fc.nat(0x4000),
      fc.nat(3).map((page) => page * 4096 + 16),
    );
    fc.assert(
      fc.property(rsp, fc.boolean(), (offset, pop) => {
        for (const { cpu } of [one, all]) {
          cpu.rsp = STACK + BigInt(offset);
          SOME.forEach(
            (register, i) => (cpu.gpr[register] = BigInt(offset + 7919 * (i + 1)) & 0xffffn),
          );
        }
        const before = { rsp: all.cpu.rsp, gpr: { ...all.cpu.gpr } };
        const done = pop ? all.cpu.popAll(SOME) : all.cpu.pushAll(SOME);
        if (!done) {
          assert.deepEqual({ rsp: all.cpu.rsp, gpr: all.cpu.gpr }, before);
          return;
        }
        for (const register of SOME) {
          const result = pop ? one.cpu.pop64() : one.cpu.push64(one.cpu.gpr[register]);
          assert.ok(!isFault(result));
          if (pop) one.cpu.gpr[register] = result as bigint;
        }
        assert.equal(all.cpu.rsp, one.cpu.rsp);
        assert.deepEqual(all.cpu.gpr, one.cpu.gpr);
        assert.deepEqual(all.cpu.loadBytes(STACK, 0x4000), one.cpu.loadBytes(STACK, 0x4000));
      }),
      effort(300),
    );
  });

  it('works at once inside a page, and leaves a page’s end to single ones', () => {
    const { cpu } = new TestMachine();
    const ends = [16, 32, 4096, 4096 + 16, 4096 + 32].map((offset) => {
      cpu.rsp = STACK + BigInt(offset);
      return cpu.pushAll(SOME);
    });
    assert.deepEqual(ends, [false, true, true, false, true]);
  });
});

describe('loads and stores', () => {
  it('of any size and alignment move the bytes that the scattered pages of a stack hold', () => {
    const { cpu } = new TestMachine();
    const model = Buffer.alloc(0x4000);
    const value = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(fc.nat(0x3ff8), fc.constantFrom(1, 2, 4, 8), value, (o, size, v) => {
        const va = STACK + BigInt(o);
        const n = Number(v & 0xffffffffn);
        const fault =
          size === 1
            ? cpu.store8(va, n)
            : size === 2
              ? cpu.store16(va, n)
              : size === 4
                ? cpu.store32(va, n)
                : cpu.store64(va, v);
        assert.equal(fault, null);
        for (let i = 0; i < size; i++) model[o + i] = Number((v >> BigInt(8 * i)) & 0xffn);
        assert.equal(cpu.load8(va), model.readUInt8(o));
        assert.equal(cpu.load16(va), model.readUInt16LE(o));
        assert.equal(cpu.load32(va), model.readUInt32LE(o));
        assert.equal(cpu.load64(va), model.readBigUInt64LE(o));
      }),
      effort(2000),
    );
    assert.deepEqual(cpu.loadBytes(STACK, 0x4000), new Uint8Array(model));
  });

  it('that cross into an unmapped page fault at its first byte, and write nothing', () => {
    const { cpu } = new TestMachine();
    cpu.store64(STACK_END - 8n, 0x1111111111111111n);
    for (const result of [
      cpu.load64(STACK_END - 3n),
      cpu.store64(STACK_END - 3n, 0n),
      cpu.store32(STACK_END - 1n, 0),
      cpu.load16(STACK_END - 1n),
    ]) {
      assert.ok(isFault(result));
      assert.equal(result.address, STACK_END);
    }
    assert.equal(cpu.load64(STACK_END - 8n), 0x1111111111111111n);
  });

  it('of many bytes keep what lies below the faulting page', () => {
    const { cpu } = new TestMachine();
    const from = STACK_END - 10n;
    assert.equal(cpu.fillBytes(from, 20, 0xa5)?.address, STACK_END);
    assert.deepEqual(cpu.loadBytes(from, 10), new Uint8Array(10).fill(0xa5));
    assert.equal(cpu.storeBytes(from, new Uint8Array(11).fill(1))?.errorCode, 2);
    assert.deepEqual(cpu.loadBytes(from, 10), new Uint8Array(10).fill(1));
    const all = cpu.loadBytes(from, 11);
    assert.ok(isFault(all) && all.address === STACK_END);
  });

  it('of a non-canonical address are #GP, and #SS through the stack segment', () => {
    const { cpu } = new TestMachine();
    const vectors = (segment?: 'data' | 'stack'): (number | undefined)[] =>
      [
        cpu.load8(HOLE, segment),
        cpu.load64(HOLE, segment),
        cpu.store32(HOLE - 2n, 1, segment),
        cpu.store64(HOLE, 1n, segment),
        cpu.fillBytes(HOLE, 3, 1, segment),
        cpu.loadBytes(HOLE, 3, segment),
      ].map((result) => (isFault(result) ? result.vector : undefined));
    assert.deepEqual(vectors(), [13, 13, 14, 13, 13, 13]);
    assert.deepEqual(vectors('stack'), [12, 12, 14, 12, 12, 12]);
    assert.equal(cpu.fetch(HOLE)?.vector, 13);
  });

  it('know 57 bits of an address with five levels', () => {
    const { cpu } = new TestMachine({ levels: 5 });
    assert.equal(cpu.levels, 5);
    const vector = (va: bigint): number | undefined => {
      const result = cpu.load64(va);
      return isFault(result) ? result.vector : undefined;
    };
    assert.deepEqual([vector(HOLE), vector(1n << 56n), vector(-1n << 56n)], [14, 13, 14]);
    assert.equal(vector(DIRECT), undefined);
  });

  it('outside RAM read ones and write nothing, as a bus without a device does', () => {
    const memory = new PhysMemory(64 * 4096);
    const tables = new PageTable(memory, { levels: 4, allocTable: frames(1, 64) });
    tables.map(STACK, BigInt(memory.size), 4096);
    const cpu = new Cpu(memory);
    cpu.setCr3(tables.cr3);
    const before = memory.readBytes(0n, memory.size);
    assert.equal(cpu.store64(STACK, 0n), null);
    assert.equal(cpu.fillBytes(STACK, 100, 0), null);
    assert.equal(cpu.load64(STACK), 2n ** 64n - 1n);
    assert.equal(cpu.load8(STACK + 5n), 0xff);
    assert.deepEqual(cpu.loadBytes(STACK, 2), Uint8Array.of(255, 255));
    const [after] = [memory.readBytes(0n, memory.size)];
    assert.ok(Buffer.from(after).equals(before));
  });

  it('through a table outside RAM meet entries of ones: reserved bits below MAXPHYADDR 52', () => {
    const memory = new PhysMemory(64 * 4096);
    memory.write64(0x1000n, 0x40000067n);
    const cpu = new Cpu(memory, { maxphyaddr: 40 });
    cpu.setCr3(0x1000n);
    const fault = cpu.load64(0n);
    assert.ok(isFault(fault));
    assert.deepEqual([fault.errorCode, fault.reason], [9, 'reserved-bit']);
  });

  it('refuse an address that is a Number, which would silently be another one', () => {
    const { cpu } = new TestMachine();
    const va = 0xffff888000001234 as unknown as bigint;
    assert.throws(() => cpu.load64(va), /va: expected an address as a bigint.*got number/);
    assert.throws(() => cpu.translateUncached(va, 'read'), TypeError);
  });

  it('by the CPU itself ignore CPL 3 and AC', () => {
    const { cpu, tables } = new TestMachine();
    tables.map(0x400000n, 0x1000n, 4096, { user: true });
    cpu.rflags |= RFLAGS_AC;
    assert.ok(!isFault(cpu.load64(0x400000n)));
    assert.ok(isFault(cpu.loadImplicit64(0x400000n)));
    cpu.cpl = 3;
    assert.ok(isFault(cpu.load64(DIRECT)));
    assert.ok(!isFault(cpu.loadImplicit64(DIRECT)));
  });
});

describe('the stack', () => {
  it('pushes below RSP and pops what was pushed', () => {
    const { cpu } = new TestMachine();
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 50 }),
        (list) => {
          for (const v of list) assert.equal(cpu.push64(v), null);
          assert.equal(cpu.rsp, STACK_END - BigInt(8 * list.length));
          for (const v of [...list].reverse()) assert.equal(cpu.pop64(), v);
        },
      ),
      effort(50),
    );
  });

  it('keeps RSP when a push or a pop faults', () => {
    const { cpu } = new TestMachine();
    cpu.rsp = STACK;
    assert.deepEqual([cpu.push64(1n)?.address, cpu.rsp], [STACK - 8n, STACK]);
    cpu.rsp = STACK_END;
    const popped = cpu.pop64();
    assert.ok(isFault(popped) && popped.vector === 14);
    assert.equal(cpu.rsp, STACK_END);
    cpu.rsp = HOLE;
    const lost = cpu.pop64();
    assert.ok(isFault(lost) && lost.vector === 12);
  });
});

describe('control registers', () => {
  it('refuse what 64-bit mode does not allow', () => {
    const { cpu } = new TestMachine({ pcid: true });
    assert.throws(() => (cpu.cr0 = 0n), /cr0: expected PG and PE/);
    assert.throws(() => (cpu.cr4 = 0n), /cr4: expected PAE/);
    assert.throws(() => (cpu.efer = 0n), /efer: expected LME and LMA/);
    cpu.cr4 &= ~BigInt(CR4_PCIDE);
    cpu.setCr3(cpu.cr3 | 5n);
    assert.throws(() => (cpu.cr4 |= BigInt(CR4_PCIDE)), /CR3/);
    assert.throws(() => new Cpu(cpu.memory, { levels: 3 as 4 }), /levels: expected 4 or 5, got 3/);
    assert.throws(() => new Cpu(cpu.memory, { maxphyaddr: 53 }), /maxphyaddr: expected 32 to 52/);
  });

  it('start as Linux has them', () => {
    const { cpu } = new TestMachine();
    assert.deepEqual([cpu.cr0, cpu.efer], [0x80050033n, 0xd01n]);
  });

  it('come back from a snapshot together with memory and an empty TLB', () => {
    const { cpu, memory } = new TestMachine();
    const before = cpu.snapshot();
    memory.checkpoint();
    cpu.gpr.rbx = 7n;
    cpu.push64(5n);
    cpu.raise(cpu.fetch(HOLE) ?? assert.fail());
    assert.notDeepEqual(cpu.snapshot(), before);
    cpu.restore(before);
    memory.rollback();
    assert.deepEqual(cpu.snapshot(), before);
    assert.deepEqual([cpu.mmu.tlb.lines(), cpu.load64(STACK_END - 8n)], [[], 0n]);
    assert.equal(cpu.fetch(HANDLERS), null);
  });
});
