import { KernelSession, type Execution } from './kernel-session';
import type { JupyterServer } from './server';

/** A notebook file's content, as far as running it needs. */
export interface Notebook {
  readonly cells: readonly NotebookCell[];
  readonly metadata: { readonly kernelspec?: { readonly name?: string } };
}

export interface NotebookCell {
  readonly cell_type: string;
  readonly source: string | readonly string[];
  readonly metadata: { readonly tags?: readonly string[] };
}

/** A code cell that was run. `index` counts all cells of the file, from 0. */
export interface CellRun extends Execution {
  readonly index: number;
  readonly source: string;
}

export interface NotebookRun {
  /** The cells that were run: all code cells, or those up to the first that failed. */
  readonly cells: readonly CellRun[];
  /** The code cells that were not run, after a failure. */
  readonly notRun: readonly number[];
  /** Whether every code cell was run and replied `ok`. */
  readonly ok: boolean;
}

export interface RunOptions {
  readonly server: Pick<JupyterServer, 'url' | 'token'>;
  /** Where the notebook lies, relative to what the server serves; the kernel starts there. */
  readonly path: string;
  /** Default: the one that the notebook names. */
  readonly kernelName?: string;
  readonly cellTimeoutMs: number;
  readonly onCell?: (run: CellRun) => void;
}

/**
 * Runs a notebook's code cells in order in a fresh kernel, up to the first that fails. The
 * notebook is not changed.
 *
 * @throws Error if no kernel comes up
 */
export async function runNotebook(notebook: Notebook, options: RunOptions): Promise<NotebookRun> {
  const kernelName = options.kernelName ?? notebook.metadata.kernelspec?.name;
  if (kernelName === undefined) throw new Error(`${options.path} names no kernel`);
  const code = notebook.cells
    .map(({ cell_type, source }, index) => ({ cell_type, source: textOf(source), index }))
    .filter(({ cell_type, source }) => cell_type === 'code' && source.trim() !== '');
  const cells: CellRun[] = [];
  const session = await KernelSession.start(options.server, options.path, kernelName);
  try {
    for (const { index, source } of code) {
      const run = { index, source, ...(await session.execute(source, options.cellTimeoutMs)) };
      cells.push(run);
      options.onCell?.(run);
      if (run.status !== 'ok') break;
    }
  } finally {
    await session.shutdown();
  }
  const notRun = code.slice(cells.length).map(({ index }) => index);
  return { cells, notRun, ok: cells.every(({ status }) => status === 'ok') };
}

function textOf(source: NotebookCell['source']): string {
  return typeof source === 'string' ? source : source.join('');
}
