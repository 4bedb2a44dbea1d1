import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment } from '../setup/environment';
import { explain } from '../setup/problem';
import type { Project } from '../setup/project';
import { freePort, LOOPBACK } from './port';
import { isAlive, kill, processesWith } from './processes';

/** How long a server may take to answer: the first start after a boot reads much from disk. */
const START_MS = 120_000;

/** How long it may take to end its kernels and itself before it is made to. */
const STOP_MS = 10_000;

/** As much of what it says is kept, to tell why it did not start. */
const KEPT = 16 * 1024;

export interface ServerOptions {
  readonly project: Project;
  /** JupyterLab, or only the server behind it, which starts faster. */
  readonly app: 'lab' | 'server';
  /** The folder it serves. */
  readonly folder: string;
  /** Where it keeps settings and workspaces; default: a folder of its own, removed at the end. */
  readonly keep?: string;
  /** Default: any free one. */
  readonly port?: number;
  /** Variables for it and its kernels, beside those it needs. */
  readonly env?: NodeJS.ProcessEnv;
  /** Breaks the start off. */
  readonly signal?: AbortSignal;
}

/** A Jupyter server that this process has started and that ends with it. */
export interface JupyterServer {
  readonly port: number;
  /** Ends in a slash. */
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly log: string;
  /** Its exit code once it has ended, by itself or stopped; null if by a signal. */
  readonly ended: Promise<number | null>;
  /** Ends it and its kernels, however they take it; resolves when all are gone. */
  stop(): Promise<void>;
}

/**
 * Starts a server on {@link LOOPBACK} with a random token and waits until it answers.
 *
 * @throws Problem, one line for the reader, if it does not; errors of the file system
 */
export async function startServer(options: ServerOptions): Promise<JupyterServer> {
  const { project, app, folder } = options;
  const port = options.port ?? (await freePort());
  const token = randomBytes(24).toString('hex');
  mkdirSync(project.logs, { recursive: true });
  sweep(project);
  const run = mkdtempSync(join(project.own, `run-${process.pid}-`));
  const log = join(project.logs, `jupyter-${port}.log`);
  const child = spawn(project.python, serverArguments(project, app, folder, port), {
    cwd: project.root,
    env: { ...serverEnvironment(project, token, run, options.keep ?? run), ...options.env },
    // Its own process group: Ctrl-C reaches it through us alone, and it ends when stdin closes.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const file = createWriteStream(log);
  file.on('error', () => {}); // a full disk: the server has more to say about it
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(file, { end: false });
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-KEPT);
    });
  }
  child.stdin.on('error', () => {});
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(127));
    // Killed, it leaves its kernels; they hold its output open, so that it would never be closed.
    child.on('exit', () => kill(processesWith(run)));
    child.on('close', (code) => {
      file.end();
      kill(processesWith(run));
      rmSync(run, { recursive: true, force: true, maxRetries: 3 });
      resolve(code);
    });
  });
  const stop = () => stopServer(child, ended);
  options.signal?.addEventListener('abort', () => void stop());
  const url = `http://${LOOPBACK}:${port}/`;
  try {
    await untilItAnswers(url, token, ended);
  } catch (error) {
    await stop();
    const output = `${said}\n${(error as Error).message}`;
    throw explain({ what: 'JupyterLab', output, code: await ended, log, root: project.root });
  }
  return { port, url, token, pid: child.pid ?? 0, log, ended, stop };
}

function serverArguments(
  project: Project,
  app: ServerOptions['app'],
  folder: string,
  port: number,
): string[] {
  const root = process.getuid?.() === 0 ? ['--allow-root'] : [];
  const lab = ['--LabApp.extension_manager=readonly'];
  return [
    join(project.root, 'lib', 'jupyter', 'serve.py'),
    app,
    '--no-browser',
    `--ServerApp.ip=${LOOPBACK}`,
    `--ServerApp.port=${port}`,
    '--ServerApp.port_retries=0',
    '--ServerApp.answer_yes=True',
    `--ServerApp.root_dir=${folder}`,
    ...(app === 'lab' ? lab : []),
    ...root,
  ];
}

function serverEnvironment(project: Project, token: string, run: string, keep: string) {
  return {
    ...childEnvironment(project),
    JUPYTER_TOKEN: token,
    JUPYTER_RUNTIME_DIR: join(run, 'runtime'),
    JUPYTER_CONFIG_DIR: join(keep, 'config'),
    JUPYTER_DATA_DIR: join(keep, 'data'),
    JUPYTERLAB_SETTINGS_DIR: join(keep, 'settings'),
    JUPYTERLAB_WORKSPACES_DIR: join(keep, 'workspaces'),
    IPYTHONDIR: join(keep, 'ipython'),
  };
}

/** Removes what a program that was killed left of its servers: kernels and folders. */
function sweep(project: Project): void {
  for (const name of readdirSync(project.own)) {
    const owner = /^run-(\d+)-/.exec(name);
    if (!owner || isAlive(Number(owner[1]))) continue;
    const run = join(project.own, name);
    kill(processesWith(run));
    rmSync(run, { recursive: true, force: true });
  }
}

async function untilItAnswers(
  url: string,
  token: string,
  ended: Promise<number | null>,
): Promise<void> {
  let over: string | undefined;
  const timer = setTimeout(() => {
    over = `Jupyter did not answer within ${START_MS / 1000} s`;
  }, START_MS);
  void ended.then((code) => {
    over = `Jupyter ended at once (exit code ${code})`;
  });
  try {
    while (over === undefined) {
      const headers = { Authorization: `token ${token}` };
      const answer = await fetch(`${url}api/status`, { headers }).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(over);
  } finally {
    clearTimeout(timer);
  }
}

async function stopServer(child: ChildProcess, ended: Promise<number | null>): Promise<void> {
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(timer);
}
