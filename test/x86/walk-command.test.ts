import { strict as assert } from 'node:assert';
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parseAddresses } from '../../lib/commands/addresses';
import { Random } from '../../lib/random';
import { hex } from '../../lib/x86/addr';
import { effort } from '../support/effort';
import { writeGeneratedDump } from './generated-dump';
import { oracleTranslate } from './oracle';
import { guardpage } from '../support/command';
import { DUMPS, recordedPairs } from './recorded';

interface Line {
  va: string;
  pa: string | null;
  level: number;
  pageSize: number;
  flags: string[];
  fault: string | null;
}

const lines = (out: string): Line[] =>
  out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

describe('guardpage walk', () => {
  let scratch: string;
  before(() => {
    scratch = mkdtempSync(join(tmpdir(), 'guardpage-walk-'));
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const dir of DUMPS) {
    it(`answers every recorded pair of ${dir.split('/').pop()}, in input order`, async () => {
      const pairs = recordedPairs(dir);
      const file = join(scratch, 'pairs.ndjson');
      writeFileSync(file, pairs.map((pair) => JSON.stringify(pair)).join('\n'));
      const { code, out, err } = await guardpage('walk', '--tables', dir, '--addresses', file);
      assert.deepEqual([code, err], [0, '']);
      assert.deepEqual(
        lines(out).map(({ va, pa }) => ({ va, pa })),
        pairs.map(({ va, pa }) => ({ va, pa })),
      );
    });
  }

  for (const levels of [4, 5] as const) {
    it(`agrees with the oracle on generated dumps of ${levels} levels with damaged tables`, async () => {
      const faults = new Set<string | null>();
      for (let seed = 1; seed <= 6; seed++) {
        const dir = join(scratch, `generated-${levels}-${seed}`);
        const random = new Random(seed);
        const dump = writeGeneratedDump(dir, random, { levels, gzip: seed % 2 === 0 });
        const maxphyaddr = random.pick([52, 46, 40]);
        const file = join(scratch, 'addresses.txt');
        writeFileSync(file, dump.addresses.map((va) => hex(va, 1)).join('\r\n'));
        const { code, out } = await guardpage(
          ...['walk', '--tables', dir, '--addresses', file, '--maxphyaddr', String(maxphyaddr)],
        );
        assert.equal(code, 0);
        const got = lines(out);
        assert.equal(got.length, dump.addresses.length);
        const state = {
          ...{ cr3: dump.cr3, levels, maxphyaddr, wp: true, nxe: true, smep: true },
          ...{ smap: false, ac: false, pkru: null },
        };
        dump.addresses.forEach((va, i) => {
          const { fault, pa, level, pageSize, flags } = got[i];
          faults.add(fault);
          assert.equal(BigInt(got[i].va), va);
          if (fault === 'missing-table') return;
          const read = (a: bigint): bigint | null =>
            a < BigInt(dump.memory.size) ? dump.memory.read64(a) : null;
          const expected = oracleTranslate(read, state, va, 'read', 'supervisor');
          assert.equal(pa === null ? null : BigInt(pa), expected.pa);
          const code =
            expected.fault && (expected.fault.vector === 13 ? 13 : expected.fault.errorCode);
          const name = { 13: 'non-canonical', 0: 'not-present', 9: 'reserved-bit' }[code ?? -1];
          assert.equal(fault, name ?? null);
          if (expected.pa !== null) assert.equal(BigInt(pageSize), expected.pageSize);
          assert.equal(pageSize, 4096 * 512 ** (level - 1));
          assert.equal(flags.length > 0, fault === null);
        });
      }
      const all = [null, 'missing-table', 'non-canonical', 'not-present', 'reserved-bit'];
      for (const fault of all) assert.ok(faults.has(fault), String(fault));
    });
  }

  it('prints one line for each --va, then those of the file', async () => {
    const file = join(scratch, 'more.txt');
    writeFileSync(file, '\n  FFFF888000001000\n{"va":"0x0","pa":null}\n');
    const args = ['walk', '--tables', DUMPS[0], '--va', '0xffffffff81000123', '--va', '1`00000000'];
    const { code, out } = await guardpage(...args, '--addresses', file);
    assert.equal(code, 0);
    assert.deepEqual(
      lines(out).map(({ va }) => va),
      ['0xffffffff81000123', '0x0000000100000000', '0xffff888000001000', '0x0000000000000000'],
    );
    assert.deepEqual(lines(out)[2], {
      va: '0xffff888000001000',
      pa: '0x1000',
      level: 1,
      pageSize: 4096,
      flags: ['P', 'RW', 'A', 'D', 'G', 'NX'],
      fault: null,
    });
  });

  it('explains a walk table by table, with the effective rights', async () => {
    const args = ['walk', '--tables', DUMPS[0], '--va', '0xffffffff81000123', '--explain'];
    const { code, out } = await guardpage(...args);
    assert.equal(code, 0);
    assert.deepEqual(out.split('\n').slice(0, 14), [
      '0xffffffff81000123: 4 levels, bits 47 to 0 of the address take part',
      '  level 4 (pgd, PML4) at 0x6296000',
      '    bits 47-39 = 511: entry at 0x6296ff8 holds 0x0000000002a15067',
      '    P RW US A D -> next table at 0x2a15000',
      '  level 3 (pud, page-directory-pointer table) at 0x2a15000',
      '    bits 38-30 = 510: entry at 0x2a15ff0 holds 0x0000000002a16063',
      '    P RW A D -> next table at 0x2a16000',
      '  level 2 (pmd, page directory) at 0x2a16000',
      '    bits 29-21 = 8: entry at 0x2a16040 holds 0x00000000010001e1',
      '    P A D PS G -> 2 MiB page at 0x1000000',
      '  bits 20-0 = 0x123: offset in the page',
      '  physical address 0x1000123',
      '  effective rights, RW and US of all levels and NX of any: supervisor only, read-only, executable',
      '  P   present',
    ]);
  });

  it('refuses bad input with one line and exit code 2', async () => {
    const [dir] = DUMPS;
    const bin = gunzipSync(readFileSync(join(dir, 'tables.bin.gz')));
    const copy = (name: string): string => {
      const to = join(scratch, name);
      cpSync(dir, to, { recursive: true });
      return to;
    };
    const truncated = copy('truncated');
    truncateSync(join(truncated, 'tables.bin.gz'), 9000);
    const short = copy('short');
    writeFileSync(join(short, 'tables.bin'), bin.subarray(0, bin.length - 100));
    const foreign = copy('foreign');
    cpSync(join(DUMPS[1], 'tables.bin.gz'), join(foreign, 'tables.bin.gz'));
    const flipped = copy('flipped');
    const bytes = Buffer.from(bin);
    bytes[12345] ^= 1;
    writeFileSync(join(flipped, 'tables.bin.gz'), gzipSync(bytes));
    const bomb = copy('bomb');
    writeFileSync(join(bomb, 'tables.bin.gz'), gzipSync(Buffer.alloc(64 << 20)));
    const notJson = copy('not-json');
    writeFileSync(join(notJson, 'index.json'), 'PK\u0003\u0004');
    const noRoot = copy('no-root');
    const index = readFileSync(join(dir, 'index.json'), 'utf8');
    writeFileSync(join(noRoot, 'index.json'), index.replace('"0x6296000"', '"0x6297000"'));
    const file = join(scratch, 'bad.txt');
    writeFileSync(file, '0x1000\nnonsense\n');
    const numbers = join(scratch, 'numbers.ndjson');
    writeFileSync(numbers, '{"va": 18446612682070036000}\n');

    const va = ['--va', '0x1000'];
    const cases: [string[], RegExp][] = [
      [[...va], /required option '--tables <dir>'/],
      [['--tables', dir], /expected --va HEX or --addresses FILE, got neither/],
      [
        ['--tables', join(scratch, 'nowhere'), ...va],
        /index.json: expected a readable file, got no such file/,
      ],
      [
        ['--tables', join(dir, 'index.json'), ...va],
        /expected a readable file, got a path through a file/,
      ],
      [
        ['--tables', truncated, ...va],
        /tables.bin.gz: expected \d+ bytes of gzipped tables, got unexpected end/,
      ],
      [
        ['--tables', short, ...va],
        /tables.bin: expected \d+ bytes .*: truncated, or of another dump/,
      ],
      [['--tables', foreign, ...va], /tables.bin: expected \d+ bytes/],
      [
        ['--tables', flipped, ...va],
        /tables.bin: expected SHA-256 [0-9a-f]{64}, as index.json says, got/,
      ],
      [['--tables', bomb, ...va], /expected \d+ bytes of gzipped tables, got more/],
      [['--tables', notJson, ...va], /index.json: expected JSON, got something else/],
      [['--tables', noRoot, ...va], /cr3: expected a table of the dump, got page frame 0x6297/],
      [
        ['--tables', dir, '--va', '0x12345678901234567'],
        /--va: address: expected up to 16 hexadecimal digits/,
      ],
      [['--tables', dir, '--va', 'kernel'], /--va: address: expected up to 16 .* got "kernel"/],
      [['--tables', dir, '--addresses', file], /bad.txt:2: address: expected .* got "nonsense"/],
      [['--tables', dir, '--addresses', numbers], /numbers.ndjson:1: expected "va" to be a string/],
      [['--tables', dir, '--addresses', scratch], /expected a readable file/],
      [['--tables', dir, ...va, '--maxphyaddr', '53'], /--maxphyaddr: expected 32 to 52, got 53/],
      [
        ['--tables', dir, ...va, '--maxphyaddr', 'x'],
        /--maxphyaddr: expected a whole number from 32/,
      ],
      [['--tables', dir, ...va, '--frobnicate'], /unknown option '--frobnicate'/],
    ];
    for (const [args, message] of cases) {
      const { code, out, err } = await guardpage('walk', ...args);
      assert.equal(code, 2, `${args.join(' ')}: ${err}`);
      assert.equal(out, '');
      assert.match(err, message);
      assert.ok(!/\n {4}at /.test(err), err);
      if (err.startsWith('guardpage: ')) assert.equal(err.trimEnd().split('\n').length, 1, err);
    }
  });

  it('reads addresses from standard input', async () => {
    const stdin = Object.getOwnPropertyDescriptor(process, 'stdin') as PropertyDescriptor;
    const value = Readable.from([Buffer.from('0xffff88800000'), Buffer.from('1000\n0\n')]);
    Object.defineProperty(process, 'stdin', { value, configurable: true });
    try {
      const { out } = await guardpage('walk', '--tables', DUMPS[0], '--addresses', '-');
      assert.deepEqual(
        lines(out).map(({ pa }) => pa),
        ['0x1000', null],
      );
    } finally {
      Object.defineProperty(process, 'stdin', stdin);
    }
  });
});

describe('parseAddresses', () => {
  it('reads or refuses with a RangeError that names the line, whatever the text', () => {
    const piece = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom(
        '0x',
        '\n',
        '{',
        '}',
        '"va"',
        ':',
        '"0x1000"',
        'ffff',
        '\r\n',
        ' ',
        '[',
        'null',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          for (const va of parseAddresses(pieces.join(''), 'input')) {
            assert.ok(va >= 0n && va < 2n ** 64n);
          }
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
          assert.match(error.message, /^input:\d+: .*expected/);
        }
      }),
      effort(3000),
    );
  });
});
