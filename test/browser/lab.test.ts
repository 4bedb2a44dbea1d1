import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { startServer, type JupyterServer } from '../../lib/jupyter/server';
import { locate } from '../../lib/setup/project';
import { chromiumOrSkip, openPage } from '../support/chromium';

const project = locate();
const ARTIFACTS = join('test', 'artifacts');
const NOTEBOOK = 'stand-in.ipynb';

/** The figure of the cell that draws lines. */
const LINES = /^Line chart: bytes left/;

describe('a notebook in JupyterLab', function () {
  this.timeout(120_000);
  let server: JupyterServer;
  let page: Page;
  let close = async () => {};

  before(async function () {
    const program = chromiumOrSkip(this);
    mkdirSync(join(project.root, ARTIFACTS), { recursive: true });
    cpSync(
      join(project.root, 'test', 'browser', 'notebooks', NOTEBOOK),
      join(project.root, ARTIFACTS, NOTEBOOK),
    );
    server = await startServer({ project, app: 'lab', folder: project.root });
    ({ page, close } = await openPage(program));
    await page.goto(`${server.url}lab/tree/${ARTIFACTS}/${NOTEBOOK}?token=${server.token}`);
    await page.getByRole('menuitem', { name: 'Run', exact: true }).click();
    await page.getByText('Run All Cells', { exact: true }).click();
    await page.getByText('[5]:').waitFor();
  });

  after(async () => {
    await page?.screenshot({ path: join(ARTIFACTS, 'lab-page.png') });
    await close();
    await server?.stop();
  });

  it('runs to its end without an error output', async () => {
    assert.equal(
      await page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count(),
      0,
    );
    assert.equal(await page.locator('[data-mime-type="application/vnd.jupyter.error"]').count(), 0);
    await page.getByText('drawn: 6').waitFor();
  });

  it('draws each trace of a figure under the name that the figure gives', async () => {
    const figure = page.getByRole('img', { name: LINES });
    await figure.scrollIntoViewIfNeeded();
    await figure.locator('.scatterlayer .trace').nth(1).waitFor();
    assert.equal(await figure.locator('.scatterlayer .trace').count(), 2);
    await page.getByText('Same slope, twice the headroom.').waitFor();
    await page
      .locator('figure', { has: figure })
      .screenshot({ path: join(ARTIFACTS, 'figure.png') });
  });
});
