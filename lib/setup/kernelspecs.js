// @ts-check
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { writeAtomically } = require('./stamp');

/** @typedef {import('./project').Project} Project */

/**
 * @typedef {object} Kernelspec
 * @property {string} name the folder's name, which a notebook's metadata names
 * @property {string} display what the reader sees
 * @property {string} script what Node runs, relative to the project's folder
 * @property {readonly string[]} args its arguments
 * @property {Record<string, unknown>} [more] further keys of kernel.json
 */

/** @type {readonly Kernelspec[]} */
const KERNELSPECS = [
  {
    name: 'guardpage',
    display: 'TypeScript (Guard Page)',
    script: 'lib/dist/jupyter/kernel/main.js',
    args: ['{connection_file}'],
    more: { interrupt_mode: 'message', metadata: { debugger: false } },
  },
  {
    name: 'tslab',
    display: 'TypeScript (tslab)',
    script: 'node_modules/tslab/bin/tslab',
    args: ['kernel', '--config-path', '{connection_file}'],
  },
];

/**
 * @param {Project} project
 * @param {Kernelspec} spec
 */
function kernelJson(project, { display, script, args, more }) {
  const content = {
    argv: [process.execPath, path.join(project.root, script), ...args],
    display_name: display,
    language: 'typescript',
    ...more,
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/**
 * @param {Project} project
 * @param {Kernelspec} spec
 */
const fileOf = (project, { name }) => path.join(project.kernels, name, 'kernel.json');

/**
 * Whether each kernelspec is as it would be written now: the Node in use may have changed.
 *
 * @param {Project} project
 * @param {readonly Kernelspec[]} [specs]
 */
function kernelspecsAreCurrent(project, specs = KERNELSPECS) {
  return specs.every((spec) => {
    const file = fileOf(project, spec);
    return fs.existsSync(file) && fs.readFileSync(file, 'utf8') === kernelJson(project, spec);
  });
}

/**
 * @param {Project} project
 * @param {readonly Kernelspec[]} [specs]
 */
function installKernelspecs(project, specs = KERNELSPECS) {
  for (const spec of specs) writeAtomically(fileOf(project, spec), kernelJson(project, spec));
}

module.exports = { KERNELSPECS, kernelspecsAreCurrent, installKernelspecs };
