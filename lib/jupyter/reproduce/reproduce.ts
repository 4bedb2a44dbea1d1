import { dirname, join, relative, resolve } from 'node:path';
import type { Project } from '../../setup/project';
import { isRun, runNotebook, type CellRun, type NotebookRun } from '../run-notebook';
import { startServer, type JupyterServer } from '../server';
import type { Finding } from './finding';
import { judge, streamText } from './judge';
import { installedKernels } from './kernels';
import { readNotebook, type StoredNotebook } from './notebook-file';
import { checkOrder } from './order';
import { forEachOf } from './pool';
import { producedBy } from './produced';
import { replaceFile } from './replace-file';
import type { NotebookResult } from './result';
import type { Sanitiser } from './sanitise';
import { settingsFlaw } from './settings';
import { serialise } from './serialise';
import { withOutputs } from './store';
import { compareRuns } from './twice';

/** What the kernels' environment says while notebooks are run for storing and comparing. */
export const ENVIRONMENT = { GUARDPAGE_PROGRESS: 'memory' };

export interface ReproduceOptions {
  readonly project: Project;
  /** The notebooks' files, in the order of the report. */
  readonly files: readonly string[];
  /** Default: the one that each notebook names. */
  readonly kernelName?: string;
  readonly cellTimeoutMs: number;
  /** How long all of it may take; default: no limit. */
  readonly deadlineMs?: number;
  /** Kernels at a time. */
  readonly jobs: number;
  /** Runs each notebook in two fresh kernels, which must give the same bytes. */
  readonly twice?: boolean;
  /** Stores the outputs instead of comparing them. */
  readonly update?: boolean;
  readonly sanitisers?: readonly Sanitiser[];
  /** Ends the run: no kernel, no server is left. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export type Progress =
  | { readonly type: 'planned'; readonly notebooks: number; readonly cells: number }
  | { readonly type: 'started'; readonly name: string }
  | { readonly type: 'cell'; readonly name: string; readonly run: CellRun }
  | { readonly type: 'done'; readonly result: NotebookResult };

/** A notebook that is to be run, with what its runs give. */
interface Job {
  readonly file: string;
  readonly name: string;
  readonly text: string;
  readonly notebook: StoredNotebook;
  readonly runs: (NotebookRun | Finding)[];
  /** Runs still to come. */
  left: number;
}

const isFinding = (run: NotebookRun | Finding | undefined): run is Finding =>
  run !== undefined && 'kind' in run;

/**
 * Runs notebooks and compares what comes out with what is stored, or stores it.
 *
 * @returns one result a file, in their order
 * @throws Problem if the Jupyter server does not start
 */
export async function reproduce(options: ReproduceOptions): Promise<NotebookResult[]> {
  const { files, onProgress, signal, deadlineMs } = options;
  const results = new Map<string, NotebookResult>();
  const finish = (file: string, result: NotebookResult) => {
    results.set(file, result);
    onProgress?.({ type: 'done', result });
  };
  const jobs: Job[] = [];
  for (const file of new Set(files)) {
    const ready = prepare(file, options);
    if ('outcome' in ready) results.set(file, ready);
    else jobs.push(ready);
  }
  const cells = jobs.reduce((sum, { notebook, left }) => sum + left * codeCells(notebook), 0);
  onProgress?.({ type: 'planned', notebooks: results.size + jobs.length, cells });
  for (const result of results.values()) onProgress?.({ type: 'done', result });
  if (jobs.length > 0) {
    const stop = new Stop(signal, deadlineMs);
    try {
      await runAll(jobs, stop, finish, options);
    } finally {
      stop.dispose();
    }
  }
  return [...new Set(files)].map((file) => results.get(file) as NotebookResult);
}

/** Reads a notebook; what cannot be run has its result at once. */
function prepare(file: string, { twice, update }: ReproduceOptions): Job | NotebookResult {
  const reading = readNotebook(file);
  const nothing = { name: file, cells: [], notRun: [], ms: 0, startMs: 0, written: false };
  if ('finding' in reading) return { ...nothing, outcome: 'failed', findings: [reading.finding] };
  const { notebook, text } = reading;
  const wrong = settingsFlaw(notebook);
  if (wrong) return { ...nothing, outcome: 'failed', findings: [wrong], notebook };
  const reason = notebook.metadata.guardpage?.skip;
  if (reason !== undefined)
    return { ...nothing, outcome: 'skipped', reason, findings: [], notebook };
  if (codeCells(notebook) === 0) {
    const findings = update ? [] : checkOrder(notebook);
    return { ...nothing, outcome: findings.length > 0 ? 'failed' : 'passed', findings, notebook };
  }
  return { file, name: file, text, notebook, runs: [], left: twice ? 2 : 1 };
}

const codeCells = ({ cells }: StoredNotebook) => cells.filter(isRun).length;

/** Why the runs are broken off, once they are. */
class Stop {
  readonly controller = new AbortController();
  finding: Finding | undefined;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(signal: AbortSignal | undefined, deadlineMs: number | undefined) {
    signal?.addEventListener('abort', () => this.because('broken-off', 'the run was stopped'));
    if (deadlineMs === undefined) return;
    const message = `the time for the whole run, ${deadlineMs / 1000} s, was over`;
    this.timer = setTimeout(() => this.because('deadline', message), deadlineMs);
  }

  because(kind: Finding['kind'], message: string): void {
    this.finding ??= { kind, message };
    this.controller.abort();
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}

async function runAll(
  jobs: readonly Job[],
  stop: Stop,
  finish: (file: string, result: NotebookResult) => void,
  options: ReproduceOptions,
): Promise<void> {
  const folder = commonFolder(jobs.map(({ file }) => dirname(resolve(file))));
  const { project, signal } = options;
  const server = await startServer({ project, app: 'server', folder, signal, env: ENVIRONMENT });
  let stopping = false;
  void server.ended.then(() => {
    if (!stopping) stop.because('server-died', 'the Jupyter server ended');
  });
  try {
    const kernels = await installedKernels(server);
    const tasks = jobs.flatMap((job) => Array.from({ length: job.left }, () => job));
    await forEachOf(tasks, options.jobs, async (job) => {
      if (job.runs.length === 0) options.onProgress?.({ type: 'started', name: job.name });
      job.runs.push(await runOnce(job, server, folder, kernels, stop, options));
      job.left -= 1;
      if (job.left === 0) finish(job.file, resultOf(job, stop, options));
    });
  } finally {
    stopping = true;
    await server.stop();
  }
}

/** One run in a fresh kernel, or why there is none. */
async function runOnce(
  { file, name, notebook }: Job,
  server: JupyterServer,
  folder: string,
  kernels: readonly string[],
  stop: Stop,
  { kernelName, cellTimeoutMs, onProgress }: ReproduceOptions,
): Promise<NotebookRun | Finding> {
  if (stop.finding) return stop.finding;
  const kernel = kernelName ?? notebook.metadata.kernelspec?.name;
  const installed = `installed: ${kernels.join(', ')}`;
  if (kernel === undefined) {
    return { kind: 'no-kernel', message: `the notebook names no kernel; ${installed}` };
  }
  if (!kernels.includes(kernel)) {
    return {
      kind: 'no-kernel',
      message: `there is no kernel ${JSON.stringify(kernel)}; ${installed}`,
    };
  }
  const { signal } = stop.controller;
  const onCell = (run: CellRun) => onProgress?.({ type: 'cell', name, run });
  const path = relative(folder, resolve(file));
  try {
    return await runNotebook(notebook, {
      server,
      path,
      kernelName: kernel,
      cellTimeoutMs,
      signal,
      onCell,
    });
  } catch (error) {
    return stop.finding ?? { kind: 'kernel-start', message: (error as Error).message };
  }
}

function resultOf(job: Job, stop: Stop, options: ReproduceOptions): NotebookResult {
  const { name, notebook, runs } = job;
  const [first, second] = runs;
  const base = { name, notebook, written: false };
  if (isFinding(first)) {
    return {
      ...base,
      outcome: 'failed',
      findings: [first],
      cells: [],
      notRun: [],
      ms: 0,
      startMs: 0,
    };
  }
  const findings = findingsOf(job, first, second, stop, options);
  const cells = first.cells.map(({ index, status, ms, outputs }) => ({
    index,
    status,
    ms,
    stderr: streamText(outputs, 'stderr'),
  }));
  const { notRun, startMs, ms } = first;
  const result = { ...base, findings, cells, notRun, startMs, ms };
  if (findings.length > 0 || !options.update) {
    return { ...result, outcome: findings.length > 0 ? 'failed' : 'passed' };
  }
  try {
    return { ...result, outcome: 'passed', written: store(job, first, options) };
  } catch (error) {
    const finding: Finding = { kind: 'not-written', message: (error as Error).message };
    return { ...result, outcome: 'failed', findings: [finding] };
  }
}

function findingsOf(
  { notebook }: Job,
  first: NotebookRun,
  second: NotebookRun | Finding | undefined,
  stop: Stop,
  { sanitisers, update }: ReproduceOptions,
): Finding[] {
  const judged = judge(notebook, first, { sanitisers, stopped: stop.finding });
  const twice = isFinding(second)
    ? [second]
    : second
      ? compareRuns(notebook, first, second, sanitisers)
      : [];
  const unsteady = new Set(twice.map(({ cell }) => cell));
  const failed = new Set(first.cells.filter(({ passed }) => !passed).map(({ index }) => index));
  const fresh = judged.filter(({ cell = -1 }) =>
    update ? failed.has(cell) : failed.has(cell) || !unsteady.has(cell),
  );
  const order = update ? [] : checkOrder(notebook);
  return [...order, ...fresh, ...twice].sort((a, b) => (a.cell ?? -1) - (b.cell ?? -1));
}

function store(
  { file, text, notebook }: Job,
  run: NotebookRun,
  { project, kernelName, sanitisers = [] }: ReproduceOptions,
): boolean {
  const own = notebook.metadata.kernelspec?.name;
  if (kernelName !== undefined && own !== undefined && kernelName !== own) {
    throw new Error(`the outputs are those of ${kernelName}, the notebook's kernel is ${own}`);
  }
  const next = withOutputs(notebook, run, producedBy(project, notebook, run), sanitisers);
  if (next === undefined) return false;
  replaceFile(file, text, serialise(next));
  return true;
}

/** The innermost folder that holds all of these. */
function commonFolder(folders: readonly string[]): string {
  let [common] = folders;
  for (const folder of folders) {
    while (relative(common, folder).startsWith('..')) common = join(common, '..');
  }
  return common;
}
