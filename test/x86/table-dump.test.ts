import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readTableDump } from '../../lib/commands/read-table-dump';
import { hex } from '../../lib/x86/addr';
import { Cpu } from '../../lib/x86/cpu';
import { isFault } from '../../lib/x86/fault';
import { visitEntries } from '../../lib/x86/mappings';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_GLOBAL,
  _PAGE_NX,
  _PAGE_PCD,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_PWT,
  _PAGE_RW,
  _PAGE_USER,
  entryTarget,
} from '../../lib/x86/pte';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { parseDumpIndex, TableDump } from '../../lib/x86/table-dump';
import { walk } from '../../lib/x86/walk';
import { effort } from '../support/effort';
import { oracleTranslate } from './oracle';
import { DUMPS, recordedLines, recordedPairs } from './recorded';

/** The columns of QEMU's `info tlb`, target/i386/monitor.c. */
const COLUMNS: [bigint, string][] = [
  [_PAGE_NX, 'X'],
  [_PAGE_GLOBAL, 'G'],
  [_PAGE_PSE, 'P'],
  [_PAGE_DIRTY, 'D'],
  [_PAGE_ACCESSED, 'A'],
  [_PAGE_PCD, 'C'],
  [_PAGE_PWT, 'T'],
  [_PAGE_USER, 'U'],
  [_PAGE_RW, 'W'],
];
const NAMES: Record<string, string> = { NX: 'X', PS: 'P', PCD: 'C', PWT: 'T', US: 'U', RW: 'W' };

describe('recorded page tables', () => {
  it('are there', () => assert.ok(DUMPS.length >= 2));

  for (const dir of DUMPS) {
    describe(dir.split('/').pop() as string, () => {
      const dump = readTableDump(dir);
      const pairs = recordedPairs(dir);
      const tlb = recordedLines(dir, 'info_tlb.txt.gz');

      it(`translates as QEMU did, in all ${pairs.length} pairs`, () => {
        for (const { va, pa } of pairs) {
          const result = walk(dump, dump, BigInt(va));
          assert.equal(result.pa, pa === null ? null : BigInt(pa), va);
          assert.notEqual(result.fault, 'missing-table');
        }
      });

      it('agrees with the oracle on the same addresses', () => {
        const read = (address: bigint): bigint | null => {
          const pfn = Number(address >> 12n);
          if (!dump.hasPage(pfn)) return null;
          const word = Number(address & 0xfffn) / 4;
          const [lo, hi] = [dump.pageWord(pfn, word), dump.pageWord(pfn, word + 1)];
          return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
        };
        const cpu = { ...{ wp: true, nxe: true, smep: true, smap: false, ac: false }, pkru: null };
        const { cr3, levels } = dump;
        for (const { va } of pairs) {
          const state = { ...cpu, cr3, levels, maxphyaddr: 52 };
          const expected = oracleTranslate(read, state, BigInt(va), 'read', 'supervisor');
          assert.equal(walk(dump, dump, BigInt(va)).pa, expected.pa);
        }
      });

      it('translates as QEMU did on a Cpu whose memory holds the tables', () => {
        const memory = new PhysMemory(2 ** 32);
        dump.copyTo(memory);
        const cpu = new Cpu(memory, { levels: dump.levels, smap: false });
        cpu.setCr3(dump.cr3);
        for (const { va, pa } of pairs) {
          const got = cpu.translate(BigInt(va), 'read');
          assert.equal(isFault(got) ? null : got, pa === null ? null : BigInt(pa), va);
        }
      });

      it(`lists the ${tlb.length} leaves of "info tlb", in order, flags included`, () => {
        const lines: string[] = [];
        visitEntries(dump, dump, ({ va, level, raw }) => {
          if (!(raw & _PAGE_PRESENT)) return;
          const pse = level > 1 ? _PAGE_PSE : 0n;
          const seen = level > 1 ? raw : raw & ~_PAGE_PSE;
          const flags = COLUMNS.map(([bit, letter]) => (seen & bit ? letter : '-')).join('');
          assert.equal(seen & _PAGE_PSE, pse);
          lines.push(`${hex(va).slice(2)}: ${hex(entryTarget(raw, level)).slice(2)} ${flags}`);
        });
        assert.deepEqual(lines, tlb);
      });

      it('finds each of those leaves by a walk, with the same names of bits', () => {
        for (const line of tlb) {
          const [va, pa, flags] = line.split(/:? /);
          const result = walk(dump, dump, BigInt(`0x${va}`));
          const letters = result.flags.map((name) => NAMES[name] ?? name);
          assert.equal(result.pa, BigInt(`0x${pa}`));
          assert.deepEqual(
            letters.filter((letter) => letter !== 'P' || result.level > 1).sort(),
            [...flags.replace(/-/g, ''), ...(result.level > 1 ? 'P' : '')].sort(),
          );
        }
      });
    });
  }
});

describe('the reader of dumps', () => {
  const [dir] = DUMPS;
  const index = readFileSync(join(dir, 'index.json'), 'utf8');
  const tables = gunzipSync(readFileSync(join(dir, 'tables.bin.gz')));

  it('reads or refuses with a RangeError whatever an index and its tables hold', () => {
    const small = JSON.stringify({
      ...{ cr3: '0x1000', cr4: '0x750ef0', la57: false, efer: 'd01' },
      tables: { offset_of_pfn: { '0x1': 0, '0x2': 4096 } },
    });
    const edit = fc.record({
      at: fc.nat(400),
      drop: fc.nat(6),
      text: fc.oneof(
        fc.string({ maxLength: 6 }),
        fc.constantFrom('"', '{', '}', '0x', '-1', 'null', '1e99', '4096', '[]', '"0x2"', ':', ','),
      ),
    });
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(edit, { maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(8191), fc.nat(255)), { maxLength: 12 }),
        fc.constantFrom(0, 0, 0, -1, 1, -4096, 4096),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (real, edits, damage, longer, va) => {
          let text = real ? index.slice(0, 6000) : small;
          for (const { at, drop, text: insert } of edits) {
            const i = at % text.length;
            text = text.slice(0, i) + insert + text.slice(i + drop);
          }
          const bytes = Buffer.alloc(8192 + longer, 0x67);
          for (const [at, byte] of damage) if (at < bytes.length) bytes[at] = byte;
          try {
            const dump = new TableDump(parseDumpIndex(text), bytes);
            const result = walk(dump, dump, va);
            assert.ok(result.entries.length <= 5);
            assert.ok(result.explain().length < 3000);
          } catch (error) {
            assert.ok(error instanceof RangeError, String(error));
            assert.ok(error.message.includes('expected'), error.message);
          }
        },
      ),
      effort(3000),
    );
  });

  it('names the key that is wrong, what it expected and what it got', () => {
    const parsed = JSON.parse(index) as Record<string, unknown>;
    const offsets = (parsed.tables as { offset_of_pfn: Record<string, number> }).offset_of_pfn;
    const [first, second] = Object.keys(offsets);
    const withOffset = (key: string, value: unknown): object => ({
      ...parsed,
      tables: { offset_of_pfn: { ...offsets, [key]: value } },
    });
    const cases: [unknown, RegExp][] = [
      ['[]', /index.json: expected an object, got \[\]/],
      [{ ...parsed, cr3: undefined }, /"cr3", got none/],
      [{ ...parsed, cr3: '0xzz' }, /cr3: expected "0x…", got "0xzz"/],
      [{ ...parsed, cr3: 5 }, /cr3: expected "0x…", got 5/],
      [{ ...parsed, cr3: '0x1000' }, /cr3: expected a table of the dump, got page frame 0x1 /],
      [{ ...parsed, la57: 'no' }, /la57: expected true or false, got "no"/],
      [{ ...parsed, la57: true }, /la57: expected false, as cr4 says, got true/],
      [{ ...parsed, tables: {} }, /offset_of_pfn: expected an object, got nothing/],
      [{ ...parsed, tables: { offset_of_pfn: {} } }, /expected tables, got none/],
      [withOffset(first, 12), /\["0x[0-9a-f]+"\]: expected a multiple of 4096, got 12/],
      [withOffset(first, '0'), /expected a multiple of 4096, got "0"/],
      [withOffset(first, 4096 * 1e6), /expected less than \d+ \(one page a table\), got/],
      [withOffset(first, offsets[second]), /expected each table once/],
      [withOffset('12', 4096), /expected a key such as "0x2a15", got "12"/],
      [withOffset(first.replace('0x', '0x0'), 4096), /expected each table once/],
    ];
    for (const [json, message] of cases) {
      const text = typeof json === 'string' ? json : JSON.stringify(json);
      assert.throws(
        () => new TableDump(parseDumpIndex(text), tables),
        (error: Error) => error instanceof RangeError && message.test(error.message),
        String(message),
      );
    }
    assert.throws(() => parseDumpIndex('{'), /index.json: expected JSON/);
    assert.throws(
      () => new TableDump(parseDumpIndex(index), tables.subarray(4096)),
      /tables.bin: expected \d+ bytes \(\d+ tables\), got \d+: truncated, or of another dump/,
    );
  });
});
