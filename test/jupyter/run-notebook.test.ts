import assert from 'node:assert/strict';
import { join } from 'node:path';
import { processesWith } from '../../lib/jupyter/processes';
import { runNotebook, type NotebookRun } from '../../lib/jupyter/run-notebook';
import { startServer, type JupyterServer } from '../../lib/jupyter/server';
import { locate } from '../../lib/setup/project';
import { until } from '../support/until';

const project = locate();

/** Python's kernel is the reference: what fails here is the runner's fault. */
const REFERENCE = 'python3';

describe('runNotebook', function () {
  this.timeout(60_000);
  let server: JupyterServer;

  before(async () => {
    server = await startServer({ project, app: 'server', folder: project.root });
  });
  after(() => server?.stop());

  /** Runs cells in the reference kernel; `timeouts` by cell, in seconds. */
  const run = (
    sources: readonly string[],
    timeouts: Readonly<Record<number, number>> = {},
  ): Promise<NotebookRun> => {
    const cells = sources.map((source, i) => ({
      cell_type: 'code',
      source,
      metadata: { guardpage: { timeout: timeouts[i] } },
    }));
    const path = 'test/jupyter/made-up.ipynb';
    return runNotebook(
      { cells, metadata: {} },
      { server, path, kernelName: REFERENCE, cellTimeoutMs: 20_000 },
    );
  };

  it('collects the outputs of each cell, in the folder of the notebook', async () => {
    const { ok, cells, notRun } = await run([
      'import os; print(os.path.basename(os.getcwd()))',
      'print("a"); print("b"); 6 * 7',
      'from IPython.display import display, clear_output\n' +
        'h = display({"text/plain": "old"}, raw=True, display_id="d")\n' +
        'display({"text/plain": "new"}, raw=True, display_id="d", update=True);',
      'display("gone"); clear_output(wait=True); display("kept")',
    ]);
    assert.deepEqual([ok, notRun], [true, []]);
    const outputs = cells.map((cell) => cell.outputs);
    const text = (output: object) =>
      'text' in output ? output.text : (output as { data: object }).data;
    assert.deepEqual(
      outputs.map((list) => list.map(text)),
      [
        ['jupyter\n'],
        ['a\nb\n', { 'text/plain': '42' }],
        [{ 'text/plain': 'new' }],
        [{ 'text/plain': "'kept'" }],
      ],
    );
    assert.deepEqual(
      cells.map((cell) => cell.executionCount),
      [1, 2, 3, 4],
    );
  });

  it('stops at a cell that does not end, and keeps what it had printed', async () => {
    const { ok, cells, notRun } = await run(
      ['1', 'print("so far", flush=True)\nwhile True: pass', '', '3'],
      { 1: 2 },
    );
    assert.deepEqual([ok, notRun], [false, [3]]);
    assert.deepEqual(
      cells.map(({ index, status }) => [index, status]),
      [
        [0, 'ok'],
        [1, 'timeout'],
      ],
    );
    assert.ok(JSON.stringify(cells[1].outputs).includes('so far'));
    assert.ok(cells[1].ms >= 2000, `${cells[1].ms} ms`);
  });

  it('gives runs of one notebook at the same time a kernel each', async () => {
    const counting = ['n = globals().get("n", 0) + 1; print(n)'];
    const runs = await Promise.all([run(counting), run(counting)]);
    const printed = runs.map(({ cells }) => JSON.stringify(cells[0].outputs));
    assert.deepEqual(
      printed,
      Array(2).fill('[{"output_type":"stream","name":"stdout","text":"1\\n"}]'),
    );
  });

  it('says which kernel does not start', async () => {
    const options = { server, path: 'x.ipynb', cellTimeoutMs: 1000 };
    const notebook = { cells: [], metadata: { kernelspec: { name: 'no-such-kernel' } } };
    await assert.rejects(runNotebook(notebook, options), /^Error: kernel no-such-kernel did not/);
    const nameless = { cells: [], metadata: {} };
    await assert.rejects(runNotebook(nameless, options), /^Error: x\.ipynb names no kernel$/);
  });

  it('leaves no kernel behind', async () => {
    const kernels = () => processesWith(join(project.own, `run-${process.pid}-`));
    await until('the end of all kernels', () => kernels().length === 0, 30_000);
  });
});
