// @ts-check
'use strict';
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

/** As much of a program's talk as is kept to tell why it failed. */
const KEPT = 64 * 1024;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * @typedef {object} RunOptions
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} env
 * @property {string} [log] file for all it says
 * @property {(line: string) => void} [onLine] called for each line it says
 */

/**
 * Runs a program to its end, without a standard input.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<{ code: number | null, output: string }>} a program that cannot be started
 *   ends with code 127; `code` is null after a signal
 */
function run(command, args, { cwd, env, log, onLine }) {
  return new Promise((resolve) => {
    const file = log === undefined ? undefined : openLog(log);
    let output = '';
    let rest = '';
    const hear = (/** @type {string} */ text) => {
      if (file !== undefined) file.write(text);
      output = (output + text).slice(-KEPT);
      if (!onLine) return;
      const lines = (rest + text).split('\n');
      rest = /** @type {string} */ (lines.pop());
      lines.forEach((line) => onLine(line));
    };
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    const end = (/** @type {number | null} */ code) => {
      running.delete(child);
      file?.end();
      resolve({ code, output });
    };
    child.on('error', (error) => {
      hear(`${error.message}\n`);
      end(127);
    });
    child.on('close', end);
  });
}

/**
 * A log that cannot be written (a full disk) must not hide why the program failed.
 *
 * @param {string} file
 */
function openLog(file) {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const stream = fs.createWriteStream(file);
    stream.on('error', () => {});
    return stream;
  } catch {
    return undefined;
  }
}

/**
 * Ends what is running, for a set-up that is broken off: politely, then by force.
 *
 * @returns {boolean} whether anything was running, whose `run` will now end
 */
function endRunning() {
  for (const child of running) {
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 3_000).unref();
  }
  return running.size > 0;
}

module.exports = { run, endRunning };
