import { KernelSession, type Execution, type KernelDescription } from './kernel-session';
import type { JupyterServer } from './server';

/** A notebook file's content, as far as running it needs. */
export interface Notebook {
  readonly cells: readonly NotebookCell[];
  readonly metadata: { readonly kernelspec?: { readonly name?: string } };
}

export interface NotebookCell {
  readonly cell_type: string;
  readonly source: string | readonly string[];
  readonly metadata: {
    readonly tags?: readonly string[];
    /** `timeout`: how many seconds this cell may take. */
    readonly guardpage?: { readonly timeout?: number };
  };
}

/** Cells with this tag may throw. */
export const RAISES_EXCEPTION = 'raises-exception';

/** Cells with this tag are passed over. */
export const SKIP_EXECUTION = 'skip-execution';

/** A code cell that was run. `index` counts all cells of the file, from 0. */
export interface CellRun extends Execution {
  readonly index: number;
  readonly source: string;
  /** It replied `ok`, or threw as its tag allows. */
  readonly passed: boolean;
}

export interface NotebookRun {
  /** The cells that were run: all code cells, or those up to the first that failed. */
  readonly cells: readonly CellRun[];
  /** The code cells that were not run, after a failure. */
  readonly notRun: readonly number[];
  /** Whether every code cell was run and passed. */
  readonly ok: boolean;
  readonly kernel: KernelDescription;
  /** How long the kernel took to start. */
  readonly startMs: number;
  /** From then to the last cell's end. */
  readonly ms: number;
}

export interface RunOptions {
  readonly server: Pick<JupyterServer, 'url' | 'token'>;
  /** Where the notebook lies, relative to what the server serves; the kernel starts there. */
  readonly path: string;
  /** Default: the one that the notebook names. */
  readonly kernelName?: string;
  /** How long a cell may take whose metadata say nothing else. */
  readonly cellTimeoutMs: number;
  readonly onCell?: (run: CellRun) => void;
  /** Breaks the run off; the cell that was running has the status `stopped`. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a notebook's code cells in order in a fresh kernel, up to the first that fails. Empty cells and those
 * tagged {@link SKIP_EXECUTION} are passed over. The notebook is not changed.
 *
 * @throws Error if no kernel comes up
 */
export async function runNotebook(notebook: Notebook, options: RunOptions): Promise<NotebookRun> {
  const { path, server, signal, cellTimeoutMs } = options;
  const kernelName = options.kernelName ?? notebook.metadata.kernelspec?.name;
  if (kernelName === undefined) throw new Error(`${path} names no kernel`);
  const code = notebook.cells
    .map((cell, index) => ({ cell, source: textOf(cell.source), index }))
    .filter(({ cell }) => isRun(cell));
  const cells: CellRun[] = [];
  const began = performance.now();
  const session = await KernelSession.start(server, path, kernelName, signal);
  try {
    const kernel = await session.describe();
    const startMs = performance.now() - began;
    for (const { cell, index, source } of code) {
      const mayThrow = hasTag(cell, RAISES_EXCEPTION);
      const execution = await session.execute(source, {
        timeoutMs: timeoutOf(cell) ?? cellTimeoutMs,
        stopOnError: !mayThrow,
      });
      const threw = execution.status === 'error' && !isAborted(execution);
      const passed = execution.status === 'ok' || (mayThrow && threw);
      const run = { index, source, ...execution, passed };
      cells.push(run);
      options.onCell?.(run);
      if (!passed) break;
    }
    const notRun = code.slice(cells.length).map(({ index }) => index);
    const ms = performance.now() - began - startMs;
    return { cells, notRun, ok: cells.every(({ passed }) => passed), kernel, startMs, ms };
  } finally {
    await session.shutdown();
  }
}

/** Whether running the notebook runs this cell. */
export function isRun(cell: NotebookCell): boolean {
  return (
    cell.cell_type === 'code' && textOf(cell.source).trim() !== '' && !hasTag(cell, SKIP_EXECUTION)
  );
}

/** The kernel passed over the cell: `aborted` by the protocol, `abort` in tslab's words. */
export function isAborted({ error }: Pick<Execution, 'error'>): boolean {
  return error?.name === 'aborted' || error?.name === 'abort';
}

export function hasTag({ metadata }: Pick<NotebookCell, 'metadata'>, tag: string): boolean {
  return Array.isArray(metadata?.tags) && metadata.tags.includes(tag);
}

/** Text of the notebook format: one string, or its lines. */
export function textOf(text: string | readonly string[]): string {
  return typeof text === 'string' ? text : text.join('');
}

function timeoutOf({ metadata }: NotebookCell): number | undefined {
  const seconds = metadata?.guardpage?.timeout;
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
}
