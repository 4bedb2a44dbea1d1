import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { startServer, type JupyterServer } from '../../lib/jupyter/server';
import { locate } from '../../lib/setup/project';
import { chromiumOrSkip, openPage } from '../support/chromium';
import { openNotebook, restartKernel, runEdited } from '../support/lab-page';

const project = locate();
const FOLDER = join(project.root, 'test', 'artifacts', 'exercises');
const PROGRESS = join(FOLDER, 'progress.json');
const NOTEBOOK = 'exercise.ipynb';

/** One exercise of the first notebook, by itself. */
const CELLS = [
  'import { exercise, progress, show } from "guardpage";\nconst wide = exercise("00-wider-call");\nshow(wide);',
  'show(wide.check(undefined));',
  'show(progress("00"));',
];

describe('an exercise in JupyterLab', function () {
  this.timeout(120_000);
  let server: JupyterServer;
  let page: Page;
  let close = async () => {};
  const { GUARDPAGE_PROGRESS } = process.env;

  before(async function () {
    const program = chromiumOrSkip(this);
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(PROGRESS, JSON.stringify({ version: 1, seed: 0, exercises: {} }));
    const cells = CELLS.map((source, i) => ({
      cell_type: 'code',
      execution_count: null,
      id: `cell-${i}`,
      metadata: {},
      outputs: [],
      source,
    }));
    const kernelspec = { name: 'guardpage', display_name: 'TypeScript (Guard Page)' };
    const notebook = { cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 };
    writeFileSync(join(FOLDER, NOTEBOOK), JSON.stringify(notebook));
    process.env.GUARDPAGE_PROGRESS = PROGRESS;
    server = await startServer({ project, app: 'lab', folder: project.root });
    ({ page, close } = await openPage(program));
    await openNotebook(page, server, `test/artifacts/exercises/${NOTEBOOK}`);
  });

  after(async () => {
    process.env.GUARDPAGE_PROGRESS = GUARDPAGE_PROGRESS;
    await page?.screenshot({ path: join(FOLDER, 'last.png') });
    await close();
    await server?.stop();
  });

  const run = (piece: string, text: string) => runEdited(page, piece, text);

  it('is set, judged, hinted at and solved', async () => {
    const task = await run('exercise(', CELLS[0]);
    const [, more] = /One wider call\s+Give ext4_writepages .* (\d+) bytes/.exec(task) ?? [];
    const left = 8192 - 104 - 8 - (7696 + Number(more));
    const answer = (text: string) => run('show(wide.', `show(wide.${text});`);
    assert.match(await answer('check(undefined)'), /Not attempted yet/);
    assert.match(await answer(`check(${left + 112})`), /Not right\s+You count on all 8192 bytes/);
    assert.match(await answer(`check("${left}")`), /not assignable to parameter of type 'number'/);
    assert.match(await answer('hint()'), /Hint 1 of 3/);
    assert.match(await answer('hint()'), /Hint 2 of 3\s+1\. .*\s+2\. /);
    assert.match(await answer(`check(${left})`), /Right\s+8192 − 104 − 8 − \(7696 \+ \d+\)/);
    assert.match(await answer('solution()'), /Solution: One wider call[^]*widenFrame/);
    await page.screenshot({ path: join(FOLDER, 'solution.png') });
  });

  it('is still solved after the kernel was started anew', async () => {
    await restartKernel(page);
    await run('exercise(', CELLS[0]);
    const table = await run('progress(', CELLS[2]);
    assert.match(table, /1 of 4 exercises solved/);
    assert.match(table, /One wider call\s+00-wider-call\s+✔ solved\s+2\s+2\s+no/);
    await page.screenshot({ path: join(FOLDER, 'progress.png') });
    const { exercises } = JSON.parse(readFileSync(PROGRESS, 'utf8'));
    assert.deepEqual(exercises, {
      '00-wider-call': { state: 'solved', attempts: 2, hints: 2, solution: false },
    });
  });
});
