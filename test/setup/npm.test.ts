import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { npmIsCurrent } from '../../lib/setup/npm';
import { locate } from '../../lib/setup/project';
import { inTemporaryFolder, writeTree } from '../support/temporary';

const lock = (packages: object) => JSON.stringify({ lockfileVersion: 3, packages });

const WANTED = {
  '': { name: 'x' },
  lib: { version: '0.1.0' },
  'node_modules/own': { resolved: 'lib', link: true },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/a/node_modules/b': { version: '2.0.0' },
  'node_modules/for-another-machine': { version: '3.0.0', optional: true },
};

const PRESENT = {
  lib: { version: '0.1.0' },
  'node_modules/own': { resolved: 'lib', link: true },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/a/node_modules/b': { version: '2.0.0' },
};

/** Whether node_modules with this list counts as installed; no list: broken off. */
const current = (present: object | undefined) =>
  inTemporaryFolder((folder) => {
    writeTree(folder, { 'package-lock.json': lock(WANTED), 'node_modules/a/index.js': '' });
    if (present) writeTree(folder, { 'node_modules/.package-lock.json': lock(present) });
    return npmIsCurrent(locate(folder));
  });

describe('npmIsCurrent', () => {
  it('holds for all packages that this machine needs, in the versions of the lock file', async () => {
    assert.equal(await current(PRESENT), true);
    const optional = { 'node_modules/for-another-machine': { version: '3.0.0', optional: true } };
    assert.equal(await current({ ...PRESENT, ...optional }), true);
  });

  it('does not hold after a broken-off install, or if any package lacks or differs', async () => {
    assert.equal(await current(undefined), false);
    for (const name of Object.keys(PRESENT).filter((key) => key !== 'lib')) {
      const fewer = Object.fromEntries(Object.entries(PRESENT).filter(([key]) => key !== name));
      assert.equal(await current(fewer), false, `without ${name}`);
    }
    const older = { ...PRESENT, 'node_modules/a/node_modules/b': { version: '1.9.9' } };
    assert.equal(await current(older), false);
    const other = { ...PRESENT, 'node_modules/for-another-machine': { version: '2.0.0' } };
    assert.equal(await current(other), false);
  });

  it('does not hold without a lock file', () =>
    inTemporaryFolder((folder) => {
      writeTree(folder, { 'node_modules/.package-lock.json': lock(PRESENT) });
      rmSync(join(folder, 'package-lock.json'), { force: true });
      assert.equal(npmIsCurrent(locate(folder)), false);
    }));
});
