import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { startServer, type JupyterServer } from '../../lib/jupyter/server';
import { Random } from '../../lib/random';
import { locate } from '../../lib/setup/project';
import { chromiumOrSkip, openPage } from '../support/chromium';
import { chooseFromMenu, errorOutputs, openNotebook, runAllCells } from '../support/lab-page';
import { until } from '../support/until';

const project = locate();
const ARTIFACTS = join('test', 'artifacts');
const NOTEBOOK = 'stand-in.ipynb';

describe('a notebook in JupyterLab', function () {
  this.timeout(120_000);
  let server: JupyterServer;
  let page: Page;
  let close = async () => {};

  const lines = () => page.getByRole('group', { name: /^Line chart: bytes left/ });
  const bars = () => page.getByRole('group', { name: /^Bar chart of stack bytes/ });
  const textOf = (name: string) => readFileSync(join(project.root, ARTIFACTS, name), 'utf8');
  const shoot = (name: string) => page.screenshot({ path: join(ARTIFACTS, name) });

  before(async function () {
    const program = chromiumOrSkip(this);
    mkdirSync(join(project.root, ARTIFACTS), { recursive: true });
    const source = join(project.root, 'test', 'browser', 'notebooks', NOTEBOOK);
    cpSync(source, join(project.root, ARTIFACTS, NOTEBOOK));
    server = await startServer({ project, app: 'lab', folder: project.root });
    ({ page, close } = await openPage(program));
    await openNotebook(page, server, `${ARTIFACTS}/${NOTEBOOK}`);
    await runAllCells(page);
  });

  after(async () => {
    await page?.screenshot({ path: join(ARTIFACTS, 'last.png') });
    await close();
    await server?.stop();
  });

  it('runs to its end without an error output', async () => {
    assert.deepEqual(await errorOutputs(page), []);
    await page.getByText(`drawn: ${new Random(1).below(10)}`).waitFor();
  });

  it('draws each trace of a figure under the name that the figure gives', async () => {
    await lines().scrollIntoViewIfNeeded();
    await lines().locator('.scatterlayer .trace').nth(1).waitFor();
    assert.equal(await lines().locator('.scatterlayer .trace').count(), 2);
    await page.getByText('Same slope, twice the headroom.', { exact: true }).waitFor();
    await shoot('lab-page.png');
    await page.locator('figure', { has: lines() }).screenshot({
      path: join(ARTIFACTS, 'figure.png'),
    });
  });

  it('redraws a figure by its buttons and its slider', async () => {
    await bars().scrollIntoViewIfNeeded();
    const top = () => bars().locator('.barlayer .point path').first().getAttribute('d');
    const used = await top();
    await bars().locator('.updatemenu-button').filter({ hasText: 'free' }).click();
    await until('another bar', async () => (await top()) !== used);
    const free = await top();
    await bars().locator('.slider-rail-touch-rect').click();
    await until('yet another bar', async () => (await top()) !== free);
    await page.locator('figure', { has: bars() }).screenshot({ path: join(ARTIFACTS, 'bars.png') });
  });

  it('fits a figure to the width it has', async () => {
    await lines().scrollIntoViewIfNeeded();
    const width = async () => (await lines().locator('.main-svg').first().boundingBox())?.width;
    const wide = await width();
    await page.setViewportSize({ width: 900, height: 1000 });
    assert.ok(wide);
    const narrow = async () => {
      const now = await width();
      return now !== undefined && wide - now > 300 && now <= 900;
    };
    await until(`a figure at least 300 px narrower than ${wide}`, narrow);
    await page.setViewportSize({ width: 1280, height: 1000 });
    await until('the figure as wide as before', async () => (await width()) === wide);
  });

  it('says in its place why a figure cannot be drawn', async () => {
    const alert = page.getByRole('alert').filter({ hasText: 'cannot be drawn' });
    assert.equal(
      await alert.textContent(),
      'This figure cannot be drawn: data[0].type: plotly.js has no trace type "scater"',
    );
  });

  it('draws in the colours of the dark theme once that is chosen', async () => {
    await lines().scrollIntoViewIfNeeded();
    const title = lines().locator('.gtitle');
    const colour = () => title.getAttribute('style');
    const light = await colour();
    await chooseFromMenu(page, 'Settings', 'Theme', 'JupyterLab Dark');
    await page.locator('body[data-jp-theme-light="false"]').waitFor({ state: 'attached' });
    await until('a title of another colour', async () => (await colour()) !== light);
    await shoot('dark.png');
  });

  it('is saved with what the kernel sent and nothing of the drawing', async () => {
    await chooseFromMenu(page, 'File', 'Save Notebook');
    const saved = () => {
      const text = textOf(NOTEBOOK);
      // While the server writes it, the file is empty or cut.
      return text.endsWith('}\n') && JSON.parse(text).cells[2].outputs[0];
    };
    const { data, metadata } = await until('the saved notebook', saved);
    assert.deepEqual(Object.keys(data), ['application/vnd.plotly.v1+json', 'text/plain']);
    assert.deepEqual(metadata, {});
    const { data: traces, layout } = data['application/vnd.plotly.v1+json'];
    assert.deepEqual(Object.keys(layout).sort(), ['meta', 'title', 'xaxis', 'yaxis']);
    const x = Array.from({ length: 50 }, (_, i) => i);
    const y = x.map((depth) => 8192 - depth * 160);
    assert.deepEqual(traces[0], { type: 'scatter', name: '8 KB', x, y });
  });

  it('shows the saved figure when it is opened again, before anything is run', async () => {
    await page.reload();
    await lines().scrollIntoViewIfNeeded();
    await lines().locator('.scatterlayer .trace').nth(1).waitFor();
  });
});
