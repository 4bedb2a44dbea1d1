import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runNotebook, type Notebook } from '../../lib/jupyter/run-notebook';
import { startServer, type JupyterServer } from '../../lib/jupyter/server';
import { locate } from '../../lib/setup/project';

const project = locate();
const NOTEBOOKS = readdirSync(join(project.root, 'notebooks')).filter((name) => name.endsWith('.ipynb'));

/** The stored notebook, with what the comparison needs of it. */
interface StoredNotebook extends Notebook {
  readonly cells: readonly (Notebook['cells'][number] & {
    readonly execution_count?: number | null;
    readonly outputs?: readonly StoredOutput[];
  })[];
}

interface StoredOutput {
  readonly output_type: string;
  readonly name?: string;
  readonly text?: string | readonly string[];
  readonly data?: Readonly<Record<string, unknown>>;
}

const joined = (text: unknown) => (Array.isArray(text) ? text.join('') : text);

/** Text and MIME data of outputs, however the file splits their lines. */
function meaning(outputs: readonly StoredOutput[]): unknown[] {
  return outputs.map(({ output_type: type, name, text, data }) => ({
    type,
    name,
    text: joined(text),
    data: data && Object.fromEntries(Object.entries(data).map(([mime, value]) => [mime, joined(value)])),
  }));
}

describe('the course', function () {
  this.timeout(180_000);
  let server: JupyterServer;

  before(async () => {
    server = await startServer({ project, app: 'server', folder: project.root });
  });

  after(async () => {
    await server?.stop();
  });

  for (const name of NOTEBOOKS) {
    const path = join('notebooks', name);
    const stored = JSON.parse(readFileSync(join(project.root, path), 'utf8')) as StoredNotebook;

    it(`${name} is stored as it was run from top to bottom`, () => {
      const counts = stored.cells
        .filter(({ cell_type: type }) => type === 'code')
        .map(({ execution_count: count }) => count);
      assert.deepEqual(
        counts,
        counts.map((_, i) => i + 1),
      );
    });

    for (const kernelName of ['guardpage', 'tslab']) {
      it(`${name} gives its stored outputs on the ${kernelName} kernel`, async () => {
        const { ok, cells } = await runNotebook(stored, { server, path, kernelName, cellTimeoutMs: 60_000 });
        assert.equal(ok, true, JSON.stringify(cells.at(-1)));
        for (const { index, outputs } of cells) {
          const expected = stored.cells[index].outputs ?? [];
          assert.deepEqual(meaning(outputs as StoredOutput[]), meaning(expected), `cell ${index}`);
        }
      });
    }
  }
});
