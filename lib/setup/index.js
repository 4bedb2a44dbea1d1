// @ts-check
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { kernelspecsAreCurrent, installKernelspecs } = require('./kernelspecs');
const { labextensionIsCurrent, installLabextension } = require('./labextension');
const { libraryIsCurrent, buildLibrary } = require('./library');
const { withLock } = require('./lock');
const { npmIsCurrent, installNpm } = require('./npm');
const { explainError } = require('./problem');
const { Progress } = require('./progress');
const { locate } = require('./project');
const { pythonIsCurrent, installPython, findPython } = require('./python');

/** @typedef {import('./project').Project} Project */

/**
 * @typedef {object} SetupStep
 * @property {string} title
 * @property {(project: Project) => boolean} isCurrent whether what it makes is there and fits
 * @property {(project: Project, note: (text: string) => void) => void | Promise<void>} make
 * @property {() => void} [need] throws a Problem if this machine lacks what `make` needs
 */

/**
 * In the order in which they need each other. Each looks at what is there, not at what was done
 * once, so that a broken-off or outdated part is made anew and nothing else.
 *
 * @type {readonly SetupStep[]}
 */
const STEPS = [
  { title: 'npm packages', isCurrent: npmIsCurrent, make: installNpm },
  {
    title: 'JupyterLab in .venv',
    isCurrent: pythonIsCurrent,
    make: installPython,
    need: () => void findPython(),
  },
  { title: 'library', isCurrent: libraryIsCurrent, make: buildLibrary },
  {
    title: 'notebook kernels',
    isCurrent: (project) => kernelspecsAreCurrent(project),
    make: (project) => installKernelspecs(project),
  },
  { title: 'plotly renderer', isCurrent: labextensionIsCurrent, make: installLabextension },
];

/**
 * Brings the project's folder up to date. Says nothing and takes well under a second if it is.
 *
 * @param {Project} [project]
 * @param {Progress} [progress]
 * @param {readonly SetupStep[]} [steps]
 * @returns {Promise<Project>}
 * @throws {import('./problem').Problem} one line for the reader
 */
async function setUp(project = locate(), progress = new Progress(), steps = STEPS) {
  if (steps.every(({ isCurrent }) => isCurrent(project))) return project;
  const context = { what: 'the set-up', root: project.root };
  try {
    await withLock(
      path.join(project.own, 'setup.lock'),
      () => makeMissing(project, progress, steps),
      {
        onWait: (owner) => progress.say(`  another set-up is running (process ${owner}): waiting`),
      },
    );
    return project;
  } catch (error) {
    throw explainError(error, context) ?? error;
  }
}

/**
 * @param {Project} project
 * @param {Progress} progress
 * @param {readonly SetupStep[]} steps
 */
async function makeMissing(project, progress, steps) {
  const missing = steps.filter(({ isCurrent }) => !isCurrent(project));
  for (const { need } of missing) need?.();
  if (missing.length > 0) {
    progress.say('Setting up (the first time takes a minute or two and 600 MB):');
  }
  fs.rmSync(project.build, { recursive: true, force: true }); // left by one that was killed
  for (const { title, isCurrent, make } of steps) {
    if (isCurrent(project)) continue; // also what another set-up has made while we waited
    const step = progress.step(title);
    try {
      await make(project, step.note);
    } catch (error) {
      step.fail();
      throw error;
    }
    step.done();
  }
  for (const folder of [project.build, project.cache]) {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { STEPS, setUp };
