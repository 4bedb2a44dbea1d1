import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { openerFor } from '../../lib/jupyter/browser';
import { freePort, isFree, LOOPBACK } from '../../lib/jupyter/port';
import { processesWith } from '../../lib/jupyter/processes';
import { locate } from '../../lib/setup/project';
import { inTemporaryFolder } from '../support/temporary';
import { until } from '../support/until';

const { root, own } = locate();

/** `npm start` without npm, in an empty home. */
class Start {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  said = '';

  constructor(home: string, ...args: string[]) {
    mkdirSync(home, { recursive: true });
    const command = [join('lib', 'bin', 'start.js'), '--no-browser', ...args];
    const env = { ...process.env, HOME: home };
    this.process = spawn(process.execPath, command, { cwd: root, env, stdio: 'pipe' });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (text) => (this.said += text));
    }
    this.ended = new Promise((resolve) => this.process.on('close', resolve));
  }

  /** The address that it prints. */
  async address(): Promise<URL> {
    for (;;) {
      const address = /http:\S+/.exec(this.said);
      if (address) return new URL(address[0]);
      assert.equal(this.process.exitCode, null, this.said);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Starts a kernel and returns once it runs. */
async function startKernel({ origin, searchParams }: URL): Promise<void> {
  const answer = await fetch(`${origin}/api/kernels`, {
    method: 'POST',
    headers: { Authorization: `token ${searchParams.get('token')}` },
    body: JSON.stringify({ name: 'tslab' }),
  });
  assert.equal(answer.status, 201);
}

const started = (pid: number | undefined) => processesWith(join(own, `run-${pid}-`));

describe('npm start', function () {
  this.timeout(60_000);

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`opens JupyterLab and ends it with its kernels on ${signal}`, () =>
      inTemporaryFolder(async (folder) => {
        const home = join(folder, 'home');
        const start = new Start(home);
        const address = await start.address();
        assert.equal(address.hostname, LOOPBACK);
        assert.match(address.searchParams.get('token') ?? '', /^[0-9a-f]{48}$/);
        await startKernel(address);
        assert.equal(started(start.process.pid).length, 1);
        start.process.kill(signal);
        assert.equal(await start.ended, 0);
        assert.match(start.said, /Stopped\.\n$/);
        assert.deepEqual(started(start.process.pid), []);
        assert.ok(await isFree(Number(address.port)));
        assert.deepEqual(readdirSync(home), []);
      }));
  }

  it('lets nobody in without the token, and opens the first notebook', () =>
    inTemporaryFolder(async (folder) => {
      const start = new Start(join(folder, 'home'));
      const { origin, pathname, search } = await start.address();
      assert.equal(pathname, '/lab/tree/my-course/00-start-here.ipynb');
      assert.equal((await fetch(`${origin}/api/contents`)).status, 403);
      const page = await fetch(`${origin}${pathname}${search}`);
      assert.match(await page.text(), /jupyter-config-data/);
      start.process.kill('SIGINT');
      await start.ended;
    }));

  it('ends the server and its kernels even if it is killed', () =>
    inTemporaryFolder(async (folder) => {
      const start = new Start(join(folder, 'home'));
      const address = await start.address();
      await startKernel(address);
      start.process.kill('SIGKILL');
      const gone = async () =>
        started(start.process.pid).length === 0 && (await isFree(Number(address.port)));
      await until('the end of the server and its kernels', gone, 30_000);
    }));

  it('names a free port if the one asked for is taken', async () => {
    const blocker = createServer().listen(0, LOOPBACK);
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as { port: number };
    await inTemporaryFolder(async (folder) => {
      const start = new Start(join(folder, 'home'), '--port', String(port));
      assert.equal(await start.ended, 1);
      assert.match(
        start.said,
        new RegExp(
          `^guardpage: port ${port} is taken: free it, leave --port out, or use --port \\d+\\n$`,
        ),
      );
    });
    assert.equal(await isFree(port), false);
    assert.ok((await freePort(port)) > port);
    blocker.close();
  });
});

describe('openerFor', () => {
  it('opens a browser only where there is a screen', () => {
    assert.equal(openerFor('linux', { DISPLAY: ':0' }), 'xdg-open');
    assert.equal(openerFor('linux', { WAYLAND_DISPLAY: 'wayland-0' }), 'xdg-open');
    assert.equal(openerFor('linux', {}), undefined);
    assert.equal(openerFor('linux', { WSL_DISTRO_NAME: 'Debian' }), 'wslview');
    assert.equal(openerFor('darwin', {}), 'open');
    assert.equal(openerFor('darwin', { SSH_CONNECTION: '1' }), undefined);
  });
});
