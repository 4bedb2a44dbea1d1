// @ts-check
'use strict';
const fs = require('node:fs');
const path = require('node:path');

/**
 * The project's folder, found from this file upwards: the same from lib/setup and from its
 * compiled copy in lib/dist/setup.
 *
 * @returns {string}
 */
function findRoot() {
  let folder = __dirname;
  while (!fs.existsSync(path.join(folder, 'environment.yml'))) {
    const above = path.dirname(folder);
    if (above === folder) throw new Error(`no environment.yml in ${__dirname} or above it`);
    folder = above;
  }
  return folder;
}

/** @typedef {ReturnType<typeof locate>} Project where everything lies */

/**
 * Where everything lies. Nothing is ever written outside `root`.
 *
 * @param {string} [root] the project's folder
 */
function locate(root = findRoot()) {
  const own = path.join(root, '.guardpage');
  const venv = path.join(root, '.venv');
  return {
    root,
    /** Everything this project keeps to itself: logs, caches, Jupyter's folders. */
    own,
    logs: path.join(own, 'logs'),
    cache: path.join(own, 'cache'),
    build: path.join(own, 'build'),
    jupyter: path.join(own, 'jupyter'),
    venv,
    python: path.join(venv, 'bin', 'python'),
    kernels: path.join(venv, 'share', 'jupyter', 'kernels'),
    labextensions: path.join(venv, 'share', 'jupyter', 'labextensions'),
    labSettings: path.join(venv, 'share', 'jupyter', 'lab', 'settings'),
    nodeModules: path.join(root, 'node_modules'),
    library: path.join(root, 'lib', 'dist'),
    notebooks: path.join(root, 'notebooks'),
    /** The learner's own: working copies of the notebooks, and progress. */
    learner: path.join(root, 'my-course'),
  };
}

module.exports = { locate };
