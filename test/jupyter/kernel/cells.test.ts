import assert from 'node:assert/strict';
import type { KernelClient } from './client';
import { sharedKernel } from './shared';

describe('Cells of the notebook kernel', () => {
  let kernel: KernelClient;
  before(async () => {
    kernel = await sharedKernel();
  });

  /** Runs cells in order; returns the last one's result, having asserted that all went well. */
  async function run(...cells: string[]): Promise<string | undefined> {
    let result: string | undefined;
    for (const code of cells) {
      const cell = await kernel.execute(code);
      assert.equal(cell.reply.status, 'ok', `${code}\n${cell.error?.traceback}`);
      ({ result } = cell);
    }
    return result;
  }

  it('shows the value of the last expression, and nothing for a statement', async () => {
    assert.equal(await run('1 + 1'), '2');
    assert.equal(await run('"a string"'), "'a string'");
    assert.equal(await run('const unshown = 5'), undefined);
    assert.equal(await run('undefined'), undefined);
    assert.equal(await run('if (true) { 5 }'), undefined);
    assert.equal(await run('unshown;'), '5');
    assert.equal(await run(''), undefined);
    assert.equal(await run('// only a remark'), undefined);
  });

  it('takes a cell in braces for an object', async () => {
    assert.equal(await run('const braced = 2', '{a: 1, braced}'), '{ a: 1, braced: 2 }');
    assert.equal(await run('{ const inner = 1; console.log(inner); }'), undefined);
  });

  it('lets earlier functions see later assignments', async () => {
    await run('let counter = 0; const increment = () => ++counter', 'increment(); increment()');
    assert.equal(await run('counter = 10; increment(); counter'), '11');
  });

  it('lets earlier functions see what is declared anew', async () => {
    await run('function inner() { return "old" }', 'function outer() { return inner() }');
    assert.equal(await run('function inner() { return "new" }', 'outer()'), "'new'");
    await run('const factor = 2; const scale = (x: number) => x * factor', 'const factor = 3');
    assert.equal(await run('scale(5)'), '15');
  });

  it('declares every kind of name again as any other', async () => {
    const kinds = [
      'const again = 1',
      'let again = "two"',
      'function again() { return 3 }',
      'class again { static four = 4 }',
      'enum again { five = 5 }',
      'var again = 6',
      'namespace again { export const seven = 7 }',
      'import { join as again } from "node:path"',
      'const { again } = { again: 8 }',
      'type again = 9; const again: again = 9',
      'let again: number | undefined',
    ];
    for (const kind of [...kinds, ...[...kinds].reverse()]) await run(kind);
    assert.equal(await run('const again = 10', 'again'), '10');
  });

  it('sees a redeclared type in its new form', async () => {
    await run('interface Shape { side: number }', 'interface Shape { radius: number }');
    assert.equal(await run('const circle: Shape = { radius: 2 }; circle.radius'), '2');
    await run('enum Level { Low }', 'enum Level { High = 7 }');
    assert.equal(await run('Level'), "{ '7': 'High', High: 7 }");
  });

  it('hoists functions within a cell', async () => {
    assert.equal(await run('hoisted(); function hoisted() { return 4 }; hoisted()'), '4');
    assert.equal(await run('hoisted.name'), "'hoisted'");
  });

  it('keeps `var` of loops and blocks, and `let` of blocks out', async () => {
    await run('for (var step = 0; step < 3; step++) { var seen = step; let hidden = step }');
    assert.equal(await run('[step, seen]'), '[ 3, 2 ]');
    const { error } = await kernel.execute('hidden');
    assert.equal(error?.ename, 'TS2304');
    assert.equal(
      await run('for (var key in { k: 1 }) {}; for (var of of [7]) {}', '[key, of]'),
      "[ 'k', 7 ]",
    );
  });

  it('assigns by destructuring to names of earlier cells', async () => {
    await run('let n1 = 0, n2 = 0, rest: number[] = []');
    await run('({ n1, n2 } = { n1: 1, n2: 2 })', '[n1, ...rest] = [5, 6, 7]');
    assert.equal(await run('[n1, n2, rest]'), '[ 5, 2, [ 6, 7 ] ]');
    await run(
      'const { deep: { a = 1, ...others }, ["computed"]: c } = { deep: { b: 2 } as any, computed: 3 }',
    );
    assert.equal(await run('[a, others, c]'), '[ 1, { b: 2 }, 3 ]');
  });

  it('runs loops at the top as loops run in functions, whatever they do', async () => {
    await run('let total = 0, product = 1; const factors = [2, 3, 4]; let record = { n: 0 }');
    await run('for (const factor of factors) { total += factor; product *= factor; record.n++ }');
    assert.equal(await run('[total, product, record.n]'), '[ 9, 24, 3 ]');
    await run(
      'let i9 = 0; outer: for (;;) { for (const f of factors) { if (i9++ > 5) break outer } }',
    );
    await run('let left = 3; do { if (left === 2) { left--; continue } left-- } while (left > 0)');
    await run(
      'let found = ""; for (const key in record) { found += key; const shown = { found } }',
    );
    assert.equal(await run('[i9, left, found]'), "[ 7, 0, 'n' ]");
    await kernel.execute(
      'let reached = 0; for (;;) { if (reached === 4) throw new Error("at four"); reached++ }',
    );
    assert.equal(await run('reached'), '4');
    await run(
      'let seen2 = 0; const look = () => seen2; let shown2: number[] = []; for (let i = 0; i < 3; i++) { seen2 = i; shown2.push(look()) }',
    );
    assert.equal(await run('shown2'), '[ 0, 1, 2 ]');
    await run('let shadow = 1; for (let shadow = 5; shadow < 7; shadow++) { total = shadow }');
    assert.equal(await run('[shadow, total]'), '[ 1, 6 ]');
  });

  it('awaits at the top, also in loops', async () => {
    assert.equal(await run('const waited = await Promise.resolve(6); waited'), '6');
    await run('let sum = 0; for await (const n of [1, Promise.resolve(2)]) sum += n');
    assert.equal(await run('sum'), '3');
    await run('async function* count() { yield 1; yield 2 }');
    assert.equal(
      await run('const all: number[] = []; for await (const n of count()) all.push(n); all'),
      '[ 1, 2 ]',
    );
  });

  it('shows a promise that is not awaited as a promise', async () => {
    assert.equal(await run('Promise.resolve(5)'), 'Promise { 5 }');
  });

  it('disposes of `using` when the cell ends', async () => {
    await run('const log: string[] = []');
    await run(
      'using r = { [Symbol.dispose]() { log.push("disposed") } }; log.push("used"); const kept = 3',
    );
    assert.equal(await run('[...log, kept]'), "[ 'used', 'disposed', 3 ]");
    await run('await using s = { async [Symbol.asyncDispose]() { log.push("async") } };');
    assert.equal(await run('log.length'), '3');
    assert.equal((await kernel.execute('r')).error?.ename, 'TS2304');
  });

  it('runs decorators', async () => {
    await run(`function double(method: (this: any, n: number) => number, context: ClassMethodDecoratorContext) {
  return function (this: any, n: number) { return 2 * method.call(this, n) }
}
class Decorated { @double get(n: number) { return n } }`);
    assert.equal(await run('new Decorated().get(4)'), '8');
  });

  it('has classes with private, static and accessor members over several cells', async () => {
    await run(
      'abstract class Base<T> { static made = 0; #secret: T; constructor(s: T) { this.#secret = s; Base.made++ } get secret() { return this.#secret } }',
    );
    await run(
      'class Derived extends Base<number> { override get secret() { return super.secret + 1 } }',
    );
    assert.equal(await run('new Derived(41).secret'), '42');
    assert.equal(await run('Base.made'), '1');
  });

  it('exports without harm', async () => {
    assert.equal(
      await run('export const exported = 1; export function f1() { return exported }', 'f1()'),
      '1',
    );
    assert.equal(await run('export default class Named { x = 2 }', 'new Named().x'), '2');
    await run('const e1 = 1; export { e1 }');
  });

  it('knows where it is', async () => {
    assert.match((await run('__dirname'))!, /notebooks'$/);
    assert.match((await run('import.meta.url'))!, /^'file:\/\/.*notebooks/);
    assert.match((await run('import.meta.dirname'))!, /notebooks'$/);
    assert.match((await run('require("node:path").basename(__filename)'))!, /cell/);
  });

  it('lets a cell use a name that all modules share', async () => {
    await run('const URL = "http://x"; class Map { mine = 1 }; function fetch() { return URL }');
    assert.equal(await run('fetch()'), "'http://x'");
    assert.equal(await run('({ URL, m: new Map().mine })'), "{ URL: 'http://x', m: 1 }");
    assert.equal(await run('new Map()'), 'Map { mine: 1 }');
    // The libraries have theirs.
    assert.equal(await run('import.meta.resolve("./x").startsWith("file:")'), 'true');
    await run('const { URL } = globalThis', 'import { URL as OtherURL } from "node:url"');
    assert.equal(await run('new URL("http://a/b").pathname + (URL === OtherURL)'), "'/btrue'");
    await run('const Map = globalThis.Map; const fetch = globalThis.fetch');
  });

  it('keeps what a cell declared before it failed', async () => {
    const { error } = await kernel.execute(
      'const before = 1; throw new Error("half way"); const behind = 2; function early() { return before }',
    );
    assert.equal(error?.evalue, 'half way');
    assert.equal(await run('before + early()'), '2');
    assert.equal((await kernel.execute('behind')).error?.ename, 'TS2304');
  });

  it('keeps the old value of a name whose new declaration fails', async () => {
    await run('const precious = "kept"');
    await kernel.execute('const precious: number = (() => { throw new Error() })()');
    assert.equal(await run('precious.toUpperCase()'), "'KEPT'");
  });

  it('is strict at run time too', async () => {
    assert.equal(await run('(function (this: unknown) { return this })()'), undefined);
    const { error } = await kernel.execute('(Object.freeze([]) as any).push(1)');
    assert.equal(error?.ename, 'TypeError');
  });

  it('evaluates user expressions beside the cell', async () => {
    const content = {
      user_expressions: {
        good: 'six * 2',
        bad: 'nowhere',
        thrown: '(() => { throw new Error("x") })()',
      },
    };
    const { reply } = await kernel.execute('const six = 6', { content });
    const { good, bad, thrown } = reply.user_expressions as Record<
      string,
      { status: string; ename?: string; data?: object }
    >;
    assert.deepEqual(good, { status: 'ok', data: { 'text/plain': '12' }, metadata: {} });
    assert.equal(bad.ename, 'TS2304');
    assert.equal(thrown.ename, 'Error');
  });
});
