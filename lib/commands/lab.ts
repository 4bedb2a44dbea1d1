import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { openBrowser } from '../jupyter/browser';
import { freePort, isFree, LOOPBACK } from '../jupyter/port';
import { startServer, type JupyterServer } from '../jupyter/server';
import { updateCopies, type CopyReport } from '../learner/working-copies';
import { explainError } from '../setup/problem';
import { locate, type Project } from '../setup/project';
import type { Register } from '.';
import { UsageError } from './usage-error';

const FIRST_NOTEBOOK = '00-start-here.ipynb';
const USUAL_PORT = 8888;
const STOPPING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export const register: Register = (program, exit) => {
  program
    .command('lab')
    .description('open JupyterLab on the course (what npm start runs)')
    .option('--no-browser', 'only print the address')
    .option('--port <n>', `listen on this port of ${LOOPBACK} (default: the first free one)`)
    .option('--copies-only', 'only bring your copies of the notebooks up to date')
    .action(async ({ browser, port, copiesOnly }: LabFlags) => {
      const asked = port === undefined ? undefined : readPort(port);
      exit(copiesOnly ? bringCopies(locate()) : await lab(browser, asked));
    });
};

interface LabFlags {
  readonly browser: boolean;
  readonly port?: string;
  readonly copiesOnly?: boolean;
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port;
  throw new UsageError(`--port: expected a number from 1 to 65535, got ${text}`);
}

/** Runs JupyterLab until it is stopped; returns the exit code. */
async function lab(browser: boolean, asked: number | undefined): Promise<number> {
  const project = locate();
  if (!existsSync(project.python)) {
    throw new UsageError("nothing is set up yet: run 'npm start', which sets up and opens the lab");
  }
  if (asked !== undefined && !(await isFree(asked))) {
    const free = await freePort(asked);
    return fail(`port ${asked} is taken: free it, leave --port out, or use --port ${free}`);
  }
  process.stdout.on('error', () => {}); // the terminal may be closed before we have stopped
  if (bringCopies(project) !== 0) return 1;
  const abort = new AbortController();
  const { signal } = abort;
  const stopping = new Promise<void>((resolve) =>
    signal.addEventListener('abort', () => resolve()),
  );
  onStop(() => abort.abort());
  process.stdout.write('Starting JupyterLab …\n');
  const starting = startServer({
    project,
    app: 'lab',
    folder: project.root,
    keep: project.jupyter,
    port: asked ?? (await freePort(USUAL_PORT)),
    signal,
  });
  let server: JupyterServer;
  try {
    server = await starting;
  } catch (error) {
    if (signal.aborted) return stopped();
    const problem = explainError(error, { what: 'JupyterLab', root: project.root });
    if (!problem) throw error;
    return fail(problem.message);
  }
  announce(project, server, browser);
  const code = await Promise.race([server.ended, stopping]);
  if (code === undefined) {
    process.stdout.write('\nStopping JupyterLab and its kernels …\n');
    await server.stop();
    return stopped();
  }
  if (code === 0) {
    process.stdout.write('JupyterLab has been shut down.\n');
    return 0;
  }
  return fail(`JupyterLab ended (exit code ${code}); its log is ${server.log}`);
}

function announce(project: Project, { url, token, log }: JupyterServer, browser: boolean): void {
  const first = join(project.learner, FIRST_NOTEBOOK);
  const page = existsSync(first) ? `/tree/${relative(project.root, first)}` : '';
  const address = `${url}lab${page}?token=${token}`;
  const opened = browser && openBrowser(address);
  process.stdout.write(
    `\nJupyterLab is running${opened ? ' and opens in your browser' : ''}:\n\n` +
      `    ${address}\n\nIts log: ${log}\nCtrl-C stops it.\n`,
  );
}

/** Brings the learner's copies up to date; returns the exit code. */
function bringCopies({ notebooks, learner }: Project): number {
  try {
    process.stdout.write(copiesText(updateCopies(notebooks, learner)));
    return 0;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return fail(`your copies of the notebooks can't be made in ${learner}: ${message}`);
  }
}

/** What the learner should know of the copies: nothing if they are as they were. */
function copiesText(reports: readonly CopyReport[]): string {
  const count = (what: CopyReport['what']) => reports.filter((one) => one.what === what).length;
  const [made, renewed] = [count('made'), count('renewed')];
  const lines = reports
    .filter(({ beside }) => beside !== undefined)
    .map(
      ({ notebook, beside }) =>
        `Your ${notebook} is edited and stays; the new version is ${beside}.`,
    );
  if (renewed > 0) lines.unshift(`Notebooks renewed, which you had not edited: ${renewed}.`);
  if (made > 0) lines.unshift(`Your own copies of the notebooks are in my-course/ (${made} made).`);
  return lines.map((line) => `${line}\n`).join('');
}

/**
 * Calls `stop` on the first wish to end. npm and the terminal may both pass on one Ctrl-C, so
 * that further signals mean nothing more; and npm may be gone without having passed on any.
 */
function onStop(stop: () => void): void {
  for (const signal of STOPPING) process.on(signal, stop);
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop();
  }, 1000);
  watch.unref();
}

function stopped(): number {
  process.stdout.write('Stopped.\n');
  return 0;
}

function fail(message: string): number {
  process.stderr.write(`guardpage: ${message}\n`);
  return 1;
}
