import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MOST_CHARACTERS, UnreadableError } from '../../../lib/experiments/own-machine/log-text';
import {
  readMachineText,
  recogniseMachineText,
  type MachineReading,
} from '../../../lib/experiments/own-machine/read-machine-text';
import { sample, SAMPLES } from '../../../lib/experiments/own-machine/samples';
import { machineFigure } from '../../../lib/figures/machine-figure';
import { guardpage } from '../../support/command';
import { effort } from '../../support/effort';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inTemporaryFolder } from '../../support/temporary';

/** What logs and people put before a line. */
const PREFIXES: readonly ((line: string, i: number) => string)[] = [
  (line) => line,
  (line, i) => `[${String(i).padStart(5)}.123456] ${line}`,
  (line, i) => `[${String(i).padStart(5)}.123456][  T12${i % 10}] ${line}`,
  (line) => `[Sun Nov 22 19:58:40 2026] ${line}`,
  (line) => `[Nov22 19:58] ${line}`,
  (line, i) => `[  +0.0000${10 + (i % 90)}] ${line}`,
  (line) => `2026-11-22T19:58:40,123456+00:00 ${line}`,
  (line) => `Nov 22 19:58:40 host kernel: ${line}`,
  (line, i) => `Nov  2 19:58:40 host kernel: [   12.3456${i % 10}0] ${line}`,
  (line) => `2026-11-22T19:58:40.123456+00:00 my-host.example kernel: ${line}`,
  (line, i) => `kern  :emerg : [    1.${String(i).padStart(6, '0')}] ${line}`,
  (line) => `<4>[    1.000001] ${line}`,
  (line) => `>> <0>[  594.923096] ${line}`,
  (line) => `июл 27 14:08:03 laptop kernel: ${line}`,
  (line) => `May  5 12:38:12 192.168.122.82 [ 3504.916605] ${line}`,
  (line, i) => `4,${i},1000${i},-;${line}`,
  (line) => `> ${line}`,
  (line) => `\u001b[32m${line}\u001b[0m`,
];
const ENDS = ['\n', '\r\n', '\r'];

/** Lines without the time stamps that the samples carry themselves. */
const bareLines = (name: string) =>
  sample(name)
    .text.trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\[ *\d+\.\d+\] /, ''));

const withoutCommand = (reading: MachineReading) => ({ ...reading, command: '' });

/** A reading, or the one clear line that says why there is none; never anything else. */
function attempt(text: string): MachineReading | string {
  try {
    const reading = readMachineText(text);
    assert.ok(reading.explanation.length > 0);
    assert.doesNotMatch(String(reading), /undefined|NaN|null|Infinity/);
    return reading;
  } catch (error) {
    assert.ok(error instanceof UnreadableError, String((error as Error).stack));
    assert.doesNotMatch(error.message, /\n|undefined|NaN/);
    return error.message;
  }
}

describe('a pasted text', function () {
  this.timeout(60_000);
  const names = fc.constantFrom(...SAMPLES.filter((name) => !name.includes('500')));

  it('says the same with whatever a log puts before its lines, and with any line ends', () => {
    fc.assert(
      fc.property(
        names,
        fc.constantFrom(...PREFIXES),
        fc.constantFrom(...ENDS),
        (name, prefix, end) => {
          const lines = bareLines(name);
          const plain = readMachineText(lines.join('\n'));
          const pasted = readMachineText(lines.map(prefix).join(end));
          assert.deepEqual(withoutCommand(pasted), withoutCommand(plain));
        },
      ),
      effort(60),
    );
  });

  it('that is cut anywhere is read as far as it goes, or refused in one line', () => {
    fc.assert(
      fc.property(names, fc.nat(), fc.nat(), (name, a, b) => {
        const { text } = sample(name);
        const [from, to] = [a % text.length, b % text.length].sort((x, y) => x - y);
        const reading = attempt(text.slice(from, to));
        // The figure of a trace is three machines: not for every cut.
        if (typeof reading === 'string' || reading.kind === 'stack_trace') return;
        try {
          assert.match(machineFigure(reading).alt, /^\w/);
        } catch (error) {
          assert.ok(error instanceof RangeError, String((error as Error).stack));
        }
      }),
      effort(120),
    );
  });

  it('whose characters are changed at random is read or refused in one line', () => {
    const change = fc.tuple(fc.nat(), fc.string({ maxLength: 6, unit: 'binary-ascii' }));
    fc.assert(
      fc.property(names, fc.array(change, { maxLength: 8 }), (name, changes) => {
        let { text } = sample(name);
        for (const [at, by] of changes) {
          const i = at % text.length;
          text = text.slice(0, i) + by + text.slice(i + by.length);
        }
        attempt(text);
      }),
      effort(120),
    );
  });

  it('of any characters at all is read or refused in one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
        attempt(text);
      }),
      effort(60),
    );
  });

  it('is found within a whole log', () => {
    const boot = Array.from({ length: 300 }, (_, i) => `[    0.${i}] ACPI: something ${i}`);
    const log = [...boot, ...bareLines('oops-recursion'), ...boot].join('\n');
    const reading = readMachineText(log);
    assert.equal(reading.kind, 'oops');
    assert.equal(
      recogniseMachineText([...boot, ...bareLines('buddyinfo-fresh')].join('\n')),
      'buddyinfo',
    );
    assert.equal(recogniseMachineText(boot.join('\n')), null);
  });
});

describe('what can’t be read', () => {
  const refused: readonly (readonly [what: string, text: string, says: RegExp])[] = [
    ['nothing', ' \n\t\n', /^expected the text of one of four files, got nothing$/],
    ['a binary file', '\u0000\u0001\u0002ELF\ufffd\ufffd\u0007', /looks like a binary file/],
    [
      'far too much',
      'x'.repeat(MOST_CHARACTERS + 1),
      /^expected at most 32 MiB of text, got 32\.0 MiB/,
    ],
    ['something else', 'total 12\ndrwxr-xr-x', /got none of them; it begins "total 12"$/],
    ['a tracer that was off', '# Stack tracer disabled\n', /^the stack tracer was off/],
    [
      'an oops of arm64',
      'Insufficient stack space to handle exception!\npc : el1_sync+0x0/0xb0\nKernel panic - not syncing: kernel stack overflow\n',
      /^expected an oops of an x86-64 kernel, got one of arm64$/,
    ],
    [
      'an oops of 32-bit x86',
      'BUG: unable to handle page fault for address: f7a0\nEIP: 0060:foo+0x1/0x2\n',
      /got one of 32-bit x86$/,
    ],
    [
      'a trace whose depths contradict each other',
      '  0)   100  50 a+0x1/0x2\n  1) 70 70 b+0x1/0x2\n',
      /^entry 0 \(a\): depth 100 − size 50 should be 70/,
    ],
    [
      'the end of an oops',
      'RSP: 0018:ffffc90000590000 EFLAGS: 00000246\n',
      /only a part without it$/,
    ],
  ];
  for (const [what, text, says] of refused) {
    it(`${what}: one line that says what was expected`, () => {
      assert.throws(
        () => readMachineText(text),
        (error: Error) => {
          assert.ok(error instanceof UnreadableError);
          assert.match(error.message, says);
          return true;
        },
      );
    });
  }

  it('is no string at all: a TypeError', () => {
    assert.throws(
      () => readMachineText(null as never),
      /^TypeError: text: expected a string, got null$/,
    );
    assert.throws(
      () => readMachineText(7 as never),
      /^TypeError: text: expected a string, got number$/,
    );
  });
});

describe('guardpage read', function () {
  this.timeout(30_000);

  const run = (...argv: string[]) => guardpage('read', ...argv);

  it('explains a file, in words or as JSON, or as a page with the figure', () =>
    inTemporaryFolder(async (folder) => {
      const [file, page] = [join(folder, 'dmesg.txt'), join(folder, 'page.html')];
      writeFileSync(file, sample('oops-recursion').text);
      const words = await run(file);
      assert.deepEqual([words.code, words.err], [0, '']);
      assert.match(words.out, /^A stack guard page was hit \(kernel 6\.1\.0-56-amd64/);
      const data = JSON.parse((await run(file, '--json')).out) as Record<string, unknown>;
      assert.deepEqual([data.kind, data.base, data.via], ['oops', '0xffffc90000590000', '#DF']);
      assert.equal((await run(file, '--html', page)).code, 0);
    }));

  it('reads every sample and lists them', async () => {
    const { out } = await run('--list');
    for (const name of SAMPLES) assert.match(out, new RegExp(`^${name} `, 'm'));
    for (const name of SAMPLES) assert.equal((await run('--sample', name)).code, 0);
  });

  it('answers what can’t be read with one line and exit code 2', async () => {
    for (const argv of [[], ['a', '--sample', 'b'], ['/nowhere'], ['/'], ['--sample', 'none']]) {
      const { code, out, err } = await run(...argv);
      assert.deepEqual([code, out], [2, ''], argv.join(' '));
      assert.match(err, /^guardpage: [^\n]+\n$/);
    }
  });

  it('and replay say in words why a file can’t be read, also one without end', async () => {
    const why: readonly (readonly [file: string, says: RegExp])[] = [
      ['/nowhere', /: can't read \/nowhere: there is no such file$/],
      ['/', /: can't read \/: it is a folder$/],
      ['/dev/zero', /: can't read \/dev\/zero: expected at most 32 MiB of text, got more; /],
    ];
    for (const [file, says] of why) {
      for (const argv of [
        ['read', file],
        ['replay', '--trace', file],
      ]) {
        const { code, err } = await guardpage(...argv);
        assert.equal(code, 2);
        assert.match(err.trimEnd(), says);
      }
    }
  });
});
