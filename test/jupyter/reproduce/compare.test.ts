import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { compareBundles } from '../../../lib/jupyter/reproduce/compare/bundle';
import { compareFigures } from '../../../lib/jupyter/reproduce/compare/figure';
import { compareImages } from '../../../lib/jupyter/reproduce/compare/image';
import { canonicalMarkup } from '../../../lib/jupyter/reproduce/compare/markup';
import { compareOutputs } from '../../../lib/jupyter/reproduce/compare/outputs';
import { DEFAULT_RULES, isClose } from '../../../lib/jupyter/reproduce/compare/rules';
import { visibleLines } from '../../../lib/jupyter/reproduce/compare/text';
import { diffLines } from '../../../lib/jupyter/reproduce/diff';
import { readSanitiser } from '../../../lib/jupyter/reproduce/sanitise';
import type { Output } from '../../../lib/jupyter/outputs';
import { effort } from '../../support/effort';

const RULES = DEFAULT_RULES;
const numbers = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
  minLength: 1,
  maxLength: 20,
});
const traces = fc.array(
  fc.record({ type: fc.constantFrom('scatter', 'bar'), name: fc.string(), x: numbers, y: numbers }),
  {
    minLength: 1,
    maxLength: 4,
  },
);

describe('figures compared', () => {
  it('are the same as themselves, packed or not, whatever plotly made up', () => {
    const packed = (values: number[]) => ({
      dtype: 'f8',
      bdata: Buffer.from(new Float64Array(values).buffer).toString('base64'),
    });
    fc.assert(
      fc.property(traces, (data) => {
        const other = data.map((trace) => ({
          ...trace,
          y: packed(trace.y),
          uid: `${Math.sin(trace.y[0])}`,
        }));
        assert.deepEqual(
          compareFigures({ data, layout: {} }, { data: other, layout: {} }, RULES),
          [],
        );
      }),
      effort(50),
    );
  });

  it('differ in exactly the trace and point that was moved', () => {
    fc.assert(
      fc.property(traces, fc.nat(), fc.nat(), (data, n, m) => {
        const trace = n % data.length;
        const point = m % data[trace].y.length;
        const moved = structuredClone(data);
        moved[trace].y[point] += 1;
        const lines = compareFigures({ data }, { data: moved }, RULES);
        assert.equal(lines.length, 1);
        const { name, type } = data[trace];
        assert.ok(
          lines[0].startsWith(`trace ${trace} "${name}" (${type}), point ${point}`),
          lines[0],
        );
        assert.ok(lines[0].endsWith('(difference 1)'), lines[0]);
      }),
      effort(50),
    );
  });

  it('are told apart by traces, points and layout, in words', () => {
    const one = { type: 'bar', x: ['a', 'b'], y: [1, 2] };
    const figure = (data: unknown[], layout: object = {}) => ({ data, layout });
    const lines = (a: object, b: object) => compareFigures(a, b, RULES);
    assert.deepEqual(lines(figure([one]), figure([one, one])), ['stored 1 trace, got 2 traces']);
    assert.deepEqual(lines(figure([one]), figure([{ ...one, y: [1, 2, 3] }])), [
      'trace 0 (bar): y has 2 points stored, 3 new',
      'trace 0 (bar), point 2, y: stored nothing, got 3',
    ]);
    assert.deepEqual(
      lines(figure([], { xaxis: { type: 'log' } }), figure([], { xaxis: { type: 'linear' } })),
      ['layout.xaxis.type: stored "log", got "linear"'],
    );
    const map = (z: number[][]) => figure([{ type: 'heatmap', z }]);
    assert.deepEqual(lines(map([[1, 2]]), map([[1, 3]])), [
      'trace 0 (heatmap), z[0][1]: stored 2, got 3 (difference 1)',
    ]);
  });

  it('may differ by rounding, not by more', () => {
    const at = (y: number) => ({ data: [{ y: [y] }] });
    assert.deepEqual(compareFigures(at(0.1 + 0.2), at(0.3), RULES), []);
    assert.equal(compareFigures(at(1), at(1 + 1e-8), RULES).length, 1);
    assert.deepEqual(
      compareFigures(at(1), at(1.05), { ...RULES, tolerance: { relative: 0.1, absolute: 0 } }),
      [],
    );
    assert.ok(!isClose(0, 1e-9, RULES.tolerance));
  });
});

describe('markup compared', () => {
  const same = (a: string, b: string) =>
    assert.deepEqual(canonicalMarkup(a, RULES), canonicalMarkup(b, RULES));

  it('is the same however it is written', () => {
    same(
      '<P CLASS="b a" title=\'x\'>1 &lt; 2</P>',
      '<p title="x"   class="a b">1\n  &#60; 2</p><!-- note -->',
    );
    same('<br/><img src=a.png>', '<br><img src="a.png"/>');
    same(
      '<td style="color:red;width: 3px">&nbsp;</td>',
      '<td style="width:3px; color: red;">\u00a0</td>',
    );
  });

  it('keeps what is text inside <pre>, and tells other text, tags and attributes apart', () => {
    const differ = (a: string, b: string) =>
      assert.notDeepEqual(canonicalMarkup(a, RULES), canonicalMarkup(b, RULES));
    differ('<pre>a  b</pre>', '<pre>a b</pre>');
    differ('<b>a</b>', '<i>a</i>');
    differ('<b title="a">a</b>', '<b title="b">a</b>');
    differ('<script>if (a < b) c()</script>', '<script>if (a < b) d()</script>');
  });

  it('does not mind which names ids have, as long as they refer to the same', () => {
    const svg = (id: string, use: string) =>
      `<svg><clipPath id="${id}"><path d="M0,0"/></clipPath><g clip-path="url(#${use})"/></svg>`;
    same(svg('p3f', 'p3f'), svg('p9c', 'p9c'));
    assert.notDeepEqual(
      canonicalMarkup(svg('a', 'a'), RULES),
      canonicalMarkup(svg('a', 'b'), RULES),
    );
  });

  it('leaves out when a picture was made and rounds its coordinates', () => {
    const svg = (date: string, x: string) => ({
      'image/svg+xml': `<svg><metadata><dc:date>${date}</dc:date></metadata><path d="M${x},20L3,4"/></svg>`,
    });
    assert.deepEqual(compareBundles(svg('2025', '10'), svg('2026', '10.0000000001'), RULES), []);
    assert.equal(compareBundles(svg('2025', '10'), svg('2025', '11'), RULES).length, 1);
  });
});

describe('tables compared', () => {
  const table = (cell: string, head = 'headroom') =>
    `<p>t</p><table><tr><th>trace</th><th>${head}</th></tr><tr><td>01</td><td>${cell}</td></tr></table>`;
  const changes = (a: string, b: string) =>
    compareBundles({ 'text/html': a }, { 'text/html': b }, RULES);

  it('name the row and the column', () => {
    const [{ kind, details }] = changes(table('384'), table('400'));
    assert.equal(kind, 'changed-table');
    assert.deepEqual(details, ['table, row 1, column "headroom": stored "384", got "400"']);
  });

  it('take numbers as numbers', () => {
    assert.deepEqual(changes(table('0.30000000000000004'), table('0.3')), []);
    assert.deepEqual(changes(table('1.0'), table('1')), []);
    assert.equal(changes(table(''), table('0')).length, 1);
  });

  it('are markup where something besides them differs', () => {
    assert.equal(changes(table('1'), table('1').replace('<p>t', '<p>u'))[0].kind, 'changed-markup');
  });
});

describe('images compared', () => {
  /** A PNG of grey pixels, packed with that filter and a comment. */
  function png(pixels: number[][], filter: number, comment: string): string {
    const chunk = (type: string, content: Buffer) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(content.length);
      return Buffer.concat([length, Buffer.from(type), content, Buffer.alloc(4)]); // the checksum is not read
    };
    const header = Buffer.alloc(13);
    header.writeUInt32BE(pixels[0].length, 0);
    header.writeUInt32BE(pixels.length, 4);
    header[8] = 8;
    const rows = pixels.map((row, y) =>
      row.map((value, x) => {
        const left = row[x - 1] ?? 0;
        const up = pixels[y - 1]?.[x] ?? 0;
        const corner = pixels[y - 1]?.[x - 1] ?? 0;
        const paeth = [left, up, corner].reduce((best, next) =>
          Math.abs(left + up - corner - next) < Math.abs(left + up - corner - best) ? next : best,
        );
        const guess = [0, left, up, (left + up) >> 1, paeth][filter];
        return (value - guess) & 255;
      }),
    );
    const packed = deflateSync(Buffer.from(rows.flatMap((row) => [filter, ...row])), {
      level: filter,
    });
    const signature = Buffer.from('89504e470d0a1a0a', 'hex');
    const chunks = [
      chunk('IHDR', header),
      chunk('tEXt', Buffer.from(comment)),
      chunk('IDAT', packed),
      chunk('IEND', Buffer.alloc(0)),
    ];
    return Buffer.concat([signature, ...chunks]).toString('base64');
  }
  const picture = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))
    .chain(([width, height]) =>
      fc.array(fc.array(fc.nat(255), { minLength: width, maxLength: width }), {
        minLength: height,
        maxLength: height,
      }),
    );

  it('of PNG are the same if their pixels are, however they were packed', () => {
    fc.assert(
      fc.property(picture, fc.nat(4), fc.nat(4), (pixels, a, b) => {
        assert.equal(
          compareImages(png(pixels, a, 'made today'), png(pixels, b, 'made later'), RULES),
          undefined,
        );
        const other = structuredClone(pixels);
        other[0][0] ^= 1;
        const count = pixels.length * pixels[0].length;
        assert.equal(
          compareImages(png(pixels, a, ''), png(other, b, ''), RULES),
          `1 of ${count} pixels differ`,
        );
      }),
      effort(50),
    );
  });

  it('follow the rule that is declared', () => {
    const [a, b, wide] = [png([[1]], 0, 'a'), png([[1]], 0, 'b'), png([[1, 1]], 0, 'a')];
    const compare = (x: string, y: string, images: 'exact' | 'size' | 'ignore') =>
      compareImages(x, y, { images });
    assert.match(
      compare(a, b, 'exact') ?? '',
      /^1 × 1 \(\d+ bytes\) stored, 1 × 1 \(\d+ bytes\) new$/,
    );
    assert.equal(compare(a, png([[2]], 0, ''), 'size'), undefined);
    assert.equal(compare(a, wide, 'size'), '1 × 1 stored, 2 × 1 new');
    assert.equal(compare(a, wide, 'ignore'), undefined);
  });
});

describe('text compared', () => {
  it('is what a reader sees: no colours, nothing that was written over, no blanks at the ends', () => {
    const lines = (text: string) => visibleLines(text, RULES);
    assert.deepEqual(lines('\u001b[31mred\u001b[0m  \r\n\n'), ['red']);
    assert.deepEqual(lines('10 %\r50 %\r100 %\ndone'), ['100 %', 'done']);
    assert.deepEqual(lines('long line\rshort'), ['shortline']);
    assert.deepEqual(lines('ab\b\bxy'), ['xy']);
  });

  it('leaves out what a sanitiser names, and nothing else', () => {
    const clean = (name: unknown, text: string) =>
      visibleLines(text, { sanitisers: [readSanitiser(name)] })[0];
    assert.equal(clean('duration', 'took 12.5 ms in 3 steps'), 'took <duration> in 3 steps');
    assert.equal(clean('date', 'on 2025-11-22T19:56:37Z.'), 'on <date>.');
    assert.equal(clean('time', 'at 19:56:37, 3:1'), 'at <time>, 3:1');
    assert.equal(clean('address', 'at 0xffff8800038a2000, 0x10'), 'at <address>, 0x10');
    assert.equal(clean('path', 'in /home/me/file.ts:3 and/or'), 'in <path>:3 and/or');
    assert.equal(clean('uuid', '123e4567-e89b-12d3-a456-426614174000'), '<uuid>');
    assert.equal(clean({ pattern: 'PID \\d+', replacement: 'PID n' }, 'PID 42'), 'PID n');
  });

  it('refuses a sanitiser that does not exist, saying which do', () => {
    assert.throws(
      () => readSanitiser('times'),
      /^RangeError: sanitise: expected duration, .*got "times"$/,
    );
    assert.throws(
      () => readSanitiser({ pattern: '(' }),
      /^RangeError: sanitise: .*Unterminated group/,
    );
    assert.throws(() => readSanitiser(7), /expected a name or \{"pattern"/);
  });
});

describe('diffLines', () => {
  const short = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 });

  it('holds both texts: without its added lines the stored one, without its removed ones the new one', () => {
    fc.assert(
      fc.property(short, short, (a, b) => {
        const diff = diffLines(a, b);
        if (a.join() === b.join() && a.length === b.length) return assert.deepEqual(diff, []);
        const lines = diff.filter((line) => !line.startsWith('@@'));
        const without = (sign: string) =>
          lines.filter((line) => !line.startsWith(sign)).map((line) => line.slice(2));
        const skipped = a.length + b.length - without('+').length - without('-').length;
        if (skipped === 0) assert.deepEqual([without('+'), without('-')], [a, b]);
        // The fewest changes: as many common lines as the longest common subsequence has.
        const changed = lines.filter((line) => !line.startsWith(' ')).length;
        assert.equal(changed, a.length + b.length - 2 * longestCommon(a, b));
      }),
      effort(200),
    );
  });

  it('shows two lines around a change, says where, and counts what is too much', () => {
    const lines = Array.from({ length: 30 }, (_, i) => `line ${i + 1}`);
    const changed = lines.map((line, i) => (i === 19 ? 'other' : line));
    assert.deepEqual(diffLines(lines, changed), [
      '@@ line 18 @@',
      '  line 18',
      '  line 19',
      '- line 20',
      '+ other',
      '  line 21',
      '  line 22',
    ]);
    assert.equal(
      diffLines(
        [],
        Array.from({ length: 90 }, (_, i) => `${i}`),
      ).at(-1),
      '… and 50 more changed lines',
    );
  });
});

function longestCommon(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  if (a[0] === b[0]) return 1 + longestCommon(a.slice(1), b.slice(1));
  return Math.max(longestCommon(a.slice(1), b), longestCommon(a, b.slice(1)));
}

describe('the outputs of a cell compared', () => {
  const stream = (name: string, text: string): Output => ({ output_type: 'stream', name, text });
  const data = (bundle: Record<string, unknown>): Output => ({
    output_type: 'display_data',
    data: bundle,
    metadata: {},
  });
  const kinds = (a: Output[], b: Output[]) => compareOutputs(a, b, RULES).map(({ kind }) => kind);

  it('are the same however text came in pieces and in which order stdout and stderr came', () => {
    const whole = [stream('stdout', 'a\nb\n'), stream('stderr', 'e\n')];
    const pieces = [stream('stderr', 'e\n'), stream('stdout', 'a\n'), stream('stdout', 'b\n')];
    assert.deepEqual(kinds(whole, pieces), []);
    const lines = { ...stream('stdout', ''), text: ['a\n', 'b\n'] as unknown as string };
    assert.deepEqual(kinds([stream('stdout', 'a\nb\n')], [lines]), []);
  });

  it('name what is missing and what is new, and still compare the rest', () => {
    const figure = data({ 'text/plain': 'f' });
    assert.deepEqual(kinds([stream('stdout', 'a'), figure], [figure]), ['missing-output']);
    assert.deepEqual(kinds([figure], [stream('stdout', 'a'), data({ 'text/plain': 'g' })]), [
      'extra-output',
      'changed-text',
    ]);
  });

  it('compare each MIME type, and tell the most telling first', () => {
    const bundle = (y: number) =>
      data({ 'text/plain': `y ${y}`, 'application/vnd.plotly.v1+json': { data: [{ y: [y] }] } });
    const [{ kind, message }] = compareOutputs([bundle(1)], [bundle(2)], RULES);
    assert.equal(kind, 'changed-figure');
    assert.equal(message, 'application/vnd.plotly.v1+json differs (and text/plain)');
    assert.deepEqual(
      kinds([data({ 'text/plain': 'a' })], [data({ 'text/plain': 'a', 'text/html': '<b>' })]),
      ['changed-data'],
    );
  });

  it('take an error as the same if its name and message are, wherever it was thrown', () => {
    const error = (evalue: string, line: string): Output => ({
      output_type: 'error',
      ename: 'Error',
      evalue,
      traceback: [line],
    });
    assert.deepEqual(kinds([error('no', 'line 1')], [error('no', 'line 2')]), []);
    assert.deepEqual(kinds([error('no', '')], [error('yes', '')]), ['changed-error']);
  });
});
