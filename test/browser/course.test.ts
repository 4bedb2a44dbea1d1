import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { startServer, type JupyterServer } from '../../lib/jupyter/server';
import { locate } from '../../lib/setup/project';
import { COURSE } from '../notebooks/notebook';
import { seriousFaults } from '../support/accessibility';
import { chromiumOrSkip, openPage } from '../support/chromium';
import { openNotebook } from '../support/lab-page';

/** One in `npm test`, beside the first, which start-here.test.ts has open; all with `npm run notebooks`. */
const NOTEBOOKS =
  process.env.GUARDPAGE_ALL_NOTEBOOKS === undefined
    ? COURSE.filter(({ number }) => number === '04')
    : COURSE;

describe('a notebook of the course, opened in JupyterLab', function () {
  this.timeout(180_000);
  let server: JupyterServer;
  let page: Page;
  let close = async () => {};

  before(async function () {
    const program = chromiumOrSkip(this);
    const project = locate();
    server = await startServer({ project, app: 'lab', folder: project.root });
    ({ page, close } = await openPage(program));
  });

  after(async () => {
    await close();
    await server?.stop();
  });

  for (const { file, cells } of NOTEBOOKS) {
    it(`has outputs without a serious fault of accessibility: ${file}`, async () => {
      await openNotebook(page, server, `notebooks/${file}`);
      const { looked, faults } = await seriousFaults(page);
      assert.deepEqual(faults, []);
      assert.equal(looked, cells.filter(({ outputs }) => outputs.length > 0).length);
    });
  }
});
