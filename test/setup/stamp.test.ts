import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { hashOf, readStamp, replaceFolder, writeStamp } from '../../lib/setup/stamp';
import { inTemporaryFolder, writeTree } from '../support/temporary';

const tree = fc.dictionary(
  fc.constantFrom('a.ts', 'b.ts', 'sub/a.ts', 'sub/deep/c.json'),
  fc.constantFrom('', 'x', 'y', 'xy'),
);

describe('hashOf', () => {
  it('is equal for equal trees, and differs for trees that differ in a name or in content', () =>
    inTemporaryFolder((folder) => {
      const hash = (name: string, files: Record<string, string>) => {
        const root = join(folder, name);
        rmSync(root, { recursive: true, force: true });
        mkdirSync(root);
        writeTree(root, files);
        return hashOf(root, ['.']);
      };
      fc.assert(
        fc.property(tree, tree, (one, other) => {
          const sorted = (files: object) => JSON.stringify(Object.entries(files).sort());
          assert.equal(hash('one', one) === hash('other', other), sorted(one) === sorted(other));
        }),
      );
    }));

  it('passes over what is not wanted, node_modules, and what does not exist', () =>
    inTemporaryFolder((folder) => {
      writeTree(folder, { 'lib/a.ts': '1', 'lib/note.md': '2', 'lib/node_modules/x/a.ts': '3' });
      const hash = () => hashOf(folder, ['lib', 'none.json'], (name) => name.endsWith('.ts'));
      const before = hash();
      writeTree(folder, { 'lib/note.md': 'new', 'lib/node_modules/x/a.ts': 'new' });
      assert.equal(hash(), before);
      renameSync(join(folder, 'lib', 'a.ts'), join(folder, 'lib', 'b.ts'));
      assert.notEqual(hash(), before);
    }));
});

describe('a stamp', () => {
  it('is read as it was written, and as empty if it is missing or half a file', () =>
    inTemporaryFolder((folder) => {
      const file = join(folder, 'deep', 'stamp.json');
      assert.deepEqual(readStamp(file), {});
      writeStamp(file, { sources: 'abc' });
      assert.deepEqual(readStamp(file), { sources: 'abc' });
      assert.deepEqual(readdirSync(join(folder, 'deep')), ['stamp.json']);
      writeTree(folder, { 'deep/stamp.json': '{"sources": "a' });
      assert.deepEqual(readStamp(file), {});
    }));
});

describe('replaceFolder', () => {
  it('leaves the new folder alone in the place of the old one', () =>
    inTemporaryFolder((folder) => {
      writeTree(folder, { 'place/old.txt': 'old', 'build/made/new.txt': 'new' });
      replaceFolder(join(folder, 'build', 'made'), join(folder, 'place'));
      assert.deepEqual(readdirSync(join(folder, 'place')), ['new.txt']);
      assert.equal(readFileSync(join(folder, 'place', 'new.txt'), 'utf8'), 'new');
      assert.deepEqual(readdirSync(join(folder, 'build')), []);
      assert.ok(!existsSync(join(folder, 'place.old')));
    }));
});
