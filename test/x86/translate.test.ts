import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { Random } from '../../lib/random';
import { isFault, type Fault } from '../../lib/x86/fault';
import { EXECUTE, IMPLICIT, READ, SUPERVISOR, USER, WRITE } from '../../lib/x86/mmu';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { walk } from '../../lib/x86/walk';
import { assertWrites } from './assert-writes';
import { oracleTranslate, type OracleAccess, type OracleMode } from './oracle';
import { RandomTables } from './random-tables';
import { effort } from '../support/effort';

const ACCESS = { read: READ, write: WRITE, execute: EXECUTE };
const MODE = { supervisor: SUPERVISOR, user: USER, implicit: IMPLICIT };

/** One access by both; physical address, fault and the marks in memory must agree. */
function compare(
  tables: RandomTables,
  va: bigint,
  access: OracleAccess,
  mode: OracleMode,
  cached: boolean,
): void {
  const { memory, cpu, state, read } = tables;
  const { mmu } = cpu;
  const expected = oracleTranslate(read, state, va, access, mode);
  memory.checkpoint();
  const ok = cached
    ? mmu.translate(va, ACCESS[access], MODE[mode])
    : mmu.translateUncached(va, ACCESS[access], MODE[mode]);
  assert.equal(ok ? mmu.pa64[0] : null, expected.pa);
  if (!ok) {
    const { vector, errorCode, address } = mmu.fault as Fault;
    assert.deepEqual({ vector, errorCode, address }, expected.fault);
    assert.equal(mmu.fault?.access, access);
  }
  assertWrites(memory, expected.writes);
}

describe('translation', () => {
  for (const [what, cached] of [
    ['a walk', false],
    ['a translation through an emptied TLB', true],
  ] as const) {
    it(`${what} agrees with the oracle: address, error code, A and D, whatever the entries hold`, () => {
      fc.assert(
        fc.property(fc.nat({ max: 2 ** 31 - 1 }), (seed) => {
          const tables = new RandomTables(new Random(seed));
          for (let i = 0; i < 100; i++) {
            if (i % 10 === 9) tables.randomEntry();
            if (cached) tables.cpu.flushTlb();
            compare(tables, tables.address(), tables.access(), tables.mode(), cached);
          }
        }),
        effort(1500),
      );
    });
  }

  it('memory in chunks translates as memory in one buffer does', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), (seed) => {
        const big = new PhysMemory(2 ** 32 + 2 ** 20);
        const [flat, chunked] = [
          new RandomTables(new Random(seed)),
          new RandomTables(new Random(seed), big),
        ];
        for (let i = 0; i < 50; i++) {
          const va = flat.address();
          chunked.address();
          const access = flat.access();
          assert.equal(chunked.access(), access);
          const one = flat.cpu.translate(va, access);
          const other = chunked.cpu.translate(va, access);
          // Frames that are RAM in the larger memory only would end differently.
          if (isFault(one) && one.reason === 'reserved-bit') continue;
          if (usesRamBeyond(flat, va)) continue;
          assert.deepEqual(other, one);
        }
      }),
      effort(100),
    );
  });

  it('an observing walk agrees with the oracle and changes nothing', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), (seed) => {
        const tables = new RandomTables(new Random(seed));
        const { memory, state } = tables;
        const before = memory.readBytes(0n, memory.size);
        for (let i = 0; i < 40; i++) {
          const va = tables.address();
          const { cr3, levels, maxphyaddr, nxe } = state;
          const seen = walk(memory, { cr3, levels, maxphyaddr, nx: nxe }, va);
          // Rights out of the way: an implicit read that SMAP does not see.
          const free = { ...state, smap: false, pkru: null };
          const expected = oracleTranslate(tables.read, free, va, 'read', 'implicit');
          if (seen.fault === 'missing-table') continue;
          assert.equal(seen.pa, expected.pa);
          const reason = { 13: 'non-canonical', 0: 'not-present', 9: 'reserved-bit' };
          const { fault } = expected;
          const code = fault && ((fault.vector === 13 ? 13 : fault.errorCode) as 0 | 9 | 13);
          assert.equal(seen.fault, code === null ? null : reason[code]);
          if (seen.pa !== null) assert.equal(BigInt(seen.pageSize), expected.pageSize);
        }
        assert.ok(Buffer.from(memory.readBytes(0n, memory.size)).equals(before));
      }),
      effort(1500),
    );
  });
});

/** Whether the walk leaves the small memory, where the larger one still has RAM. */
function usesRamBeyond({ memory, state }: RandomTables, va: bigint): boolean {
  const { cr3, levels, maxphyaddr, nxe } = state;
  return walk(memory, { cr3, levels, maxphyaddr, nx: nxe }, va).fault === 'missing-table';
}
