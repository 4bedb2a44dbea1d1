// @ts-check
'use strict';
const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { childEnvironment } = require('./environment');
const { Problem, explain } = require('./problem');
const { readRequirements } = require('./requirements');
const { run } = require('./run');
const { readStamp, writeStamp } = require('./stamp');

/** @typedef {import('./project').Project} Project */
/** @typedef {{ command: string, version: [number, number, number], venv: boolean }} Python */

const OLDEST = 10;

/** What the versions in environment.yml have wheels for; a later one is the last resort. */
const NEWEST = 14;

const PROBE = `
import sys
try:
    import venv, ensurepip
    whole = True
except ImportError:
    whole = False
print(*sys.version_info[:3], int(whole))
`;

/** @param {Project} project */
const stampFile = (project) => path.join(project.venv, 'guardpage.json');

/** @param {Project} project */
const requirementsOf = (project) =>
  readRequirements(fs.readFileSync(path.join(project.root, 'environment.yml'), 'utf8'));

/** @param {Project} project */
const wanted = (project) =>
  createHash('sha256').update(requirementsOf(project).join('\n')).digest('hex');

/**
 * Whether .venv is finished, is of this folder (it cannot be moved), holds what environment.yml
 * asks for, and still runs (its Python may have been upgraded away).
 *
 * @param {Project} project
 */
function pythonIsCurrent(project) {
  const stamp = readStamp(stampFile(project));
  if (stamp.state !== 'complete' || stamp.root !== project.root) return false;
  if (stamp.packages !== wanted(project)) return false;
  return stamp.python === probe(project.python)?.version.slice(0, 2).join('.');
}

/**
 * Makes .venv anew with the packages of environment.yml. It is built in its place, as it cannot
 * be moved; until it is finished its stamp says so.
 *
 * @param {Project} project
 * @param {(note: string) => void} note
 * @throws {Problem}
 */
async function installPython(project, note) {
  const { command, version } = findPython();
  const requirements = requirementsOf(project);
  setAside(project.venv);
  fs.rmSync(project.venv, { recursive: true, force: true });
  const stamp = { root: project.root, python: version.slice(0, 2).join('.') };
  writeStamp(stampFile(project), { ...stamp, state: 'half-made' });

  const log = path.join(project.logs, 'python.log');
  const options = { cwd: project.root, env: childEnvironment(project), log };
  note(`Python ${version.join('.')}`);
  const made = await run(command, ['-I', '-m', 'venv', project.venv], options);
  if (made.code !== 0) {
    throw explain({ what: 'Python environment', ...made, log, root: project.root });
  }

  const list = path.join(project.venv, 'requirements.txt');
  fs.writeFileSync(list, `${requirements.join('\n')}\n`);
  let got = 0;
  const args = ['-I', '-m', 'pip', 'install', '--no-deps', '--no-input', '--prefer-binary'];
  const filled = await run(
    project.python,
    [...args, '--progress-bar=off', '--retries=2', '--timeout=30', '-r', list],
    {
      ...options,
      onLine: (line) => {
        if (line.startsWith('Collecting ')) note(`${(got += 1)} of about ${requirements.length}`);
        if (line.startsWith('Installing collected')) note('unpacking');
      },
    },
  );
  if (filled.code !== 0) {
    throw explain({ what: 'Python packages', ...filled, log, root: project.root });
  }
  writeStamp(stampFile(project), { ...stamp, packages: wanted(project), state: 'complete' });
}

/**
 * A .venv that this set-up did not make is somebody's: it is kept under another name.
 *
 * @param {string} venv
 */
function setAside(venv) {
  if (!fs.existsSync(venv) || readStamp(path.join(venv, 'guardpage.json')).state) return;
  let n = 1;
  while (fs.existsSync(`${venv}.before-${n}`)) n += 1;
  fs.renameSync(venv, `${venv}.before-${n}`);
}

/**
 * The first Python that fits, in the order in which people call them.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Python}
 * @throws {Problem} that says what was found instead
 */
function findPython(env = process.env) {
  const asked = env.GUARDPAGE_PYTHON;
  const numbered = [];
  for (let minor = NEWEST; minor >= OLDEST; minor -= 1) numbered.push(`python3.${minor}`);
  const names = asked ? [asked] : ['python3', ...numbered, 'python'];
  const found = names.map((name) => probe(name, env)).filter((python) => python !== undefined);
  const fit = found.filter(({ version }) => version[0] === 3 && version[1] >= OLDEST);
  const whole = fit.filter(({ venv }) => venv);
  const best = whole.find(({ version }) => version[1] <= NEWEST) ?? whole[0];
  if (best) return best;

  const mend =
    "install it (Debian, Ubuntu: 'sudo apt install python3 python3-venv'; macOS: 'brew install " +
    "python'; or python.org), then 'npm start' goes on from here";
  if (fit.length > 0) {
    const [{ command, version }] = fit;
    throw new Problem(
      `${command} (Python ${version.join('.')}) lacks its venv part: install it (Debian, Ubuntu: ` +
        `'sudo apt install python${version[0]}.${version[1]}-venv'), then 'npm start' goes on from here`,
    );
  }
  if (found.length > 0) {
    const [{ command, version }] = found;
    throw new Problem(
      `Python 3.${OLDEST} or later is needed, ${command} is ${version.join('.')}: ${mend}`,
    );
  }
  throw new Problem(
    asked
      ? `GUARDPAGE_PYTHON: ${asked} does not run; name a Python 3.${OLDEST} or later`
      : `Python 3.${OLDEST} or later is needed and none was found: ${mend}`,
  );
}

/**
 * @param {string} command
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Python | undefined} undefined if it does not run
 */
function probe(command, env = process.env) {
  try {
    const said = execFileSync(command, ['-I', '-c', PROBE], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 20_000,
    });
    const [major, minor, patch, venv] = said.trim().split(' ').map(Number);
    if ([major, minor, patch, venv].some((part) => !Number.isInteger(part))) return undefined;
    return { command, version: [major, minor, patch], venv: venv === 1 };
  } catch {
    return undefined;
  }
}

module.exports = { pythonIsCurrent, installPython, findPython };
