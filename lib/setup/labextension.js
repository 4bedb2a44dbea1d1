// @ts-check
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { childEnvironment } = require('./environment');
const { explain } = require('./problem');
const { run } = require('./run');
const { hashOf, readStamp, replaceFolder, writeAtomically, writeStamp } = require('./stamp');

/** @typedef {import('./project').Project} Project */

const NAME = 'guardpage-plotly';
const SOURCES = path.join('lib', 'jupyter', 'labextension');
const STAMP = 'guardpage.json';

/**
 * JupyterLab asks the network neither for news nor for a newer JupyterLab. More settings of ours
 * go here; a reader's own settings win.
 */
const SETTINGS = {
  '@jupyterlab/apputils-extension:notification': { fetchNews: 'false', checkForUpdates: false },
};

const settingsText = `${JSON.stringify(SETTINGS, null, 2)}\n`;

/** @param {Project} project */
const sources = (project) => hashOf(project.root, [SOURCES, 'package-lock.json']);

/** @param {Project} project */
const settingsFile = (project) => path.join(project.labSettings, 'overrides.json');

/** @param {Project} project */
function labextensionIsCurrent(project) {
  const settings = settingsFile(project);
  return (
    readStamp(path.join(project.labextensions, NAME, STAMP)).sources === sources(project) &&
    fs.existsSync(settings) &&
    fs.readFileSync(settings, 'utf8') === settingsText
  );
}

/**
 * Builds the plotly renderer and puts it, with our settings, where JupyterLab in .venv looks.
 *
 * @param {Project} project
 * @throws {import('./problem').Problem}
 */
async function installLabextension(project) {
  const log = path.join(project.logs, 'renderer.log');
  const folder = path.join(project.build, `renderer.${process.pid}`);
  const options = { cwd: project.root, env: childEnvironment(project), log };
  const inModules = (/** @type {string[]} */ ...names) => path.join(project.nodeModules, ...names);
  const built = sources(project);
  /** @param {string[]} args */
  const node = async (...args) => {
    const { code, output } = await run(process.execPath, args, options);
    if (code === 0) return;
    throw explain({ what: 'the plotly renderer', output, code, log, root: project.root });
  };
  try {
    fs.mkdirSync(folder, { recursive: true });
    const compile = ['-p', SOURCES, '--noEmit', 'false', '--outDir', folder, '--pretty', 'false'];
    await node(inModules('typescript', 'bin', 'tsc'), ...compile);
    fs.copyFileSync(
      path.join(project.root, SOURCES, 'package.json'),
      path.join(folder, 'package.json'),
    );
    await node(
      inModules('@jupyter', 'builder', 'lib', 'build-labextension.js'),
      '--core-package-file',
      inModules('@jupyterlab', 'core-meta', 'core.package.json'),
      folder,
    );
    const made = path.join(folder, 'labextension');
    writeStamp(path.join(made, STAMP), { sources: built });
    replaceFolder(made, path.join(project.labextensions, NAME));
    writeAtomically(settingsFile(project), settingsText);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { labextensionIsCurrent, installLabextension };
