// @ts-check
'use strict';
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { setUpOrExit, STOPPING } = require('./main');

/** @typedef {import('./project').Project} Project */
/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * `npm test`: types, lint and formatting count as one test each, beside those of mocha. With
 * arguments only mocha runs, with these.
 *
 * @param {string[]} args for example test files
 */
async function test(args) {
  const project = await setUpOrExit();
  /** @type {Counts} */
  const total = { passed: 0, failed: 0, skipped: 0 };
  if (args.length === 0) {
    for (const check of ['types', 'lint']) {
      process.stdout.write(`\n${check}\n`);
      const ok = (await npmRun(project, check)) === 0;
      process.stdout.write(ok ? '  ✔ nothing to complain about\n' : '  failed\n');
      total[ok ? 'passed' : 'failed'] += 1;
    }
  }
  const counts = await mocha(project, args.length > 0 ? args : ['test/**/*.test.ts']);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  process.stdout.write(
    `\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`,
  );
  process.exitCode = total.failed > 0 || total.passed + total.skipped === 0 ? 1 : 0;
}

/**
 * @param {Project} project
 * @param {string} script of package.json
 */
function npmRun(project, script) {
  const npm = process.env.npm_execpath;
  return npm?.endsWith('.js')
    ? run(project, process.execPath, [npm, 'run', '--silent', script])
    : run(project, 'npm', ['run', '--silent', script]);
}

/**
 * @param {Project} project
 * @param {readonly string[]} args
 * @returns {Promise<Counts>}
 */
async function mocha(project, args) {
  const file = path.join(project.own, `counts-${process.pid}.json`);
  fs.mkdirSync(project.own, { recursive: true });
  try {
    const reporter = path.join('test', 'support', 'counting-reporter.js');
    const script = path.join(project.nodeModules, 'mocha', 'bin', 'mocha.js');
    const colour = process.stdout.isTTY ? [] : ['--no-color'];
    const options = ['--reporter', reporter, ...colour, ...args];
    const code = await run(project, process.execPath, [script, ...options], {
      GUARDPAGE_COUNTS: file,
    });
    if (!fs.existsSync(file)) {
      process.stderr.write(`guardpage: mocha ended without a report (exit code ${code})\n`);
      return { passed: 0, failed: 1, skipped: 0 };
    }
    /** @type {Counts} */
    const counts = JSON.parse(fs.readFileSync(file, 'utf8'));
    return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } finally {
    fs.rmSync(file, { force: true });
  }
}

/**
 * @param {Project} project
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [more]
 * @returns {Promise<number>} the exit code
 */
function run(project, command, args, more = {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, ...more };
    /** @type {import('node:child_process').StdioOptions} */
    const stdio = ['ignore', 'inherit', 'inherit'];
    const child = spawn(command, args, { cwd: project.root, env, stdio });
    // npm passes a signal on to us alone; what runs below us must not outlive us.
    const stop = () => {
      child.kill('SIGTERM');
      child.once('close', () => process.exit(130));
    };
    for (const signal of STOPPING) process.once(signal, stop);
    child.on('error', () => resolve(127));
    child.on('close', (code) => {
      for (const signal of STOPPING) process.removeListener(signal, stop);
      resolve(code ?? 1);
    });
  });
}

module.exports = { test };
