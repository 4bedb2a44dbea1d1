import assert from 'node:assert/strict';
import { toCodePoints, toUnits } from '../../../lib/jupyter/kernel/session/code-points';
import type { KernelClient } from './client';
import { sharedKernel } from './shared';

describe('Completion, inspection and completeness', () => {
  let kernel: KernelClient;
  before(async () => {
    kernel = await sharedKernel();
    await kernel.execute(`/**
 * Doubles a number.
 *
 * @param value what is doubled
 * @returns twice as much
 */
function doubled(value: number): number { return 2 * value }
/** A thing that counts. */
class Tally {
  /** How often. */
  times = 0;
  private hidden = 1; add(by: number, why?: string) { this.times += by } }
const tally = new Tally(); const 𝒰nicode = { 'ключ': 1, plain: 2 };`);
  });

  /** Completes at the bar. */
  async function complete(
    marked: string,
  ): Promise<{ matches: string[]; replaced: string; types: Record<string, string> }> {
    const at = marked.lastIndexOf('|');
    const code = marked.slice(0, at) + marked.slice(at + 1);
    const reply = await kernel.request('shell', 'complete_request', {
      code,
      cursor_pos: toCodePoints(code, at),
    });
    assert.equal(reply.status, 'ok');
    const {
      cursor_start: start,
      cursor_end: end,
      metadata,
    } = reply as {
      cursor_start: number;
      cursor_end: number;
      metadata: Record<string, { text: string; type: string }[]>;
    };
    const types = Object.fromEntries(
      metadata._jupyter_types_experimental.map(({ text, type }) => [text, type]),
    );
    return {
      matches: reply.matches as string[],
      replaced: code.slice(toUnits(code, start), toUnits(code, end)),
      types,
    };
  }

  async function inspect(marked: string, detail = 0): Promise<string> {
    const code = marked.replace('|', '');
    const cursor_pos = toCodePoints(code, marked.indexOf('|'));
    const reply = await kernel.request('shell', 'inspect_request', {
      code,
      cursor_pos,
      detail_level: detail,
    });
    if (!reply.found) return '';
    const data = reply.data as Record<string, string>;
    assert.ok(data['text/markdown']);
    return data['text/plain'];
  }

  it('completes members, and only those that may be used', async () => {
    const { matches, types } = await complete('tally.|');
    assert.deepEqual([...matches].sort(), ['add', 'times']);
    assert.deepEqual(types, { add: 'method', times: 'property' });
    assert.deepEqual((await complete('tally.ti|')).matches, ['times']);
    assert.equal((await complete('tally.ti|')).replaced, 'ti');
  });

  it('completes names of earlier cells, of the cell itself, and of Node', async () => {
    assert.ok((await complete('dou|')).matches.includes('doubled'));
    assert.ok((await complete('const localName = 1; loc|')).matches.includes('localName'));
    assert.ok((await complete('struct|')).matches.includes('structuredClone'));
    assert.ok((await complete('function f(param: number) { par| }')).matches.includes('param'));
    assert.ok((await complete('awa|')).matches.includes('await'));
    const { matches } = await complete('|');
    assert.ok(matches.includes('tally') && matches.includes('console'));
    assert.ok(!matches.some((name) => name.startsWith('$atEnd')));
  });

  it('completes options, imports and strings', async () => {
    assert.ok(
      (await complete('const o: { colour: string; size: number } = { | }')).matches.includes(
        'colour',
      ),
    );
    assert.ok(
      (await complete('import { readF| } from "node:fs"')).matches.includes('readFileSync'),
    );
    assert.deepEqual((await complete('const side: "left" = "le|"')).matches, ['left']);
    const module = await complete('import fs from "node:f|"');
    assert.ok(module.matches.includes('node:fs'));
    assert.equal(module.replaced, 'node:f');
  });

  it('counts positions in code points', async () => {
    const { matches, replaced } = await complete('"😀😀"; tally.ti|');
    assert.deepEqual([matches, replaced], [['times'], 'ti']);
    assert.ok((await complete('𝒰nicode.pl|')).matches.includes('plain'));
  });

  it('completes in code that is not finished', async () => {
    assert.deepEqual((await complete('if (tally.ti|')).matches, ['times']);
    assert.deepEqual((await complete('[1, 2].map((n) => { tally.ti|')).matches, ['times']);
    assert.deepEqual((await complete('`${tally.ti|')).matches, ['times']);
  });

  it('offers nothing where nothing fits, whatever the position', async () => {
    assert.deepEqual((await complete('tally.nothing|')).matches, []);
    for (const cursor_pos of [-5, 1e9, 0.5, 'x', null]) {
      const { status } = await kernel.request('shell', 'complete_request', {
        code: 'ta',
        cursor_pos,
      });
      assert.equal(status, 'ok');
    }
  });

  it('inspects types and documentation', async () => {
    const shown = await inspect('doub|led(2)');
    assert.match(shown, /^function doubled\(value: number\): number\n\nDoubles a number\./);
    assert.match(shown, /@param value what is doubled/);
    assert.match(await inspect('tally.times|'), /\(property\) Tally\.times: number\n\nHow often\./);
    assert.match(
      await inspect('const here = [1, "a"]; he|re'),
      /const here: \(string \| number\)\[\]/,
    );
    assert.match(await inspect('Tally|'), /class Tally\n\nA thing that counts\./);
    assert.match(
      await inspect('import { join } from "node:path"; joi|n', 1),
      /join[^]*declared in .*path\.d\.ts/,
    );
  });

  it('inspects a call from within its brackets', async () => {
    assert.match(await inspect('doubled(|'), /doubled\(value: number\): number/);
    assert.match(await inspect('tally.add(1, |)'), /add\(by: number, why\?: string/);
  });

  it('inspects our library', async () => {
    await kernel.execute('import { Random } from "guardpage"');
    assert.match(await inspect('Rand|om'), /class Random\n[^]*seeded generator/);
  });

  it('finds nothing where there is nothing', async () => {
    assert.equal(await inspect('   |'), '');
    assert.equal(await inspect('|'), '');
    assert.equal(await inspect('5 +| 5'), '');
  });

  it('knows whether a cell goes on', async () => {
    const status = async (code: string) =>
      (await kernel.request('shell', 'is_complete_request', { code })).status;
    for (const code of [
      '1 + 1',
      'const x = 1;',
      'function f() {}',
      '',
      '`done`',
      '({\n})',
      '// remark',
      'await f()',
      '{ a: 1 }',
      'if (a) b',
    ]) {
      assert.equal(await status(code), 'complete', code);
    }
    for (const code of [
      'function f() {',
      'f(',
      '`open',
      '[1,',
      'const x =',
      'if (a)',
      'class A { m() {',
      '/* open',
      'for (;;)',
      'a &&',
      'x.',
      '`${a',
    ]) {
      assert.equal(await status(code), 'incomplete', code);
    }
    for (const code of [')', 'const = 1', 'let 5 = x', '"open', 'a b', '}'])
      assert.equal(await status(code), 'invalid', code);
    const { indent } = await kernel.request('shell', 'is_complete_request', {
      code: 'f(function () {',
    });
    assert.equal(indent, '    ');
  });
});
