import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { startServer, type JupyterServer } from '../../lib/jupyter/server';
import { locate } from '../../lib/setup/project';
import { chromiumOrSkip, openPage } from '../support/chromium';
import { chooseFromMenu, openNotebook } from '../support/lab-page';
import { until } from '../support/until';

const project = locate();
const ARTIFACTS = join('test', 'artifacts');
const NOTEBOOK = 'kernel.ipynb';

const CELLS = {
  run: 'const shown: Map<string, number> = new Map([["a", 1]]);\nconsole.log("printed", shown);\nshown',
  typed:
    'interface Named { name: string }\nfunction greet(name: string): string {\n  return `Hello ${name}`;\n}\nconst wrong: number = greet("x");',
  thrown: 'function inner(n: number): never {\n  throw new RangeError(`no ${n}`);\n}\ninner(5);',
  progress:
    'import { progress } from "guardpage-kernel";\nconst bar = progress(40, "walking");\nfor (let i = 0; i < 40; i++) {\n  const end = performance.now() + 50;\n  while (performance.now() < end);\n  bar.add();\n}',
  input:
    'import { input } from "guardpage-kernel";\nconst answer = await input("Your name? ");\nanswer.toUpperCase()',
  comm: 'import { openComm } from "guardpage-kernel";\nconst comm = openComm("lab-echo", { hello: 1 });\nawait new Promise<void>((done) => comm.onMessage(({ data }) => { console.log("came back", data.twice); done(); }));',
  endless: 'let turns = 0;\nwhile (true) turns++;',
  after: 'turns > 0',
};

type Name = keyof typeof CELLS;

function notebook(): string {
  const cells = Object.values(CELLS).map((source, i) => ({
    ...{ cell_type: 'code', id: `cell${i}`, source, metadata: {}, outputs: [] },
    execution_count: null,
  }));
  const kernelspec = { name: 'guardpage', display_name: 'TypeScript (Guard Page)' };
  return JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 });
}

describe('The TypeScript kernel in JupyterLab', function () {
  this.timeout(120_000);
  let server: JupyterServer;
  let page: Page;
  let keep: string;
  let close = async () => {};

  const cell = (name: Name) =>
    page.locator('.jp-Notebook .jp-CodeCell').nth(Object.keys(CELLS).indexOf(name));
  const output = (name: Name) => cell(name).locator('.jp-OutputArea-output');
  const shoot = (name: string) => page.screenshot({ path: join(ARTIFACTS, `kernel-${name}.png`) });

  async function start(name: Name): Promise<void> {
    await cell(name).scrollIntoViewIfNeeded();
    await cell(name).locator('.cm-content').click();
    await page.keyboard.press('Control+Enter');
  }

  const finished = (name: Name) =>
    cell(name)
      .locator('.jp-InputPrompt')
      .filter({ hasText: /\[\d+\]/ })
      .waitFor();

  before(async function () {
    const program = chromiumOrSkip(this);
    mkdirSync(join(project.root, ARTIFACTS), { recursive: true });
    writeFileSync(join(project.root, ARTIFACTS, NOTEBOOK), notebook());
    keep = mkdtempSync(join(project.own, 'kernel-lab-'));
    mkdirSync(join(keep, 'config'));
    // The application's object in the page: a comm needs somebody to talk to.
    const config = { LabApp: { expose_app_in_browser: true } };
    writeFileSync(join(keep, 'config', 'jupyter_lab_config.json'), JSON.stringify(config));
    server = await startServer({ project, app: 'lab', folder: project.root, keep });
    ({ page, close } = await openPage(program));
    await openNotebook(page, server, `${ARTIFACTS}/${NOTEBOOK}`);
  });

  after(async () => {
    await page?.screenshot({ path: join(ARTIFACTS, 'kernel-last.png') });
    await close();
    await server?.stop();
    if (keep) rmSync(keep, { recursive: true, force: true });
  });

  /** Puts the cursor into a cell and replaces what stands there. */
  async function write(name: Name, text: string): Promise<void> {
    await cell(name).scrollIntoViewIfNeeded();
    await cell(name).locator('.cm-content').click();
    await page.keyboard.press('Control+a');
    await page.keyboard.type(text);
  }

  it('colours TypeScript as such', async () => {
    // In JavaScript, `interface` is a name like any other.
    const word = (text: string) =>
      cell('typed')
        .locator('.cm-line span')
        .filter({ hasText: new RegExp(`^${text}$`) })
        .first();
    const colour = async (text: string) =>
      word(text).evaluate((span) => {
        type Style = { getComputedStyle(of: unknown): { color: string } };
        return (globalThis as unknown as Style).getComputedStyle(span).color;
      });
    assert.equal(await colour('interface'), await colour('function'));
    assert.notEqual(await colour('interface'), await colour('greet'));
    await shoot('highlighting');
  });

  it('runs a cell', async () => {
    await start('run');
    await finished('run');
    await output('run').filter({ hasText: "printed Map(1) { 'a' => 1 }" }).waitFor();
    assert.equal(await output('run').last().textContent(), "Map(1) { 'a' => 1 }");
  });

  it('shows a mistake with its line, and what is thrown', async () => {
    await start('typed');
    await output('typed').filter({ hasText: "TS2322: Type 'string' is not assignable" }).waitFor();
    await start('thrown');
    await output('thrown')
      .filter({ hasText: /RangeError: no 5[^]*line 2[^]*at inner/ })
      .waitFor();
    await shoot('errors');
  });

  it('completes in a pop-up', async () => {
    await write('after', 'shown.');
    await page.keyboard.press('Tab');
    const popUp = page.locator('.jp-Completer');
    await popUp.filter({ hasText: 'forEach' }).waitFor();
    await shoot('completion');
    await page.keyboard.press('Escape');
  });

  it('shows type and documentation in a tooltip', async () => {
    await write('after', 'shown.forEach(');
    await page.keyboard.press('Shift+Tab');
    await page.locator('.jp-Tooltip').filter({ hasText: 'forEach(callbackfn' }).waitFor();
    await shoot('tooltip');
    await page.keyboard.press('Escape');
    await write('after', CELLS.after);
  });

  it('moves a progress bar in place', async () => {
    await start('progress');
    const bar = cell('progress').locator('progress');
    await bar.waitFor();
    const value = async () => Number(await bar.getAttribute('value'));
    const partly = async () => (await value()) > 0 && (await value()) < 40;
    await until('the bar on its way', partly, 15_000);
    await shoot('progress');
    await finished('progress');
    assert.equal(await value(), 40);
    assert.equal(await output('progress').count(), 1);
  });

  it('asks for input', async () => {
    await start('input');
    const box = cell('input').locator('.jp-Stdin-input');
    await box.fill('Ann');
    await box.press('Enter');
    await output('input').filter({ hasText: "'ANN'" }).waitFor();
  });

  it('talks to the page through a comm, both ways', async () => {
    await page.evaluate(() => {
      type Message = { content: { data: { hello: number } } };
      type Target = (comm: { send(data: object): void }, open: Message) => void;
      type Kernel = { registerCommTarget(name: string, target: Target): void };
      const { jupyterapp } = globalThis as unknown as {
        jupyterapp: {
          shell: { currentWidget: { sessionContext: { session: { kernel: Kernel } } } };
        };
      };
      const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
      kernel.registerCommTarget('lab-echo', (comm, { content }) => {
        setTimeout(() => comm.send({ twice: 2 * content.data.hello }), 100);
      });
    });
    await start('comm');
    await output('comm').filter({ hasText: 'came back 2' }).waitFor();
  });

  it('stops at the interrupt button and keeps the variables', async () => {
    await start('endless');
    await cell('endless').locator('.jp-InputPrompt').filter({ hasText: '[*]' }).waitFor();
    await page.waitForTimeout(700); // the front end marks a cell before the kernel has it
    await page.getByRole('button', { name: /Interrupt the kernel/ }).click();
    await output('endless').filter({ hasText: 'Interrupted' }).waitFor();
    await start('after');
    await output('after').filter({ hasText: 'true' }).waitFor();
    await shoot('interrupted');
  });

  it('restarts and forgets', async () => {
    await chooseFromMenu(page, 'Kernel', 'Restart Kernel…');
    await page.locator('.jp-Dialog').getByRole('button', { name: 'Confirm' }).click();
    await page.getByText('| Idle').waitFor({ timeout: 30_000 });
    await start('after');
    await output('after').filter({ hasText: "Cannot find name 'turns'" }).waitFor();
    await start('run');
    await cell('run').locator('.jp-OutputPrompt').filter({ hasText: '[2]:' }).waitFor();
    await shoot('restarted');
  });
});
