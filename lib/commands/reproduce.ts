import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { htmlReport } from '../jupyter/reproduce/report/html';
import { junitReport } from '../jupyter/reproduce/report/junit';
import { ProgressLine } from '../jupyter/reproduce/report/progress';
import { notebookText } from '../jupyter/reproduce/report/text';
import { reproduce, type ReproduceOptions } from '../jupyter/reproduce/reproduce';
import { countsLine, type NotebookResult } from '../jupyter/reproduce/result';
import { readSanitiser, type Sanitiser } from '../jupyter/reproduce/sanitise';
import { explainError } from '../setup/problem';
import { locate, type Project } from '../setup/project';
import type { Register } from '.';
import { refusing, wholeNumber } from './options';
import { UsageError } from './usage-error';
import { prepareWrite } from './write-file';

interface Flags {
  readonly update?: boolean;
  readonly twice?: boolean;
  readonly jobs: number;
  readonly cellTimeout: number;
  readonly deadline?: number;
  readonly kernel?: string;
  readonly sanitise: readonly Sanitiser[];
  readonly junit?: string;
  readonly html?: string;
}

/** Kernels of two cores each at most: a notebook kernel takes about 200 MB. */
const MOST_JOBS = 4;

/** How long the process may outlive its work. */
const LINGER_MS = 1000;

const STOPPING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** `guardpage reproduce`: notebooks run headless, their outputs compared with the stored ones. */
export const register: Register = (program, exit) => {
  program
    .command('reproduce')
    .description('run notebooks in fresh kernels and compare what comes out with what is stored')
    .argument('[notebooks...]', "the notebooks; default: all of the project's")
    .option('--update', 'store the new outputs instead of comparing them')
    .option('--twice', 'run each notebook in two fresh kernels, which must give the same bytes')
    .option(
      '--jobs <n>',
      'kernels at a time',
      wholeNumber('jobs', 1),
      Math.min(MOST_JOBS, availableParallelism()),
    )
    .option('--cell-timeout <s>', 'how long a cell may take', seconds('cell-timeout'), 60)
    .option('--deadline <s>', 'how long all of it may take', seconds('deadline'))
    .option('--kernel <name>', 'the kernel; default: the one that the notebook names')
    .option(
      '--sanitise <name>',
      'leave out what may differ: duration, date, time, address, uuid, path; may be repeated',
      (name: string, before: Sanitiser[]) => [...before, refusing(() => readSanitiser(name))],
      [],
    )
    .option('--junit <file>', "write the results in JUnit's XML")
    .option('--html <file>', 'write a page with stored and new outputs side by side')
    .action(async (names: string[], flags: Flags) => {
      exit(await run(names, flags));
    });
};

function seconds(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && value < 1e6) return value;
    throw new UsageError(`--${name}: expected seconds above 0, got ${JSON.stringify(text)}`);
  };
}

async function run(names: readonly string[], flags: Flags): Promise<number> {
  const project = locate();
  if (!existsSync(project.python)) {
    throw new UsageError("nothing is set up yet: run 'npm start', which sets up and opens the lab");
  }
  const files = names.length > 0 ? names : ownNotebooks(project);
  const writeJunit = flags.junit === undefined ? null : prepareWrite('junit', flags.junit);
  const writeHtml = flags.html === undefined ? null : prepareWrite('html', flags.html);
  const abort = new AbortController();
  const stop = () => abort.abort();
  for (const signal of STOPPING) process.on(signal, stop);
  const line = new ProgressLine(process.stderr);
  const report = inOrder(files, (result) => {
    line.clear();
    process.stdout.write(notebookText(result, process.stdout.isTTY));
    line.draw();
  });
  const options: ReproduceOptions = {
    project,
    files,
    kernelName: flags.kernel,
    cellTimeoutMs: flags.cellTimeout * 1000,
    deadlineMs: flags.deadline === undefined ? undefined : flags.deadline * 1000,
    jobs: flags.jobs,
    twice: flags.twice,
    update: flags.update,
    sanitisers: flags.sanitise,
    signal: abort.signal,
    onProgress: (progress) => {
      line.take(progress);
      if (progress.type === 'done') report(progress.result);
    },
  };
  try {
    const results = await reproduce(options);
    writeJunit?.(junitReport(results));
    writeHtml?.(htmlReport(results));
    process.stdout.write(`\n${countsLine(results)}\n`);
    return exitCode(results);
  } catch (error) {
    line.clear();
    if (abort.signal.aborted) {
      process.stderr.write('guardpage: broken off; nothing is left running\n');
      return 1;
    }
    const problem = explainError(error, { what: 'Jupyter', root: project.root });
    if (!problem) throw error;
    process.stderr.write(`guardpage: ${problem.message}\n`);
    return 1;
  } finally {
    for (const signal of STOPPING) process.removeListener(signal, stop);
    // A connection whose server was killed tries again for a minute: it must not keep us.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

/** All notebooks of the course, named as from the current folder. */
function ownNotebooks({ notebooks }: Project): string[] {
  return readdirSync(notebooks)
    .filter((name) => name.endsWith('.ipynb'))
    .sort()
    .map((name) => relative(process.cwd(), join(notebooks, name)));
}

/** Hands results on in the order of the files, each as soon as those before it are there. */
function inOrder(
  files: readonly string[],
  write: (result: NotebookResult) => void,
): (result: NotebookResult) => void {
  const waiting = [...new Set(files)];
  const come = new Map<string, NotebookResult>();
  return (result) => {
    come.set(result.name, result);
    for (let next = come.get(waiting[0]); next; next = come.get(waiting[0])) {
      waiting.shift();
      write(next);
    }
  };
}

/** 2 if a notebook could not be read, else 1 if one failed. */
function exitCode(results: readonly NotebookResult[]): number {
  const kinds = results.flatMap(({ findings }) => findings.map(({ kind }) => kind));
  if (kinds.some((kind) => kind === 'unreadable' || kind === 'invalid-notebook')) return 2;
  return kinds.length > 0 ? 1 : 0;
}
