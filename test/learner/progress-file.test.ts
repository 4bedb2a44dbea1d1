import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openProgress } from '../../lib/learner/course';
import { ProgressFile } from '../../lib/learner/progress-file';
import { UNTOUCHED, type ProgressEntry } from '../../lib/course/progress';
import { inTemporaryFolder } from '../support/temporary';

const tried = (entry: ProgressEntry): ProgressEntry => ({
  ...entry,
  state: 'tried',
  attempts: entry.attempts + 1,
});

const inFile = (work: (file: string, folder: string) => void | Promise<void>) =>
  inTemporaryFolder((folder) => work(join(folder, 'my-course', 'progress.json'), folder));

describe('a progress file', () => {
  it('is made with a seed that stays, and survives restarts', () =>
    inFile((file) => {
      const first = new ProgressFile(file);
      const { seed } = first;
      assert.ok(seed > 0);
      first.update('00-a', tried);
      first.update('00-a', tried);
      const second = new ProgressFile(file);
      assert.equal(second.seed, seed);
      assert.deepEqual(second.entries(), { '00-a': { ...UNTOUCHED, state: 'tried', attempts: 2 } });
      assert.deepEqual([first.takeNotice(), second.takeNotice()], [undefined, undefined]);
    }));

  it('draws other seeds for other learners', () =>
    inTemporaryFolder((folder) => {
      const seeds = Array.from(
        { length: 20 },
        (_, i) => new ProgressFile(join(folder, `${i}.json`)).seed,
      );
      assert.ok(new Set(seeds).size > 15);
    }));

  it('takes up what other notebooks write at the same time', () =>
    inFile((file) => {
      const [one, other] = [new ProgressFile(file), new ProgressFile(file)];
      assert.equal(one.seed, other.seed);
      one.update('00-a', tried);
      other.update('01-b', tried);
      one.update('00-c', tried);
      other.update('00-a', tried);
      for (const store of [one, other]) {
        assert.deepEqual(Object.keys(store.entries()).sort(), ['00-a', '00-c', '01-b']);
        assert.equal(store.entries()['00-a'].attempts, 2);
      }
    }));

  it('loses no entry of two processes that write as fast as they can', () =>
    inFile(async (file) => {
      const each = 60;
      await Promise.all(['00-a', '01-b'].map((id) => writer(file, id, each)));
      const { '00-a': a, '01-b': b, '09-both': both } = new ProgressFile(file).entries();
      assert.deepEqual([a.attempts, b.attempts, both.attempts], [each, each, 2 * each]);
      assert.deepEqual(readdirSync(join(file, '..')), ['progress.json']);
    })).timeout(20_000);

  for (const [what, content] of [
    ['is empty', ''],
    ['breaks off', '{"version": 1, "seed": 77, "exercises": {"00-a": {"sta'],
    ['is no object', '[]'],
    ['has an entry that is none', '{"version":1,"seed":77,"exercises":{"00-a":{"state":"won"}}}'],
    ['is of another version', '{"version": 2, "seed": 77, "exercises": {}}'],
  ]) {
    it(`is put aside when it ${what}, and said to be`, () =>
      inFile((file, folder) => {
        new ProgressFile(file).update('00-a', tried);
        writeFileSync(file, content);
        const store = new ProgressFile(file);
        assert.deepEqual(store.entries(), {});
        store.update('00-b', tried);
        assert.match(store.takeNotice() ?? '', /damaged.*kept as progress\.damaged-1\.json/);
        assert.equal(store.takeNotice(), undefined);
        assert.equal(
          readFileSync(join(folder, 'my-course', 'progress.damaged-1.json'), 'utf8'),
          content,
        );
        assert.deepEqual(Object.keys(new ProgressFile(file).entries()), ['00-b']);
        if (content.includes('77')) assert.equal(store.seed, 77);
      }));
  }

  it('keeps progress in memory and says so where nothing can be written', () =>
    inTemporaryFolder((folder) => {
      writeFileSync(join(folder, 'file'), '');
      const store = new ProgressFile(join(folder, 'file', 'progress.json'));
      const { seed } = store;
      store.update('00-a', tried);
      store.update('00-a', tried);
      store.update('00-b', tried);
      assert.equal(store.entries()['00-a'].attempts, 2);
      assert.deepEqual(Object.keys(store.entries()), ['00-a', '00-b']);
      assert.equal(store.seed, seed);
      assert.match(store.takeNotice() ?? '', /cannot be kept in .*\(E\w+\).*until this notebook/);
    }));

  it('keeps the old progress when it is reset, and the numbers unless new ones are asked for', () =>
    inFile((file) => {
      const store = new ProgressFile(file);
      const { seed } = store;
      assert.equal(store.reset(false), 'There was no progress yet.');
      store.update('00-a', tried);
      assert.match(store.reset(false), /kept in progress\.before-reset-1\.json/);
      assert.deepEqual([store.entries(), store.seed], [{}, seed]);
      store.update('00-a', tried);
      store.reset(true);
      assert.notEqual(store.seed, seed);
      assert.deepEqual(readdirSync(join(file, '..')).sort(), [
        'progress.before-reset-1.json',
        'progress.before-reset-2.json',
        'progress.json',
      ]);
    }));
});

describe('GUARDPAGE_PROGRESS', () => {
  it('names memory, with learner seed 0, or an absolute path', () => {
    assert.equal(openProgress('memory').seed, 0);
    assert.throws(() => openProgress('here.json'), {
      name: 'RangeError',
      message: 'GUARDPAGE_PROGRESS: expected memory or an absolute path, got "here.json"',
    });
  });
});

/** Another process that counts up an entry of its own and a common one. */
function writer(file: string, id: string, times: number): Promise<void> {
  const module = join(__dirname, '..', '..', 'lib', 'learner', 'progress-file.ts');
  const program = `
    const { ProgressFile } = require(${JSON.stringify(module)});
    const store = new ProgressFile(${JSON.stringify(file)});
    const count = (entry) => ({ ...entry, state: 'tried', attempts: entry.attempts + 1 });
    for (let i = 0; i < ${times}; i += 1) {
      store.update(${JSON.stringify(id)}, count);
      store.update('09-both', count);
    }`;
  const child = spawn(process.execPath, ['-r', 'ts-node/register', '-e', program], {
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))));
  });
}
