import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { startServer, type JupyterServer } from '../../lib/jupyter/server';
import { locate } from '../../lib/setup/project';
import { seriousFaults } from '../support/accessibility';
import { chromiumOrSkip, openPage } from '../support/chromium';
import { errorOutputs, openNotebook, runAllCells } from '../support/lab-page';

const project = locate();
const ARTIFACTS = join('test', 'artifacts');
const NOTEBOOK = '00-start-here.ipynb';

describe('00-start-here in JupyterLab', function () {
  this.timeout(180_000);
  let server: JupyterServer;
  let page: Page;
  let close = async () => {};

  before(async function () {
    const program = chromiumOrSkip(this);
    mkdirSync(join(project.root, ARTIFACTS), { recursive: true });
    const copy = withoutOutputs(readFileSync(join(project.root, 'notebooks', NOTEBOOK), 'utf8'));
    writeFileSync(join(project.root, ARTIFACTS, NOTEBOOK), copy);
    server = await startServer({ project, app: 'lab', folder: project.root });
    ({ page, close } = await openPage(program));
    await openNotebook(page, server, `${ARTIFACTS}/${NOTEBOOK}`);
    await runAllCells(page);
  });

  after(async () => {
    await page?.screenshot({ path: join(ARTIFACTS, 'start-here-end.png') });
    await close();
    await server?.stop();
  });

  it('runs to its end without an error output', async () => {
    assert.deepEqual(await errorOutputs(page), []);
  });

  it('draws the depth of the calls against the limits of three stacks', async () => {
    const figure = page
      .getByRole('group', { name: /^Step chart\. Horizontal: number of the call, 1 to 51/ })
      .first();
    await figure.scrollIntoViewIfNeeded();
    // The calls, and a line and a mark for each of three stacks.
    await figure.locator('.scatterlayer .trace').nth(6).waitFor();
    assert.equal(await figure.locator('.scatterlayer .trace').count(), 7);
    await page.screenshot({ path: join(ARTIFACTS, 'start-here.png') });
    await page
      .locator('figure', { has: figure })
      .first()
      .screenshot({ path: join(ARTIFACTS, 'depth.png') });
  });

  it('has outputs without a serious fault of accessibility', async () => {
    const { looked, faults } = await seriousFaults(page);
    assert.deepEqual(faults, []);
    assert.ok(looked >= 10, `${looked} outputs were looked at`);
  });
});

/** The notebook as it is before anybody has run it, so that what is seen was made here. */
function withoutOutputs(text: string): string {
  const notebook = JSON.parse(text);
  for (const cell of notebook.cells) {
    if (cell.cell_type !== 'code') continue;
    cell.outputs = [];
    cell.execution_count = null;
  }
  return JSON.stringify(notebook);
}
