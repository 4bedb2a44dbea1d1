import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { locate } from '../../lib/setup/project';
import { findPython } from '../../lib/setup/python';
import { inTemporaryFolder, writeScript } from '../support/temporary';

/** Programs by name, with the version each claims and whether its venv part is whole. */
type Pythons = Readonly<Record<string, readonly [version: string, whole: boolean]>>;

async function found(pythons: Pythons, env: NodeJS.ProcessEnv = {}) {
  return inTemporaryFolder((folder) => {
    for (const [name, [version, whole]] of Object.entries(pythons)) {
      writeScript(join(folder, name), `echo ${version.replaceAll('.', ' ')} ${Number(whole)}`);
    }
    return findPython({ PATH: folder, ...env });
  });
}

describe('findPython', () => {
  it('takes python3 if it fits, else a numbered one, the newest first', async () => {
    const fits = await found({ python3: ['3.11.2', true], 'python3.13': ['3.13.1', true] });
    assert.deepEqual([fits.command, fits.version], ['python3', [3, 11, 2]]);
    const old = await found({
      python3: ['3.9.18', true],
      'python3.11': ['3.11.2', true],
      'python3.12': ['3.12.4', true],
    });
    assert.equal(old.command, 'python3.12');
    const bare = await found({ python3: ['3.12.4', false], 'python3.11': ['3.11.2', true] });
    assert.equal(bare.command, 'python3.11');
  });

  it('takes a version without pinned wheels only where there is no other', async () => {
    const other = await found({ python3: ['3.15.0', true], 'python3.12': ['3.12.4', true] });
    assert.equal(other.command, 'python3.12');
    assert.equal((await found({ python3: ['3.15.0', true] })).command, 'python3');
  });

  it('takes the one that GUARDPAGE_PYTHON names, and no other', async () => {
    const pythons: Pythons = { python3: ['3.11.2', true], mine: ['3.12.4', true] };
    assert.equal((await found(pythons, { GUARDPAGE_PYTHON: 'mine' })).command, 'mine');
    await assert.rejects(found(pythons, { GUARDPAGE_PYTHON: 'none' }), {
      name: 'Problem',
      message: 'GUARDPAGE_PYTHON: none does not run; name a Python 3.10 or later',
    });
  });

  it('says what it found instead and how to mend it', async () => {
    await assert.rejects(found({}), /^Problem: Python 3\.10 or later is needed and none was found/);
    await assert.rejects(
      found({ python3: ['3.9.18', true] }),
      /^Problem: Python 3\.10 or later is needed, python3 is 3\.9\.18: install it/,
    );
    await assert.rejects(
      found({ python3: ['3.11.2', false] }),
      /^Problem: python3 \(Python 3\.11\.2\) lacks its venv part: .*python3\.11-venv/,
    );
    await assert.rejects(found({ python: ['2.7.18', false] }), /python is 2\.7\.18/);
  });
});

describe('.venv', () => {
  it('holds all that its packages need, in the versions they ask for', function () {
    this.timeout(60_000);
    const said = execFileSync(locate().python, ['-m', 'pip', 'check'], { encoding: 'utf8' });
    assert.match(said, /No broken requirements found/);
  });
});
