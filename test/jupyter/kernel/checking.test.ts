import assert from 'node:assert/strict';
import type { KernelClient } from './client';
import { sharedKernel } from './shared';

describe('Type checking of cells', () => {
  let kernel: KernelClient;
  before(async () => {
    kernel = await sharedKernel();
  });

  async function refused(
    code: string,
  ): Promise<{ ename: string; evalue: string; traceback: string }> {
    const { reply, error } = await kernel.execute(code);
    assert.equal(reply.status, 'error', `${code} was not refused`);
    assert.ok(error);
    assert.match(error.ename, /^TS\d+$/, error.traceback);
    return error;
  }

  it('is strict by default', async () => {
    assert.equal((await refused('const u: string = undefined')).ename, 'TS2322');
    assert.equal((await refused('function f(x) { return x }')).ename, 'TS7006');
    assert.equal((await refused('class C { x: number }')).ename, 'TS2564');
    assert.equal((await refused('try { 1 } catch (e) { e.message }')).ename, 'TS18046');
    assert.equal((await refused('const one: 1 = 1; one = 2')).ename, 'TS2588');
  });

  it('says what to do instead of a magic, and only then', async () => {
    for (const code of ['%timeit 1', '%%html\n<b>', '!ls']) {
      assert.match((await refused(code)).traceback, /magics .* not known here/);
    }
    assert.doesNotMatch((await refused('nowhere % 2')).traceback, /magics/);
  });

  it('shows line, caret and message, of several mistakes at once', async () => {
    const { traceback, evalue } = await refused(
      'const a = 1;\nconst b: string = a;\nlet c = nowhere;',
    );
    assert.equal(evalue, "Type 'number' is not assignable to type 'string'.");
    const count = /cell \[(\d+)\]/.exec(traceback)![1];
    assert.equal(
      traceback,
      `TS2322: Type 'number' is not assignable to type 'string'.
cell [${count}], line 2
  1 | const a = 1;
> 2 | const b: string = a;
    |       ^
  3 | let c = nowhere;

TS2304: Cannot find name 'nowhere'.
cell [${count}], line 3
  1 | const a = 1;
  2 | const b: string = a;
> 3 | let c = nowhere;
    |         ^^^^^^^
The cell was checked and not run.`,
    );
  });

  it('runs nothing of a cell that has a mistake anywhere', async () => {
    await kernel.execute('let touched = false');
    const { stdout, error } = await kernel.execute(
      'touched = true; console.log("ran"); const x: number = ""',
    );
    assert.equal(stdout, '');
    assert.equal(error?.ename, 'TS2322');
    assert.equal((await kernel.execute('touched')).result, 'false');
  });

  it('places mistakes right behind what earlier cells declared', async () => {
    await kernel.execute(
      '/** One.\n * Two.\n */\nconst behind = { a: 1 };\ninterface Q { q: string }',
    );
    const { traceback } = await refused('\n  behind.b');
    assert.match(traceback, /line 2\n {2}1 \| \n> 2 \| {3}behind\.b\n {4}\| {10}\^/);
  });

  it('keeps types over cells', async () => {
    await kernel.execute(
      'function pick<T, K extends keyof T>(from: T, key: K): T[K] { return from[key] }',
    );
    await kernel.execute('const picked = pick({ n: 1, s: "x" }, "s")');
    assert.equal((await refused('const wrong: number = picked')).ename, 'TS2322');
    await kernel.execute(
      'type Tree = { value: number; children: Tree[] }; const tree: Tree = { value: 1, children: [] }',
    );
    assert.equal((await refused('tree.children[0].valu')).ename, 'TS2551');
    await kernel.execute('abstract class Animal { private legs = 4; abstract noise(): string }');
    assert.equal((await refused('new Animal()')).ename, 'TS2511');
    assert.equal((await refused('declare const an: Animal; an.legs')).ename, 'TS2341');
  });

  it('finds the type of a variable in what the cell does to it', async () => {
    assert.equal(
      (await kernel.execute('let late; late = 5; const list = []; list.push("x")')).reply.status,
      'ok',
    );
    assert.equal((await refused('late.toUpperCase()')).ename, 'TS2339');
    assert.equal((await refused('list.push(1)')).ename, 'TS2345');
    const { evalue } = await refused('const nothing = []');
    assert.match(evalue, /implicitly has type 'any\[\]'/);
    for (const code of ['let bare', 'let bare = null', 'let bare = undefined']) {
      assert.match((await refused(code)).evalue, /'bare' has no type that later cells could know/);
    }
    await kernel.execute('let bare = null; bare = new Date(0)');
    assert.equal((await kernel.execute('bare.getTime()')).result, '0');
  });

  it('obeys @ts-expect-error, @ts-ignore and @ts-nocheck', async () => {
    const ok = async (code: string) =>
      assert.equal((await kernel.execute(code)).reply.status, 'ok', code);
    await ok('// @ts-expect-error: on purpose\nconst x1: number = "a"');
    await ok('// @ts-ignore\nconst x2: number = "a"');
    await ok('// @ts-nocheck\nconst x3: number = "a"; function g(y) { return y }');
    assert.equal((await refused('// @ts-expect-error\nconst x4 = 1')).ename, 'TS2578');
  });

  it('reports syntax in words of TypeScript', async () => {
    assert.equal((await refused('const = 5')).ename, 'TS1134');
    assert.equal((await refused('foo(')).ename, 'TS1135');
    assert.equal((await refused('`never closed')).ename, 'TS1160');
    assert.equal((await refused('return 5')).ename, 'TS1108');
  });

  it('offers no browser', async () => {
    const { evalue } = await refused('document.title');
    assert.match(evalue, /Cells run in Node, not in the browser/);
  });

  it('knows what this version of Node has', async () => {
    assert.equal((await kernel.execute('[3, 1].toSorted().at(-1)')).result, '3');
    assert.equal((await kernel.execute('structuredClone({ a: 1n })')).result, '{ a: 1n }');
    assert.equal((await kernel.execute('/\\p{L}--[a]/v.test("b")')).reply.status, 'ok');
    assert.equal(
      (await kernel.execute('typeof fetch + typeof performance.now()')).result,
      "'functionnumber'",
    );
  });

  it('declares what exists at run time only, and augments', async () => {
    await kernel.execute('(globalThis as any).fromOutside = 5');
    await kernel.execute('declare const fromOutside: number');
    assert.equal((await kernel.execute('fromOutside + 1')).result, '6');
    await kernel.execute('declare global { interface Array<T> { second(): T | undefined } }');
    await kernel.execute('Array.prototype.second = function () { return this[1] }');
    assert.equal((await kernel.execute('[1, 2].second()')).result, '2');
    await kernel.execute('delete (Array.prototype as any).second');
  });

  it('does not slow down or lose types over many cells', async () => {
    for (let i = 0; i < 60; i += 1)
      await kernel.execute(`const many${i} = ${i}; function use${i}() { return many${i} }`);
    const sum = Array.from({ length: 60 }, (_, i) => `use${i}()`).join(' + ');
    assert.equal((await kernel.execute(sum)).result, '1770');
  });
});
