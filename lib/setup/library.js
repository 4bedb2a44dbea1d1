// @ts-check
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { childEnvironment } = require('./environment');
const { explain } = require('./problem');
const { run } = require('./run');
const { hashOf, readStamp, replaceFolder, writeStamp } = require('./stamp');

/** @typedef {import('./project').Project} Project */

const STAMP = 'guardpage.json';

/** @param {Project} project */
const sources = (project) =>
  hashOf(
    project.root,
    ['lib', 'tsconfig.json', 'package-lock.json'],
    (name) => !name.startsWith(path.join('lib', 'dist')) && /\.(ts|js|json)$/.test(name),
  );

/**
 * What the compiler wrote: a `npm run build` of another state of the sources must be seen too.
 *
 * @param {string} folder
 */
const written = (folder) =>
  hashOf(folder, ['.'], (name) => name !== STAMP && /\.(js|json|ts)$/.test(name));

/** @param {Project} project */
function libraryIsCurrent(project) {
  const stamp = readStamp(path.join(project.library, STAMP));
  return stamp.sources === sources(project) && stamp.written === written(project.library);
}

/**
 * Compiles lib/ to JavaScript and types in lib/dist, which is replaced as a whole.
 *
 * @param {Project} project
 * @throws {import('./problem').Problem}
 */
async function buildLibrary(project) {
  const log = path.join(project.logs, 'library.log');
  const made = path.join(project.build, `library.${process.pid}`);
  const compiled = sources(project);
  const tsc = path.join(project.nodeModules, 'typescript', 'bin', 'tsc');
  try {
    const { code, output } = await run(
      process.execPath,
      [tsc, '-p', 'lib', '--outDir', made, '--pretty', 'false'],
      { cwd: project.root, env: childEnvironment(project), log },
    );
    if (code !== 0) {
      const first = output.split('\n', 1)[0];
      throw explain({ what: 'the compiler', output: first, code, log, root: project.root });
    }
    writeStamp(path.join(made, STAMP), { sources: compiled, written: written(made) });
    replaceFolder(made, project.library);
  } finally {
    fs.rmSync(made, { recursive: true, force: true });
  }
}

module.exports = { libraryIsCurrent, buildLibrary };
