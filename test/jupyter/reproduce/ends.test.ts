import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, processesWith } from '../../../lib/jupyter/processes';
import { locate } from '../../../lib/setup/project';
import { inTemporaryFolder } from '../../support/temporary';
import { until } from '../../support/until';

const { root, own } = locate();

/** A notebook that says by a file that it runs, for a minute unless it is ended. */
const sleeper = (name: string) =>
  notebook('import time', `open("${name}.busy", "w").close()\ntime.sleep(60)`);

function notebook(...sources: readonly string[]): string {
  const cells = sources.map((source, i) => ({
    cell_type: 'code',
    id: `c${i}`,
    metadata: {},
    execution_count: i + 1,
    outputs: [],
    source,
  }));
  const kernelspec = { name: 'python3', display_name: 'Python', language: 'python' };
  return JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 });
}

/** `guardpage reproduce --update` on one notebook. */
class Runner {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly file: string;
  said = '';

  constructor(
    folder: string,
    name: string,
    readonly content: string,
  ) {
    this.file = join(folder, name);
    writeFileSync(this.file, content);
    const command = [join('lib', 'bin', 'guardpage.js'), 'reproduce', '--update', this.file];
    this.process = spawn(process.execPath, command, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (text) => (this.said += text));
    }
    this.ended = new Promise((resolve) => this.process.on('close', resolve));
  }

  /** The server that it has started, once its kernel runs. */
  async busy(): Promise<{ pid: number; port: number; token: string }> {
    await until(`${this.file} runs`, () => existsSync(this.file.replace(/ipynb$/, 'busy')));
    const prefix = `run-${this.process.pid}-`;
    const [run] = readdirSync(own).filter((name) => name.startsWith(prefix));
    const runtime = join(own, run, 'runtime');
    const [info] = readdirSync(runtime).filter((name) => /^jpserver-\d+\.json$/.test(name));
    return JSON.parse(readFileSync(join(runtime, info), 'utf8'));
  }

  kernels(): number[] {
    return processesWith(join(own, `run-${this.process.pid}-`));
  }
}

describe('reproduce, ended in the middle', function () {
  this.timeout(120_000);

  it('leaves no server, no kernel and no changed notebook, and others run on undisturbed', () =>
    inTemporaryFolder(async (folder) => {
      const start = (name: string) => new Runner(folder, `${name}.ipynb`, sleeper(name));
      const interrupted = start('sigint');
      const killed = start('sigkill');
      const serverless = start('server');
      const kernelless = start('kernel');
      const other = new Runner(folder, 'other.ipynb', notebook('6 * 7'));
      const runners = [interrupted, killed, serverless, kernelless];
      const servers = await Promise.all(runners.map((runner) => runner.busy()));

      const { port, token } = servers[0];
      const address = `http://127.0.0.1:${port}/api/kernels`;
      assert.equal((await fetch(address)).status, 403);
      assert.equal((await fetch(`${address}?token=${servers[1].token}`)).status, 403);
      assert.equal((await fetch(`${address}?token=${token}`)).status, 200);

      interrupted.process.kill('SIGINT');
      killed.process.kill('SIGKILL');
      process.kill(servers[2].pid, 'SIGKILL');
      for (const pid of kernelless.kernels()) process.kill(pid, 'SIGKILL');

      const codes = await Promise.all(runners.map(({ ended }) => ended));
      assert.deepEqual(codes, [1, null, 1, 1], runners.map(({ said }) => said).join('\n'));
      assert.match(interrupted.said, /broken-off: .*the run was stopped/);
      assert.match(serverless.said, /server-died: .*the Jupyter server ended/);
      assert.match(kernelless.said, /kernel-died: /);
      await until('all servers ended', () => servers.every(({ pid }) => !isAlive(pid)));
      await until('all kernels ended', () =>
        runners.every((runner) => runner.kernels().length === 0),
      );
      for (const { file, content } of runners) assert.equal(readFileSync(file, 'utf8'), content);

      assert.equal(await other.ended, 0, other.said);
      assert.match(other.said, /\n1 passed, 0 failed, 0 skipped\n$/);
      assert.match(readFileSync(other.file, 'utf8'), /"42"/);
      const names = ['sigint', 'sigkill', 'server', 'kernel', 'other'].map(
        (name) => `${name}.ipynb`,
      );
      assert.deepEqual(
        readdirSync(folder)
          .filter((name) => !name.endsWith('.busy'))
          .sort(),
        names.sort(),
      );
    }));
});
