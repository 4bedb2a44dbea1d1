import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { processesWith } from '../../lib/jupyter/processes';
import { runNotebook, type NotebookRun } from '../../lib/jupyter/run-notebook';
import { startServer, type JupyterServer } from '../../lib/jupyter/server';
import { locate } from '../../lib/setup/project';

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

  /** Runs cells in the reference kernel. */
  const run = (sources: readonly string[], cellTimeoutMs = 20_000): Promise<NotebookRun> => {
    const cells = sources.map((source) => ({ cell_type: 'code', source, metadata: {} }));
    const path = 'test/jupyter/made-up.ipynb';
    return runNotebook(
      { cells, metadata: {} },
      { server, path, kernelName: REFERENCE, cellTimeoutMs },
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

  it('stops at a cell that throws and names the error', async () => {
    const { ok, cells, notRun } = await run(['1', 'raise ValueError("no")', '2', '', '3']);
    assert.deepEqual([ok, notRun], [false, [2, 4]]);
    assert.deepEqual(
      cells.map(({ index, status }) => [index, status]),
      [
        [0, 'ok'],
        [1, 'error'],
      ],
    );
    assert.deepEqual(cells[1].error, { name: 'ValueError', value: 'no' });
    assert.equal(cells[1].outputs[0].output_type, 'error');
  });

  it('interrupts a cell that does not end, and keeps what it had printed', async () => {
    const { ok, cells } = await run(['print("so far", flush=True)\nwhile True: pass'], 1500);
    assert.equal(ok, false);
    assert.equal(cells[0].status, 'timeout');
    assert.deepEqual(cells[0].error, {
      name: 'CellTimeout',
      value: 'the cell did not end within 1.5 s and was interrupted',
    });
    assert.ok(JSON.stringify(cells[0].outputs).includes('so far'));
    assert.ok(cells[0].ms >= 1500 && cells[0].ms < 5000, `${cells[0].ms} ms`);
  });

  it('notices that the kernel died', async () => {
    const { ok, cells, notRun } = await run(['import os; os._exit(3)', '1']);
    assert.deepEqual([ok, cells[0].status, notRun], [false, 'died', [1]]);
  });

  it('says which kernel does not start', async () => {
    const options = { server, path: 'x.ipynb', cellTimeoutMs: 1000 };
    const notebook = { cells: [], metadata: { kernelspec: { name: 'no-such-kernel' } } };
    await assert.rejects(runNotebook(notebook, options), /^Error: kernel no-such-kernel did not/);
    const nameless = { cells: [], metadata: {} };
    await assert.rejects(runNotebook(nameless, options), /^Error: x\.ipynb names no kernel$/);
  });

  for (const kernelName of ['guardpage', 'tslab']) {
    it(`runs TypeScript with the project's library in the kernel ${kernelName}`, async () => {
      const path = join('test', 'browser', 'notebooks', 'stand-in.ipynb');
      const notebook = JSON.parse(readFileSync(join(project.root, path), 'utf8'));
      const options = { server, path, kernelName, cellTimeoutMs: 30_000 };
      const { ok, cells } = await runNotebook(notebook, options);
      assert.equal(ok, true, JSON.stringify(cells.at(-1)));
      const [drawn] = cells[0].outputs;
      assert.ok(drawn.output_type === 'stream');
      assert.equal(stripVTControlCharacters(drawn.text), 'drawn: 6\n');
      const [figure] = cells[1].outputs;
      assert.ok('data' in figure);
      assert.deepEqual(Object.keys(figure.data), ['application/vnd.plotly.v1+json', 'text/plain']);
    });
  }

  it('leaves no kernel behind', async () => {
    const kernels = () => processesWith(join(project.own, `run-${process.pid}-`));
    for (let tries = 0; kernels().length > 0 && tries < 50; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual(kernels(), []);
  });
});
