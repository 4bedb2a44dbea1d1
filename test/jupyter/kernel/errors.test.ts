import assert from 'node:assert/strict';
import type { Execution, KernelClient } from './client';
import { sharedKernel } from './shared';

describe('Errors of cells', () => {
  let kernel: KernelClient;
  before(async () => {
    kernel = await sharedKernel();
  });

  async function fails(code: string): Promise<NonNullable<Execution['error']>> {
    const cell = await kernel.execute(code);
    assert.equal(cell.reply.status, 'error', code);
    assert.ok(cell.error);
    const { ename, evalue, traceback } = cell.reply;
    assert.equal(ename, cell.error.ename);
    assert.equal(evalue, cell.error.evalue);
    assert.ok(Array.isArray(traceback) && traceback.length > 0);
    return { ...cell.error, traceback: cell.error.traceback.replace(/cell \[\d+\]/g, 'cell [N]') };
  }

  it("points at the cell's own TypeScript", async () => {
    const { ename, evalue, traceback } = await fails(`interface Wide {
  a: number;
}
enum Some { A, B }
function deep<T extends Wide>(wide: T, n: number): number {
  if (n === 0) throw new RangeError(\`too deep: \${wide.a}\`);
  return deep(wide, n - 1);
}
deep({ a: 7 } satisfies Wide, 1);`);
    assert.equal(ename, 'RangeError');
    assert.equal(evalue, 'too deep: 7');
    assert.equal(
      traceback,
      `RangeError: too deep: 7
cell [N], line 6
  3 | }
  4 | enum Some { A, B }
  5 | function deep<T extends Wide>(wide: T, n: number): number {
> 6 |   if (n === 0) throw new RangeError(\`too deep: \${wide.a}\`);
    |                      ^
  7 |   return deep(wide, n - 1);
  8 | }
    at deep (cell [N]:6:22)
    at deep (cell [N]:7:10)
    at cell [N]:9:1`,
    );
  });

  it('follows functions of earlier cells and awaits', async () => {
    await kernel.execute(
      'async function thrower(): Promise<never> {\n  await null;\n  throw new TypeError("late");\n}',
    );
    const { traceback } = await fails('const unrelated = 1;\nawait thrower();');
    assert.match(traceback, /^TypeError: late\ncell \[N\], line 3\n/);
    assert.match(traceback, /at thrower \(cell \[N\]:3:9\)\n\s+at async cell \[N\]:2:1/);
  });

  it('maps a stack that a cell reads', async () => {
    const { stdout } = await kernel.execute(
      'type T = 1;\nfunction here() { return new Error("x").stack }\nconsole.log(here())',
    );
    assert.match(
      stdout,
      /^Error: x\n {4}at here \(cell \[\d+\]:2:26\)\n {4}at cell \[\d+\]:3:13\n$/,
    );
  });

  it('shows causes, aggregates and properties', async () => {
    const { traceback } = await fails(
      'throw new Error("outer", { cause: Object.assign(new TypeError("inner"), { code: "E_INNER" }) })',
    );
    assert.match(traceback, /Error: outer[^]*caused by\nTypeError: inner[^]*code: 'E_INNER'/);
    const all = await fails('throw new AggregateError([new Error("first"), "second"], "several")');
    assert.match(all.traceback, /AggregateError: several[^]*one of\nError: first[^]*'second'/);
    const missing = await fails(
      'import { readFileSync } from "node:fs"; readFileSync("/nowhere/at/all")',
    );
    assert.match(missing.traceback, /ENOENT[^]*code: 'ENOENT'/);
  });

  it('shows what is thrown without being an error', async () => {
    assert.deepEqual(
      (({ ename, evalue }) => ({ ename, evalue }))(await fails('throw "just words"')),
      { ename: 'Uncaught', evalue: 'just words' },
    );
    const { evalue, traceback } = await fails('const fine = 1;\nthrow { code: 5 }');
    assert.equal(evalue, '{ code: 5 }');
    assert.match(traceback, /line 2\n/);
    assert.equal((await fails('throw undefined')).evalue, 'undefined');
    assert.equal((await fails('throw null')).evalue, 'null');
    assert.equal((await fails('await Promise.reject(5n)')).evalue, '5n');
  });

  it('survives errors that cannot be shown', async () => {
    await fails('throw new Proxy({}, { get() { throw new Error("trap") } })');
    await fails(
      'throw Object.defineProperty(new Error("m"), "message", { get() { throw new Error("getter") } })',
    );
    await fails('throw Object.assign(new Error("m"), { name: 5, stack: 7 })');
    await fails('throw Object.assign(Object.create(null), { toString: null })');
    await fails(
      'throw { [Symbol.for("nodejs.util.inspect.custom")]() { throw new Error("custom") } }',
    );
    await fails('throw new Error("x".repeat(1e6))');
    assert.equal((await kernel.execute('"alive"')).result, "'alive'");
  });

  it('cuts the stack of an endless recursion and goes on', async () => {
    const { ename, traceback } = await fails(
      'function endless(): number { return 1 + endless() }\nendless()',
    );
    assert.equal(ename, 'RangeError');
    assert.ok(traceback.split('\n').length < 50);
    assert.match(traceback, /line 1\n/);
  });

  it('reports what only V8 finds wrong', async () => {
    const { ename } = await fails('new RegExp("(")');
    assert.equal(ename, 'SyntaxError');
    assert.equal((await fails('eval("1 +")')).ename, 'SyntaxError');
    assert.equal((await fails('// @ts-nocheck\nnotThere')).ename, 'ReferenceError');
    assert.equal((await fails('(5 as any)()')).ename, 'TypeError');
  });
});
