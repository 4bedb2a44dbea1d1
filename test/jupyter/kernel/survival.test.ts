import assert from 'node:assert/strict';
import type { Message } from '../../../lib/jupyter/kernel/protocol/message';
import { until } from '../../support/until';
import { KernelClient } from './client';
import { sharedKernel } from './shared';

describe('What a kernel has to bear', () => {
  let kernel: KernelClient;
  before(async () => {
    kernel = await sharedKernel();
  });

  async function alive(): Promise<void> {
    assert.equal((await kernel.execute('1 + 1')).result, '2');
  }

  it('process.exit ends the cell and nothing else', async () => {
    await kernel.execute('const survivor = 5');
    const { error } = await kernel.execute('process.exit(3)');
    assert.equal(error?.ename, 'ProcessExit');
    assert.match(error.evalue, /process\.exit\(3\) was called\. The kernel goes on/);
    assert.equal((await kernel.execute('survivor')).result, '5');
  });

  it('an exception in a callback is shown at the cell that started it, which fails', async () => {
    const { reply, error } = await kernel.execute(
      'setTimeout(() => {\n  throw new Error("in a timer");\n}, 10);\nawait new Promise((r) => setTimeout(r, 100));',
    );
    assert.equal(reply.status, 'error');
    assert.equal(error?.evalue, 'in a timer');
    assert.match(error.traceback, /line 2\n/);
  });

  it('a late exception is shown at the cell that started it, not at the one that runs', async () => {
    const late = kernel.begin('setTimeout(() => { throw new Error("late") }, 150)');
    await late.done;
    assert.equal(
      (await kernel.execute('await new Promise((r) => setTimeout(r, 300)); "other"')).result,
      "'other'",
    );
    const [error] = late.outputs.filter(({ type }) => type === 'error');
    assert.equal(error?.content.evalue, 'late');
  });

  it('a rejection that nobody handles fails the cell', async () => {
    const { reply, error } = await kernel.execute('void Promise.reject(new TypeError("unheard"))');
    assert.equal(reply.status, 'error');
    assert.equal(error?.evalue, 'unheard');
    const inEmitter = await kernel.execute(
      'import { EventEmitter } from "node:events"; const e = new EventEmitter(); setTimeout(() => e.emit("error", new Error("emitted")), 5); await new Promise((r) => setTimeout(r, 50))',
    );
    assert.equal(inEmitter.error?.evalue, 'emitted');
  });

  it('output of callbacks goes to the cell that started them', async () => {
    const first = kernel.begin('setTimeout(() => console.log("from the first"), 100)');
    await first.done;
    const second = await kernel.execute(
      'await new Promise((r) => setTimeout(r, 200)); console.log("from the second")',
    );
    assert.equal(second.stdout, 'from the second\n');
    assert.ok(first.outputs.some(({ content }) => content.text === 'from the first\n'));
  });

  it('prints objects that are circular, hostile or huge', async () => {
    const ok = async (code: string, shown: RegExp) => {
      const cell = await kernel.execute(code);
      assert.equal(cell.reply.status, 'ok', cell.error?.traceback);
      assert.match(cell.result ?? cell.stdout, shown, code);
      assert.ok((cell.result ?? cell.stdout).length < 200_000, code);
    };
    await ok(
      'const circle: any = { name: "c" }; circle.self = circle; circle',
      /<ref \*1> .*\[Circular \*1\]/s,
    );
    await ok('console.log(circle)', /Circular/);
    await ok('({ get thrower() { throw new Error("getter") } })', /thrower: \[Getter\]/);
    await ok(
      'new Proxy({ a: 1 }, { get() { throw new Error("trap") }, ownKeys() { throw new Error() } })',
      /a: 1/,
    );
    await ok(
      '({ [Symbol.for("nodejs.util.inspect.custom")]() { throw new Error("mine") } })',
      /its own inspect method failed: Error: mine/,
    );
    await ok('new Uint8Array(1e6)', /Uint8Array\(1000000\) \[[^]*999900 more items/);
    await ok('"x".repeat(1e7)', /9990000 more characters/);
    await ok('Array.from({ length: 1e6 }, (_, i) => i)', /999900 more items/);
    await ok('new Map(Array.from({ length: 1e5 }, (_, i) => [i, i]))', /99900 more items/);
    await ok(
      'Object.fromEntries(Array.from({ length: 1e6 }, (_, i) => ["k" + i, i]))',
      /999,900 more keys/,
    );
    await ok(
      '({ deep: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => ["k" + i, i])) })',
      /900 more keys/,
    );
    await ok(
      'Array.from({ length: 50 }, () => "y".repeat(9_000))',
      /cut: 45\d,\d{3} characters in all/,
    );
    await ok('12345678901234567890n', /12345678901234567890n/);
    await ok('Object.create(null)', /Object: null prototype/);
    await ok(
      '[, 1, undefined, null, NaN, -0, Symbol("s"), () => 1, class A {}]',
      /1 empty item.*-0.*Symbol\(s\)/s,
    );
  });

  it('deep recursion and deep nesting', async () => {
    assert.equal(
      (await kernel.execute('(function f(): number { return f() + 1 })()')).error?.ename,
      'RangeError',
    );
    await kernel.execute('let nest: any = 0; for (let i = 0; i < 1e4; i++) nest = [nest]');
    assert.match((await kernel.execute('nest')).result!, /\[Array\]/);
    const brackets = '['.repeat(1200) + ']'.repeat(1200);
    const deep = await kernel.execute(brackets, { timeout: 60_000 });
    assert.match(deep.result!, /\[Array\]/);
    await alive();
  });

  it('allocations of a gigabyte', async () => {
    assert.equal(
      (await kernel.execute('const gig = new Uint8Array(2 ** 30); gig.fill(1); gig.length')).result,
      '1073741824',
    );
    await kernel.execute('// @ts-ignore\ngig = undefined');
    assert.equal((await kernel.execute('"x".repeat(2 ** 30)')).error?.ename, 'RangeError');
    assert.equal((await kernel.execute('new Array(2 ** 32)')).error?.ename, 'RangeError');
    await alive();
  });

  it('tampering with what everything is made of', async () => {
    const other = await KernelClient.start();
    try {
      const tamper = [
        'Array.prototype.push = () => 0; Array.prototype.map = () => [] as any; Object.keys = () => []',
        '(globalThis as any).Promise = class {}; (globalThis as any).setTimeout = 5; Error.prepareStackTrace = () => { throw 1 }',
        'JSON.parse = JSON.stringify = () => "tampered"; Function.prototype.call = () => 5 as any',
        'Object.defineProperty(Object.prototype, "data", { value: "polluted" })',
      ];
      for (const code of tamper)
        assert.equal((await other.execute(code, { timeout: 5000 })).reply.status, 'ok', code);
      assert.equal((await other.execute('1 + 1', { timeout: 5000 })).reply.status, 'ok');
      assert.equal(
        (await other.execute('const x: number = ""', { timeout: 5000 })).error?.ename,
        'TS2322',
      );
    } finally {
      await other.stop();
    }
  });

  it('standard streams in every way', async () => {
    const { stdout, stderr } = await kernel.execute(`process.stdout.write('plain ');
process.stdout.write(Buffer.from('bytes é'));
process.stderr.write('wrong\\n');
console.error('%s is %d', 'x', 5);
console.table([{ a: 1 }]);
console.group('g'); console.info('inside'); console.groupEnd();
await new Promise<void>((done) => process.stdout.write('called back', () => done()));`);
    assert.match(stdout, /^plain bytes é[^]*│[^]*a[^]*1[^]*g\n {2}inside\ncalled back$/);
    assert.equal(stderr, 'wrong\nx is 5\n');
  });

  it('what a child process prints', async () => {
    const cell = await kernel.execute(
      'import { spawnSync } from "node:child_process"; spawnSync("echo", ["from a child"], { stdio: "inherit" })',
    );
    // The child has a pipe of its own: what comes through it may come after the cell's end.
    const printed = () => cell.outputs.find(({ type }) => type === 'stream');
    const { content } = await until('what the child printed', printed);
    assert.deepEqual(content, { name: 'stdout', text: 'from a child\n' });
  });

  it('colours on the console', async () => {
    const { outputs } = await kernel.execute('console.log({ n: 1, s: "x" })');
    const stream = outputs.find(({ type }) => type === 'stream');
    assert.match(String(stream?.content.text), /\u001b\[33m1\u001b\[39m/);
  });

  it('the death of the process that runs the cells is told, and a new one is there', async () => {
    const other = await KernelClient.start();
    try {
      await other.execute('const lost = 1; import { join } from "node:path"');
      const { reply, error } = await other.execute('process.abort()');
      assert.equal(reply.status, 'error');
      assert.equal(error?.ename, 'ProcessDied');
      assert.match(error.evalue, /All variables are lost\. A new process is ready/);
      assert.equal((await other.execute('lost')).error?.ename, 'TS2304');
      assert.equal((await other.execute('const lost = 2; lost')).result, '2');
      const isDeath = (channel: string, { content }: Message) =>
        channel === 'iopub' && content.ename === 'ProcessDied';
      const death = other.wait(isDeath, 15_000, 'the death between two cells');
      const silent = await other.execute('setTimeout(() => process.abort(), 50)');
      assert.equal(silent.reply.status, 'ok');
      await death;
      assert.equal((await other.execute('3')).result, '3');
    } finally {
      await other.stop();
    }
  });

  it('running out of memory is told as such', async function () {
    this.timeout(60_000);
    const other = await KernelClient.start({ env: { NODE_OPTIONS: '--max-old-space-size=128' } });
    try {
      const { error } = await other.execute(
        'const hoard: number[][] = []; for (;;) hoard.push(new Array(1e5).fill(1.5))',
        { timeout: 50_000 },
      );
      assert.equal(error?.ename, 'ProcessDied');
      assert.match(error.evalue, /it ran out of memory/);
      assert.equal((await other.execute('"again"')).result, "'again'");
    } finally {
      await other.stop();
    }
  });
});
