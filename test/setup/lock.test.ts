import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from '../../lib/setup/lock';
import { locate } from '../../lib/setup/project';
import { inTemporaryFolder } from '../support/temporary';

const LOCK_MODULE = join(locate().root, 'lib', 'setup', 'lock.js');

/** Takes the lock, notes when it has it and when it lets go. */
const WORKER = `
const fs = require('node:fs');
const [file, notes] = process.argv.slice(1);
require(${JSON.stringify(LOCK_MODULE)}).withLock(file, async () => {
  fs.appendFileSync(notes, 'in ' + process.pid + '\\n');
  await new Promise((resolve) => setTimeout(resolve, 30));
  fs.appendFileSync(notes, 'out ' + process.pid + '\\n');
}, { pollMs: 5 });
`;

const ended = (child: ChildProcess) => new Promise((resolve) => child.on('close', resolve));

describe('withLock', () => {
  it('lets one process in at a time, also when they find the lock of a dead one', () =>
    inTemporaryFolder(async (folder) => {
      const [file, notes] = [join(folder, 'lock'), join(folder, 'notes')];
      const dead = spawnSync(process.execPath, ['-e', '0']).pid;
      writeFileSync(file, `${dead}\n`);
      const start = () => spawn(process.execPath, ['-e', WORKER, file, notes]);
      await Promise.all(Array.from({ length: 6 }, () => ended(start())));
      const lines = readFileSync(notes, 'utf8').trim().split('\n');
      assert.equal(lines.length, 12);
      for (let i = 0; i < lines.length; i += 2) {
        const owner = lines[i].split(' ')[1];
        assert.deepEqual([lines[i], lines[i + 1]], [`in ${owner}`, `out ${owner}`]);
      }
      assert.ok(!existsSync(file));
    }));

  it('says once whom it waits for', () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, 'lock');
      writeFileSync(file, `${process.pid}\n`);
      const beat = setInterval(() => utimesSync(file, new Date(), new Date()), 10);
      const waits: number[] = [];
      const options = { onWait: (owner: number) => waits.push(owner), pollMs: 5, deadMs: 200 };
      const work = withLock(file, async () => 'done', options);
      await new Promise((resolve) => setTimeout(resolve, 400));
      assert.deepEqual(waits, [process.pid]);
      clearInterval(beat); // as if that process number had been given to another program
      assert.equal(await work, 'done');
    }));

  it('gives the lock back when the work fails', () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, 'lock');
      await assert.rejects(
        withLock(file, async () => {
          assert.equal(readFileSync(file, 'utf8'), `${process.pid}\n`);
          throw new Error('no');
        }),
        /^Error: no$/,
      );
      assert.ok(!existsSync(file));
    }));
});
