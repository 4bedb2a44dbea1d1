import assert from 'node:assert/strict';
import { spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { locate } from '../../lib/setup/project';

const { root } = locate();

/** A device that takes nothing: Linux has it, macOS has not. */
const FULL = '/dev/full';
const itWithFull = existsSync(FULL) ? it : it.skip;

function start(stdio: StdioOptions, ...args: string[]) {
  const child = spawn(process.execPath, [join('lib', 'bin', 'guardpage.js'), ...args], {
    cwd: root,
    stdio,
  });
  let err = '';
  child.stderr?.on('data', (chunk) => (err += chunk));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, err }));
  return { child, ended };
}

describe('npx guardpage', () => {
  it('stops after the line at which its reader went away', async () => {
    const args = ['overrun', '--trials', '1000000', '--json'];
    const { child, ended } = start(['ignore', 'pipe', 'pipe'], ...args);
    await once(createInterface(child.stdout!), 'line');
    child.stdout!.destroy();
    assert.deepEqual(await ended, { code: 0, err: '' });
  });

  itWithFull('says in one line that its output can not be written', async () => {
    const full = openSync(FULL, 'w');
    try {
      const { ended } = start(['ignore', full, 'pipe'], '--help');
      const { code, err } = await ended;
      assert.equal(code, 1);
      assert.match(err, /^guardpage: can't write to standard output: ENOSPC: .*\n$/);
    } finally {
      closeSync(full);
    }
  });

  itWithFull(
    'ends with the exit code of the mistake also where nobody reads what it says',
    async () => {
      const full = openSync(FULL, 'w');
      try {
        const { child, ended } = start(['ignore', 'ignore', 'pipe'], 'overrun', '--nope');
        child.stderr!.destroy();
        const written = start(['ignore', 'ignore', full], 'overrun', '--nope').ended;
        assert.deepEqual([(await ended).code, (await written).code], [2, 2]);
      } finally {
        closeSync(full);
      }
    },
  );
});
