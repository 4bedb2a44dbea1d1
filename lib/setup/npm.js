// @ts-check
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { childEnvironment } = require('./environment');
const { explain } = require('./problem');
const { run } = require('./run');

/** @typedef {import('./project').Project} Project */

/**
 * Whether node_modules holds what package-lock.json asks for. npm writes its own copy of the
 * lock file there when an install is complete, so that a broken-off one does not count.
 *
 * @param {Project} project
 */
function npmIsCurrent(project) {
  const wanted = packagesOf(path.join(project.root, 'package-lock.json'));
  const present = packagesOf(path.join(project.nodeModules, '.package-lock.json'));
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(
    ([place, { version, optional, link }]) =>
      !place.startsWith('node_modules/') ||
      (present[place] ? link || present[place].version === version : optional),
  );
}

/**
 * @param {string} lockFile
 * @returns {Record<string, { version?: string, optional?: boolean, link?: boolean }> | undefined}
 */
function packagesOf(lockFile) {
  try {
    return JSON.parse(fs.readFileSync(lockFile, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * Installs what package-lock.json lists. Install scripts are not run: no package here needs one
 * (zeromq brings its binaries along).
 *
 * @param {Project} project
 * @throws {import('./problem').Problem}
 */
async function installNpm(project) {
  const log = path.join(project.logs, 'npm.log');
  const [command, ...before] = npmCommand();
  const args = [
    ...before,
    'ci',
    '--include=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--fetch-retries=2',
    '--fetch-retry-mintimeout=1000',
    '--fetch-retry-maxtimeout=10000',
  ];
  const env = childEnvironment(project);
  const { code, output } = await run(command, args, { cwd: project.root, env, log });
  if (code === 0) return;
  throw explain({ what: 'npm packages', output, code, log, root: project.root });
}

/** The npm that runs us, or else the one in PATH. */
function npmCommand() {
  const script = process.env.npm_execpath;
  if (script && path.basename(script) === 'npm-cli.js') return [process.execPath, script];
  return ['npm'];
}

module.exports = { npmIsCurrent, installNpm };
