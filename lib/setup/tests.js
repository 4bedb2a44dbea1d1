// @ts-check
'use strict';
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { setUpOrExit, STOPPING } = require('./main');

/** @typedef {import('./project').Project} Project */
/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
/** @typedef {{ title: string, message: string }} Failure */
/** @typedef {{ counts: Counts, failed: Failure[] }} Report */
/** @typedef {(chunk: Buffer) => void} Output */

/** @type {Output} */
const SHOWN = (chunk) => void process.stdout.write(chunk);

/**
 * The folders of tests that only compute, as the files beside the folders do. They run beside the
 * others, which mostly wait for kernels, servers and a browser.
 */
const COMPUTING = ['x86', 'mm', 'stack', 'experiments', 'figures', 'course'];

/**
 * `npm test`: types, lint and formatting count as one test each, beside those of mocha. With
 * arguments only mocha runs, with these.
 *
 * @param {string[]} args for example test files
 */
async function test(args) {
  const project = await setUpOrExit();
  const reports = args.length > 0 ? [await mocha(project, args, SHOWN)] : await everything(project);
  const sum = (/** @type {keyof Counts} */ key) => reports.reduce((n, r) => n + r.counts[key], 0);
  const [passed, failed, skipped] = [sum('passed'), sum('failed'), sum('skipped')];
  // Once more, and last: above it may stand thousands of lines of what passed.
  for (const { title, message } of reports.flatMap((report) => report.failed)) {
    process.stdout.write(`\nFailed: ${title}\n${message.replace(/^/gm, '    ')}\n`);
  }
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exitCode = failed > 0 || passed + skipped === 0 ? 1 : 0;
}

/**
 * Two rows of work side by side: the first is shown as it goes, the second when both are done.
 *
 * @param {Project} project
 */
async function everything(project) {
  const folders = testFolders(path.join(project.root, 'test'));
  const files = (/** @type {string[]} */ names) => names.map((name) => `test/${name}/**/*.test.ts`);
  const isComputing = (/** @type {string} */ name) => COMPUTING.includes(name);
  /** @type {Buffer[]} */
  const said = [];
  const output = (/** @type {Buffer} */ chunk) => void said.push(chunk);
  const computing = async () => [
    await check(project, 'types', output),
    await check(project, 'lint', output),
    await mocha(project, ['test/*.test.ts', ...files(folders.filter(isComputing))], output),
  ];
  const waiting = folders.filter((name) => !isComputing(name));
  const reports = await Promise.all([mocha(project, files(waiting), SHOWN), computing()]);
  process.stdout.write(Buffer.concat(said));
  return reports.flat();
}

/** @param {string} test */
function testFolders(test) {
  const holdsTests = (/** @type {string} */ name) =>
    fs
      .readdirSync(path.join(test, name), { recursive: true })
      .some((file) => String(file).endsWith('.test.ts'));
  return fs
    .readdirSync(test, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && holdsTests(entry.name))
    .map(({ name }) => name);
}

/**
 * @param {Project} project
 * @param {string} script of package.json
 * @param {Output} output
 * @returns {Promise<Report>}
 */
async function check(project, script, output) {
  output(Buffer.from(`\n${script}\n`));
  const ok = (await npmRun(project, script, output)) === 0;
  output(Buffer.from(ok ? '  ✔ nothing to complain about\n' : '  failed\n'));
  const counts = { passed: Number(ok), failed: Number(!ok), skipped: 0 };
  const failure = { title: `npm run ${script}`, message: 'what it says stands above' };
  return { counts, failed: ok ? [] : [failure] };
}

/**
 * @param {Project} project
 * @param {string} script of package.json
 * @param {Output} output
 */
function npmRun(project, script, output) {
  const npm = process.env.npm_execpath;
  return npm?.endsWith('.js')
    ? run(project, process.execPath, [npm, 'run', '--silent', script], output)
    : run(project, 'npm', ['run', '--silent', script], output);
}

let started = 0;

/**
 * @param {Project} project
 * @param {readonly string[]} args
 * @param {Output} output
 * @returns {Promise<Report>}
 */
async function mocha(project, args, output) {
  const file = path.join(project.own, `counts-${process.pid}-${(started += 1)}.json`);
  fs.mkdirSync(project.own, { recursive: true });
  try {
    const reporter = path.join('test', 'support', 'counting-reporter.js');
    const script = path.join(project.nodeModules, 'mocha', 'bin', 'mocha.js');
    const colour = process.stdout.isTTY ? ['--color'] : ['--no-color'];
    const options = ['--reporter', reporter, ...colour, ...args];
    const code = await run(project, process.execPath, [script, ...options], output, {
      GUARDPAGE_COUNTS: file,
    });
    if (!fs.existsSync(file)) {
      const message = `mocha ended without a report (exit code ${code})`;
      return failing({ passed: 0, failed: 0, skipped: 0 }, message);
    }
    /** @type {Report} */
    const report = JSON.parse(fs.readFileSync(file, 'utf8'));
    if (code === 0 || report.counts.failed > 0) return report;
    return failing(report.counts, `all tests passed, but mocha's exit code is ${code}`);
  } finally {
    fs.rmSync(file, { force: true });
  }
}

/**
 * @param {Counts} counts
 * @param {string} message
 * @returns {Report}
 */
function failing(counts, message) {
  return { counts: { ...counts, failed: 1 }, failed: [{ title: 'mocha', message }] };
}

/**
 * @param {Project} project
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Output} output
 * @param {NodeJS.ProcessEnv} [more]
 * @returns {Promise<number>} the exit code
 */
function run(project, command, args, output, more = {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, ...more };
    const child = spawn(command, args, {
      cwd: project.root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', output);
    child.stderr.on('data', output);
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
