import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject, Message } from '../../../lib/jupyter/kernel/protocol/message';
import { Wire } from '../../../lib/jupyter/kernel/protocol/wire';
import { History } from '../../../lib/jupyter/kernel/session/history';
import { until } from '../../support/until';
import { KernelClient, MAIN } from './client';
import { printedBy, whileCellHolds } from './holding-cell';
import { sharedKernel } from './shared';

/** Whether a process runs; one that has ended and waits for its parent does not. */
function isAlive(pid: number): boolean {
  try {
    if (!existsSync('/proc/self')) return process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const gone = (pids: readonly number[]) =>
  until(`the end of ${pids.join()}`, () => !pids.some(isAlive), 15_000);

describe('The Jupyter protocol', () => {
  let kernel: KernelClient;
  before(async () => {
    kernel = await sharedKernel();
  });

  it('kernel_info says what the kernel is', async () => {
    const info = await kernel.request('shell', 'kernel_info_request', {});
    assert.equal(info.status, 'ok');
    assert.match(String(info.protocol_version), /^5\.\d$/);
    const language = info.language_info as JsonObject;
    assert.equal(language.name, 'typescript');
    assert.equal(language.file_extension, '.ts');
    assert.equal((await kernel.request('control', 'kernel_info_request', {})).status, 'ok');
  });

  it('a request is framed by busy and idle, an execution announced by execute_input', async () => {
    const seen: string[] = [];
    const { header, done } = kernel.begin('console.log("x"); 5');
    const off = kernel.on((channel, { header: { msg_type: type }, parentHeader, content }) => {
      if (channel !== 'iopub' || parentHeader.msg_id !== header.msg_id) return;
      seen.push(`${type} ${content.execution_state ?? ''}`.trim());
    });
    await done;
    off();
    assert.deepEqual(seen, [
      'status busy',
      'execute_input',
      'stream',
      'execute_result',
      'status idle',
    ]);
  });

  it('counts what is stored, and nothing else', async () => {
    const count = async (content: JsonObject) =>
      (await kernel.execute('1', { content })).reply.execution_count;
    const first = Number(await count({}));
    assert.equal(await count({ store_history: false }), first);
    assert.equal(await count({ silent: true }), first);
    assert.equal(await count({}), first + 1);
  });

  it('a silent execution puts nothing on iopub', async () => {
    const cell = await kernel.execute('console.log("unheard"); 5', { content: { silent: true } });
    assert.deepEqual(cell.outputs, []);
    assert.equal(cell.reply.status, 'ok');
    const failed = await kernel.execute('throw new Error("unseen")', { content: { silent: true } });
    assert.deepEqual(failed.outputs, []);
    assert.equal(failed.reply.evalue, 'unseen');
  });

  it('an error aborts what is queued, unless told otherwise', async () => {
    const cells = [
      kernel.begin('throw new Error("first")'),
      kernel.begin('"second"'),
      kernel.begin('"third"'),
    ];
    const replies = await Promise.all(cells.map(async ({ done }) => (await done).reply.status));
    assert.deepEqual(replies, ['error', 'aborted', 'aborted']);
    const lenient = [
      kernel.begin('throw new Error("first")', { content: { stop_on_error: false } }),
      kernel.begin('"second"'),
    ];
    const others = await Promise.all(lenient.map(async ({ done }) => (await done).reply.status));
    assert.deepEqual(others, ['error', 'ok']);
  });

  it('a cell sent right after an error runs', async () => {
    for (let i = 0; i < 10; i += 1) {
      assert.equal((await kernel.execute('throw 1')).reply.status, 'error');
      assert.equal((await kernel.execute(String(i))).result, String(i));
    }
  });

  it('answers while a cell runs, and stays busy', async () => {
    await whileCellHolds(kernel, async () => {
      const states: string[] = [];
      const off = kernel.on((channel, { header, content }) => {
        if (channel === 'iopub' && header.msg_type === 'status')
          states.push(String(content.execution_state));
      });
      const { matches } = await kernel.request('shell', 'complete_request', {
        code: 'conso',
        cursor_pos: 5,
      });
      assert.ok((matches as string[]).includes('console'));
      await until('three states', () => states.length >= 3, 5000);
      assert.deepEqual(states, ['busy', 'idle', 'busy']);
      off();
    });
  });

  it('history: tail, range, search', async () => {
    const ask = async (content: JsonObject) =>
      (await kernel.request('shell', 'history_request', { output: false, raw: true, ...content }))
        .history as unknown[][];
    for (const code of ['"h" + 1', '"h" + 2', '"h" + 1']) await kernel.execute(code);
    const tail = await ask({ hist_access_type: 'tail', n: 2 });
    assert.deepEqual(
      tail.map(([, , code]) => code),
      ['"h" + 2', '"h" + 1'],
    );
    const [session, line] = tail[0] as [number, number];
    const range = await ask({ hist_access_type: 'range', session, start: line, stop: line + 1 });
    assert.deepEqual(range, [[session, line, '"h" + 2']]);
    const current = await ask({
      hist_access_type: 'range',
      session: 0,
      start: line,
      stop: line + 1,
      output: true,
    });
    assert.deepEqual(current, [[session, line, ['"h" + 2', "'h2'"]]]);
    assert.equal((await ask({ hist_access_type: 'search', pattern: '"h" + *' })).length, 3);
    const unique = await ask({ hist_access_type: 'search', pattern: '"h" + ?', unique: true });
    assert.deepEqual(
      unique.map(([, , code]) => code),
      ['"h" + 2', '"h" + 1'],
    );
    assert.equal((await ask({ hist_access_type: 'search', pattern: '"h"*', n: 1 })).length, 1);
    assert.deepEqual(await ask({ hist_access_type: 'search', pattern: 'no such' }), []);
  });

  it('the history outlives the kernel if it has a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kernel-history-'));
    const file = join(folder, 'sub', 'history.jsonl');
    const tail = { hist_access_type: 'tail', n: 5, output: true };
    try {
      const first = new History(file);
      first.add(1, 'one', "'1'");
      first.add(2, 'two', null);
      appendFileSync(file, '{"cut short');
      const second = new History(file);
      second.add(1, 'newer', null);
      assert.deepEqual(second.ask(tail), [
        [1, 1, ['one', "'1'"]],
        [1, 2, ['two', null]],
        [2, 1, ['newer', null]],
      ]);
      const earlier = second.ask({ hist_access_type: 'range', session: -1, start: 1 });
      assert.deepEqual(earlier, [
        [1, 1, 'one'],
        [1, 2, 'two'],
      ]);
      assert.equal(new History(file).ask({ hist_access_type: 'search', pattern: 'n*' }).length, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('input comes over stdin, awaited or at once, shown or hidden', async () => {
    const asked: unknown[] = [];
    const answer = (value: string) => (prompt: string, hidden: boolean) => {
      asked.push([prompt, hidden]);
      return value;
    };
    const cell = await kernel.execute(
      'import { input, password } from "guardpage-kernel"; const a = await input("name? "); const b = await password("secret? "); const c = prompt("now? ", "preset"); const d = prompt("empty? ", "preset"); [a, b, c, d]',
      { input: [answer('Ann'), answer('hush'), answer('sync'), answer('')] },
    );
    assert.equal(cell.result, "[ 'Ann', 'hush', 'sync', 'preset' ]", cell.error?.traceback);
    assert.deepEqual(asked, [
      ['name? ', false],
      ['secret? ', true],
      ['now? ', false],
      ['empty? ', false],
    ]);
  });

  it('input is refused where nobody can be asked, and can be interrupted', async () => {
    const refused = await kernel.execute('await input("?")');
    assert.match(refused.error!.evalue, /the front end takes no input/);
    for (const code of ['await input("?")', 'prompt("?")']) {
      const asked = kernel.wait((channel) => channel === 'stdin');
      const running = kernel.begin(code, { input: [] });
      await asked;
      await kernel.interrupt();
      assert.equal((await running.done).reply.status, 'error');
      assert.equal((await kernel.execute('1')).result, '1');
    }
  });

  it('comms from the front end: open, messages both ways with buffers, close', async () => {
    await kernel.execute(
      'import { registerTarget } from "guardpage-kernel"; registerTarget("echo", (comm, { data }) => { comm.send({ opened: data }); comm.onMessage(({ data, buffers }) => { console.log("got", data.n); comm.send({ twice: 2 * (data.n as number) }, { buffers: buffers.map((b) => b.map((x) => x + 1)) }) }); comm.onClose(() => console.log("closed")) })',
    );
    const received: Message[] = [];
    const off = kernel.on((channel, message) => {
      if (channel === 'iopub' && /comm|stream/.test(message.header.msg_type))
        received.push(message);
    });
    const send = async (type: string, content: JsonObject, buffers: Buffer[] = []) => {
      const { msg_id: id } = kernel.send('shell', type, { comm_id: 'c1', ...content }, {}, buffers);
      await kernel.waitIdle(id);
    };
    await send('comm_open', { target_name: 'echo', data: { hello: 1 } });
    const { comms } = await kernel.request('shell', 'comm_info_request', { target_name: 'echo' });
    assert.deepEqual(comms, { c1: { target_name: 'echo' } });
    await send('comm_msg', { data: { n: 21 } }, [Buffer.from([1, 2])]);
    await send('comm_close', { data: {} });
    off();
    const told = received.map(({ header, content }) => [
      header.msg_type,
      content.data ?? content.text,
    ]);
    assert.deepEqual(told, [
      ['comm_msg', { opened: { hello: 1 } }],
      ['stream', 'got \u001b[33m21\u001b[39m\n'],
      ['comm_msg', { twice: 42 }],
      ['stream', 'closed\n'],
    ]);
    assert.deepEqual(received[2].buffers, [Buffer.from([2, 3])]);
    assert.deepEqual((await kernel.request('shell', 'comm_info_request', {})).comms, {});
  });

  it('comms from the kernel, and to a target nobody knows', async () => {
    const cell = await kernel.execute(
      'import { openComm } from "guardpage-kernel"; const comm = openComm("widget", { x: 1 }); comm.send({ y: 2 }); comm.close()',
    );
    const [open, message, close] = cell.outputs.filter(({ type }) => /comm/.test(type));
    assert.deepEqual(
      [open.type, open.content.target_name, open.content.data],
      ['comm_open', 'widget', { x: 1 }],
    );
    assert.deepEqual([message.type, message.content.data], ['comm_msg', { y: 2 }]);
    assert.deepEqual([close.type, close.content.comm_id], ['comm_close', open.content.comm_id]);
    const closing = kernel.wait((_channel, { header }) => header.msg_type === 'comm_close');
    kernel.send('shell', 'comm_open', { comm_id: 'c2', target_name: 'nobody', data: {} });
    assert.equal((await closing).content.comm_id, 'c2');
    assert.equal(
      (await kernel.execute('comm.send({})')).error?.evalue,
      'the comm widget is closed',
    );
  });

  it('refuses to send what JSON cannot hold', async () => {
    const cell = await kernel.execute('const c5 = openComm("widget"); c5.send({ n: 5n })');
    assert.match(cell.error!.evalue, /^data: cannot be written as JSON: .*BigInt/);
    const method = 'data: { "text/html": "x" }, metadata: { f: () => 1, n: undefined }';
    const shown = await kernel.execute(
      `({ [Symbol.for("Jupyter.display")]: () => ({ ${method} }) })`,
    );
    assert.equal(shown.reply.status, 'ok');
    assert.match(
      (
        await kernel.execute(
          '({ [Symbol.for("Jupyter.display")]: () => ({ data: { "text/html": "x" }, metadata: { n: 1n } }) })',
        )
      ).error!.evalue,
      /^metadata: cannot/,
    );
  });

  it('a comm handler that throws does no harm', async () => {
    await kernel.execute('registerTarget("bad", () => { throw new Error("in the handler") })');
    const error = kernel.wait((_channel, { header }) => header.msg_type === 'error');
    const { msg_id: id } = kernel.send('shell', 'comm_open', {
      comm_id: 'c3',
      target_name: 'bad',
      data: {},
    });
    assert.equal((await error).parentHeader.msg_id, id);
    assert.equal((await kernel.execute('1')).result, '1');
  });

  it('the heartbeat answers while a cell blocks', async () => {
    await whileCellHolds(kernel, async () => {
      await kernel.heartbeat.send('beat');
      assert.equal(String(await kernel.heartbeat.receive()), 'beat');
    });
  });

  it('drops what is forged, replayed or malformed, and answers no stranger', async () => {
    const seen: string[] = [];
    const off = kernel.on((channel, { header }) => seen.push(`${channel} ${header.msg_type}`));
    const build = (
      wire: Wire,
      content: JsonObject = { code: 'globalThis.forged = true', silent: false },
    ) =>
      wire.encode({
        identities: [],
        header: kernel.header('execute_request'),
        parentHeader: {},
        metadata: {},
        content,
        buffers: [],
      });
    kernel.sendFrames('shell', build(new Wire('wrong key', 'hmac-sha256')));
    kernel.sendFrames('shell', build(new Wire('', 'hmac-sha256')));
    const altered = build(kernel.wire);
    altered[altered.length - 1] = Buffer.from('{"code":"globalThis.forged = true"}');
    kernel.sendFrames('shell', altered);
    kernel.sendFrames('shell', [Buffer.from('<IDS|MSG>')]);
    kernel.sendFrames('shell', [Buffer.from('nothing')]);
    kernel.sendFrames('control', [Buffer.alloc(0), Buffer.alloc(0)]);
    const frames = build(kernel.wire, {
      code: '(globalThis as any).once = ((globalThis as any).once ?? 0) + 1',
      store_history: false,
    });
    kernel.sendFrames('shell', frames);
    kernel.sendFrames('shell', frames);
    await kernel.execute('1'); // goes the same way, behind them
    off();
    // One for the frames sent twice, one for the cell behind them.
    assert.equal(seen.filter((type) => type === 'shell execute_reply').length, 2);
    assert.equal(
      (await kernel.execute('[(globalThis as any).once, (globalThis as any).forged]')).result,
      '[ 1, undefined ]',
    );
  });

  it('answers signed requests that make no sense', async () => {
    assert.equal((await kernel.request('shell', 'execute_request', {})).status, 'error');
    assert.equal((await kernel.request('shell', 'complete_request', { code: 5 })).status, 'error');
    assert.equal((await kernel.request('shell', 'inspect_request', {})).status, 'error');
    const { status } = await kernel.request('shell', 'history_request', {
      hist_access_type: 'range',
      session: {},
      start: 'x',
    });
    assert.equal(status, 'ok');
    kernel.send('shell', 'no_such_request', {});
    kernel.send('shell', 'comm_msg', { comm_id: 5 });
    kernel.send('stdin', 'input_reply', { value: 'unasked' });
    assert.equal((await kernel.execute('1')).result, '1');
  });

  it('shuts down when told, with a reply, and leaves no process behind', async () => {
    const other = await KernelClient.start();
    const { result: pid } = await other.execute('process.pid');
    const { status, restart } = await other.request('control', 'shutdown_request', {
      restart: true,
    });
    assert.deepEqual([status, restart], ['ok', true]);
    assert.equal(await other.exited(), 0);
    other.close();
    await gone([Number(pid)]);
  });

  it('ends when its parent ends, even while a cell blocks', async () => {
    const parent = `require('node:child_process').spawn(process.execPath, process.argv.slice(1), { stdio: 'ignore' })`;
    const other = await KernelClient.start({ argv: [process.execPath, '-e', parent, MAIN] });
    const { result } = await other.execute('[process.ppid, process.pid].join()');
    const pids = result!.replace(/'/g, '').split(',').map(Number);
    const endless = other.begin('console.log("begun"); for (;;) {}');
    endless.done.catch(() => undefined);
    await printedBy(endless);
    assert.deepEqual(pids.map(isAlive), [true, true]);
    other.process.kill('SIGKILL');
    await gone(pids);
    other.close();
  });

  it('ends when its connection file is taken away', async () => {
    const other = await KernelClient.start();
    unlinkSync(other.connectionFile);
    assert.equal(await other.exited(), 1);
    other.close();
  });

  it('refuses a connection file that it cannot read, in one line', async () => {
    const child = spawn(process.execPath, [MAIN, '/nowhere/connection.json']);
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    const code = await new Promise((done) => child.on('exit', done));
    assert.equal(code, 1);
    assert.match(stderr, /^cannot read the connection file \/nowhere\/connection\.json: .*\n$/);
  });
});
