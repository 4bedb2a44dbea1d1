// @ts-check
'use strict';
const path = require('node:path');
const { setUp } = require('./index');
const { Problem } = require('./problem');
const { endRunning } = require('./run');

/** @type {readonly NodeJS.Signals[]} */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const USAGE = `npm start -- [--no-browser] [--port N]
  sets up what is missing and opens JupyterLab on the course
  --no-browser   only print the address
  --port N       listen on this port of 127.0.0.1 (default: the first free one from 8888)
  --setup-only   set up and end
GUARDPAGE_PYTHON names the Python to use, if not the first that fits`;

/**
 * `npm start`.
 *
 * @param {string[]} argv
 */
async function start(argv) {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const setupOnly = argv.includes('--setup-only');
  const rest = argv.filter((arg) => arg !== '--setup-only');
  const wrong = wrongArgument(rest);
  if (wrong !== undefined) {
    process.stderr.write(`guardpage: ${wrong}; npm start -- --help lists what there is\n`);
    process.exitCode = 2;
    return;
  }
  const project = await setUpOrExit();
  if (setupOnly) return;
  const { main } = require(path.join(project.library, 'cli.js'));
  process.exitCode = await main(['lab', ...rest]);
}

/**
 * What `guardpage lab` would refuse, told before minutes of set-up rather than after.
 *
 * @param {string[]} args
 * @returns {string | undefined}
 */
function wrongArgument(args) {
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === '--no-browser') continue;
    const port = /^--port(?:=(.*))?$/.exec(args[i]);
    if (!port) return `unknown argument ${args[i]}`;
    const value = port[1] ?? args[(i += 1)];
    if (!/^\d+$/.test(value ?? '') || Number(value) < 1 || Number(value) > 65535) {
      return `--port: expected a number from 1 to 65535, got ${value ?? 'nothing'}`;
    }
  }
  return undefined;
}

/**
 * Sets up, or ends the process with the one line that says what is wrong. A signal breaks the
 * set-up off; the next one goes on from there.
 *
 * @returns {Promise<import('./project').Project>}
 */
async function setUpOrExit() {
  /** @type {NodeJS.Signals | undefined} */
  let broken;
  const exitBroken = () => {
    process.stderr.write("guardpage: set-up broken off; 'npm start' goes on from here\n");
    return process.exit(broken === 'SIGINT' ? 130 : 143);
  };
  const stop = (/** @type {NodeJS.Signals} */ signal) => {
    broken ??= signal;
    if (!endRunning()) exitBroken();
  };
  for (const signal of STOPPING) process.on(signal, stop);
  try {
    return await setUp();
  } catch (error) {
    if (broken) return exitBroken();
    if (!(error instanceof Problem)) throw error;
    process.stderr.write(`guardpage: ${error.message}\n`);
    return process.exit(1);
  } finally {
    for (const signal of STOPPING) process.removeListener(signal, stop);
  }
}

module.exports = { start, setUpOrExit, wrongArgument, STOPPING };
