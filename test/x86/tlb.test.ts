import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { PageSize } from '../../lib/x86/addr';
import { Cpu } from '../../lib/x86/cpu';
import { isFault } from '../../lib/x86/fault';
import { type MapOptions, PageTable } from '../../lib/x86/page-table';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { CR0_WP, CR4_PGE, CR4_SMAP, CR4_SMEP, RFLAGS_AC } from '../../lib/x86/registers';
import type { TlbFlush } from '../../lib/x86/tlb-flush';
import { assertWrites } from './assert-writes';
import { effort } from '../support/effort';
import { frames, STACK, TestMachine } from './machine';
import { oracleTranslate, type OracleAccess } from './oracle';

const KERNEL = 0xffffffff80000000n;
const USER = 0x0000000040000000n;
const SIZES: readonly PageSize[] = [4096, 0x200000, 0x40000000];

/** Two address spaces with a common kernel half, on one CPU with PCIDs and a tiny TLB. */
class TwoSpaces {
  readonly memory = new PhysMemory(1 << 20);
  readonly spaces: PageTable[];
  readonly cpu: Cpu;
  current = 0;
  private free: number[] = [];

  constructor(readonly pcid: boolean) {
    const next = frames(1, 256);
    const allocTable = (): number | null => this.free.pop() ?? next();
    const freeTable = (pfn: number): number => this.free.push(pfn);
    const options = { levels: 4 as const, allocTable, freeTable };
    this.spaces = [new PageTable(this.memory, options), new PageTable(this.memory, options)];
    this.spaces[0].map(KERNEL, 0n, 4096, { global: true });
    const top = this.memory.read64(this.spaces[0].cr3 + 511n * 8n);
    this.memory.write64(this.spaces[1].cr3 + 511n * 8n, top);
    this.cpu = new Cpu(this.memory, {
      pcid,
      tlb: {
        small: { sets: 2, ways: 2 },
        large: { sets: 1, ways: 2 },
        huge: { sets: 1, ways: 1 },
      },
    });
    this.switchTo(0, false);
  }

  switchTo(space: number, noFlush: boolean): void {
    this.current = space;
    const pcid = this.pcid ? BigInt(space + 1) : 0n;
    this.cpu.setCr3(this.spaces[space].cr3 | pcid, { noFlush });
  }

  /** Runs an operation on the tables that hold `va` and discharges what it owes. */
  change(space: number, va: bigint, work: (tables: PageTable) => TlbFlush | string): void {
    const result = work(this.spaces[va >= KERNEL ? 0 : space]);
    if (typeof result !== 'string') result.discharge(this.cpu);
  }

  /** One access: answer, fault and the marks in memory are those of a walk by the oracle. */
  access(va: bigint, access: OracleAccess): void {
    const { memory, cpu } = this;
    const read = (pa: bigint): bigint | null =>
      pa < BigInt(memory.size) ? memory.read64(pa) : null;
    const expected = oracleTranslate(
      read,
      {
        cr3: cpu.cr3,
        levels: 4,
        maxphyaddr: 46,
        wp: (cpu.cr0 & BigInt(CR0_WP)) !== 0n,
        nxe: true,
        smep: (cpu.cr4 & BigInt(CR4_SMEP)) !== 0n,
        smap: (cpu.cr4 & BigInt(CR4_SMAP)) !== 0n,
        ac: (cpu.rflags & RFLAGS_AC) !== 0n,
        pkru: null,
      },
      va,
      access,
      cpu.cpl === 3 ? 'user' : 'supervisor',
    );
    memory.checkpoint();
    const got = cpu.translate(va, access);
    if (isFault(got)) {
      const { vector, errorCode, address } = got;
      assert.deepEqual({ vector, errorCode, address }, expected.fault);
    } else assert.equal(got, expected.pa);
    assertWrites(memory, expected.writes);
  }
}

type Step = (m: TwoSpaces) => void;
const page = fc.constantFrom(0n, 1n, 2n, 3n, 511n, 512n, 513n, 1024n);
const address = fc.tuple(fc.constantFrom(KERNEL, USER), page).map(([base, n]) => base + n * 4096n);
const space = fc.constantFrom(0, 1);
const size = fc.constantFrom<PageSize>(4096, 4096, 0x200000, 0x40000000);
const options: fc.Arbitrary<MapOptions> = fc.record({
  writable: fc.boolean(),
  executable: fc.boolean(),
  accessed: fc.boolean(),
  dirty: fc.boolean(),
});

const steps: fc.Arbitrary<[string, Step]>[] = [
  fc
    .tuple(address, fc.constantFrom<OracleAccess>('read', 'write', 'execute'), fc.nat(4095))
    .map(([va, access, offset]) => [
      `${access} ${va}`,
      (m) => m.access(va + BigInt(offset), access),
    ]),
  fc.tuple(space, address, size, fc.nat(15), options).map(([s, va, bytes, frame, o]) => [
    `map ${va} ${bytes} ${JSON.stringify(o)}`,
    (m) =>
      m.change(s, va, (t) =>
        t.map(va - (va % BigInt(bytes)), BigInt(frame) * BigInt(bytes), bytes, {
          ...o,
          user: va < KERNEL,
          global: va >= KERNEL,
        }),
      ),
  ]),
  fc
    .tuple(space, address, size)
    .map(([s, va, bytes]) => [
      `unmap ${va} ${bytes}`,
      (m) => m.change(s, va, (t) => t.unmap(va - (va % BigInt(bytes)), bytes)),
    ]),
  fc
    .tuple(space, address, size, options)
    .map(([s, va, bytes, o]) => [
      `protect ${va} ${bytes} ${JSON.stringify(o)}`,
      (m) => m.change(s, va, (t) => t.protect(va - (va % BigInt(bytes)), bytes, o)),
    ]),
  fc
    .tuple(space, address)
    .map(([s, va]) => [`split ${va}`, (m) => m.change(s, va, (t) => t.split(va))]),
  fc
    .tuple(space, address)
    .map(([s, va]) => [`merge ${va}`, (m) => m.change(s, va, (t) => t.merge(va))]),
  fc
    .tuple(space, fc.boolean())
    .map(([s, keep]) => [`space ${s} ${keep}`, (m) => m.switchTo(s, keep && m.pcid)]),
  fc.constantFrom(CR4_SMEP, CR4_SMAP, CR4_PGE).map((bit) => [
    `toggle CR4 bit ${bit}`,
    (m) => {
      m.cpu.cr4 ^= BigInt(bit);
    },
  ]),
  fc.constant([
    'toggle CR0.WP',
    (m) => {
      m.cpu.cr0 ^= BigInt(CR0_WP);
    },
  ]),
  fc.constant([
    'toggle RFLAGS.AC',
    (m) => {
      m.cpu.rflags ^= RFLAGS_AC;
    },
  ]),
  fc.constantFrom<0 | 3>(0, 3).map((cpl) => [
    `cpl ${cpl}`,
    (m) => {
      m.cpu.cpl = cpl;
    },
  ]),
];
const step = fc.oneof(...steps.map((arbitrary, i) => ({ arbitrary, weight: i === 0 ? 12 : 2 })));

describe('TLB', () => {
  it('translates as a walk does after any operations whose flushes are discharged', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 60, size: 'max' }), (pcid, list) => {
        const machine = new TwoSpaces(pcid);
        for (const [, run] of list) run(machine);
      }),
      effort(1500),
    );
  });

  it('uses a stale translation until the flush that the unmapping owes is discharged', () => {
    const { cpu, tables } = new TestMachine();
    const before = cpu.load64(STACK);
    const flush = tables.unmap(STACK, 4096);
    assert.ok(typeof flush === 'object');
    assert.deepEqual([flush.state, cpu.load64(STACK)], ['owed', before]);
    flush.discharge(cpu);
    const fault = cpu.load64(STACK);
    assert.ok(isFault(fault));
    assert.deepEqual([flush.state, fault.vector, fault.errorCode], ['discharged', 14, 0]);
  });

  it('lets a store through a stale writable entry, and meets the table when D is still clear', () => {
    const { cpu, tables } = new TestMachine();
    tables.protect(STACK, 4096, { dirty: false });
    cpu.store64(STACK, 1n);
    tables.protect(STACK, 4096, { writable: false });
    assert.equal(cpu.store64(STACK, 2n), null);
    cpu.flushTlb();

    tables.protect(STACK, 4096, { writable: true, dirty: false });
    cpu.load64(STACK);
    tables.protect(STACK, 4096, { writable: false });
    const fault = cpu.store64(STACK, 3n);
    assert.deepEqual([fault?.vector, fault?.errorCode], [14, 3]);
    assert.equal(cpu.load64(STACK), 2n);
  });

  it('holds one entry of a page after D was set, and none after a store that met no page', () => {
    const { cpu, tables } = new TestMachine();
    tables.protect(STACK, 4096, { dirty: false });
    cpu.load64(STACK);
    cpu.store64(STACK, 1n);
    assert.deepEqual(
      cpu.tlb.lines().map(({ va, rights }) => [va, rights]),
      [[STACK, 'W--D']],
    );
    tables.protect(STACK, 4096, { dirty: false });
    cpu.flushTlb();
    cpu.load64(STACK);
    tables.unmap(STACK, 4096);
    assert.equal(cpu.load64(STACK), 1n);
    assert.equal(cpu.store64(STACK, 2n)?.errorCode, 2);
    assert.ok(isFault(cpu.load64(STACK)));
  });

  it('drops a global entry by INVLPG under any PCID, and not by INVPCID of one address', () => {
    const { cpu, tables } = new TestMachine({ pcid: true });
    tables.protect(STACK, 4096, { global: true });
    cpu.setCr3(tables.cr3 | 1n);
    cpu.load64(STACK);
    cpu.setCr3(tables.cr3 | 2n);
    cpu.invpcid(0, 1, STACK);
    assert.equal(cpu.tlb.lines().length, 1);
    cpu.invlpg(STACK);
    assert.equal(cpu.tlb.lines().length, 0);
  });

  it('never answers for a non-canonical address, whatever its upper half, flushed or not', () => {
    const { cpu } = new TestMachine();
    const low = STACK & 0xffffffffn;
    for (const flush of [() => undefined, () => cpu.invlpg(STACK), () => cpu.flushTlb()]) {
      cpu.load64(STACK);
      flush();
      for (let top = 0x8000n; top < 0xffff8000n; top += 0x7fffn) {
        for (const hi of [top, 0x7fffffffn]) {
          const fault = cpu.load64((hi << 32n) | low);
          assert.ok(isFault(fault) && fault.vector === 13, hi.toString(16));
        }
      }
    }
  });

  it('faults once, spuriously, when rights were added without a flush', () => {
    const { cpu, tables } = new TestMachine();
    tables.protect(STACK, 4096, { writable: false });
    cpu.load64(STACK);
    tables.protect(STACK, 4096, { writable: true });
    assert.equal(cpu.store64(STACK, 1n)?.errorCode, 3);
    assert.equal(cpu.store64(STACK, 1n), null);
  });

  it('keeps global entries over a CR3 write and drops the others', () => {
    const { cpu, tables } = new TestMachine();
    tables.protect(STACK, 4096, { global: true });
    cpu.load64(STACK);
    cpu.load64(STACK + 4096n);
    cpu.setCr3(cpu.cr3);
    assert.deepEqual(
      cpu.tlb.lines().map(({ va, global }) => [va, global]),
      [[STACK, true]],
    );
    cpu.cr4 &= ~BigInt(CR4_PGE);
    assert.deepEqual(cpu.tlb.lines(), []);
  });

  it('keeps the entries of another PCID apart, and bit 63 of CR3 keeps those of the new one', () => {
    const { cpu, tables } = new TestMachine({ pcid: true });
    const root = tables.cr3;
    cpu.setCr3(root | 1n);
    cpu.load64(STACK);
    cpu.setCr3(root | 2n);
    const misses = (): number => {
      const { misses: before } = cpu.counters;
      cpu.load64(STACK);
      return cpu.counters.misses - before;
    };
    assert.equal(misses(), 1);
    cpu.setCr3(root | 1n | (1n << 63n));
    assert.equal(misses(), 0);
    cpu.setCr3(root | 1n);
    assert.equal(misses(), 1);
    cpu.setCr3(root | 2n, { noFlush: true });
    assert.equal(misses(), 0);
    assert.equal(cpu.cr3, root | 2n);
  });

  it('invalidates by INVPCID what each type says', () => {
    const held = (type: 0 | 1 | 2 | 3): string[] => {
      const { cpu, tables } = new TestMachine({ pcid: true });
      tables.protect(STACK, 4096, { global: true });
      for (const pcid of [1n, 2n]) {
        cpu.setCr3(tables.cr3 | pcid, { noFlush: true });
        for (let i = 0n; i < 3n; i++) cpu.load64(STACK + i * 4096n);
      }
      cpu.invpcid(type, 1, STACK + 4096n);
      return cpu.mmu.tlb
        .lines()
        .map(({ va, pcid, global }) => `${(va - STACK) / 4096n}${global ? 'G' : `:${pcid}`}`);
    };
    assert.deepEqual(held(0).sort(), ['0G', '1:2', '2:1', '2:2']);
    assert.deepEqual(held(1).sort(), ['0G', '1:2', '2:2']);
    assert.deepEqual(held(2), []);
    assert.deepEqual(held(3), ['0G']);
  });

  it('replaces the entry of a set that was used longest ago', () => {
    const memory = new PhysMemory(1 << 20);
    const tables = new PageTable(memory, { levels: 4, allocTable: frames(1, 64) });
    for (let i = 0n; i < 8n; i++) tables.map(STACK + i * 4096n, i * 4096n, 4096);
    const tiny = { sets: 1, ways: 1 };
    const cpu = new Cpu(memory, { tlb: { small: { sets: 2, ways: 2 }, large: tiny, huge: tiny } });
    cpu.setCr3(tables.cr3);
    // Even pages share a set of two ways.
    for (const page of [0n, 2n, 0n, 4n]) cpu.load64(STACK + page * 4096n);
    assert.deepEqual(
      cpu.tlb.lines().map(({ va }) => (va - STACK) / 4096n),
      [0n, 4n],
    );
    const { hits, misses, walks, evictions } = cpu.counters;
    assert.deepEqual(
      { hits, misses, walks, evictions },
      { hits: 1, misses: 3, walks: 3, evictions: 1 },
    );
  });

  it('reaches each page size by an array of its own', () => {
    const memory = new PhysMemory(1 << 20);
    const tables = new PageTable(memory, { levels: 4, allocTable: frames(1, 64) });
    SIZES.forEach((bytes, i) => tables.map(BigInt(i + 1) << 39n, 0n, bytes));
    const cpu = new Cpu(memory);
    cpu.setCr3(tables.cr3);
    SIZES.forEach((bytes, i) => {
      const start = BigInt(i + 1) << 39n;
      cpu.translate(start, 'read');
      assert.equal(cpu.translate(start + BigInt(bytes) - 1n, 'read'), BigInt(bytes) - 1n);
    });
    assert.equal(cpu.counters.misses, 3);
    assert.deepEqual(
      cpu.tlb.lines().map(({ pageSize }) => pageSize),
      SIZES,
    );
  });
});
