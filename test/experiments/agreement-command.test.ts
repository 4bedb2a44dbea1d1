import assert from 'node:assert/strict';
import { join } from 'node:path';
import { guardpage } from '../support/command';
import { inTemporaryFolder, writeTree } from '../support/temporary';

const RUN = { kernel: 'C16v', mode: 'jump1200', outcome: 'immediate' };
const FILES = {
  nothing: '\n',
  wrong: '{}\n',
  unknown: JSON.stringify({ ...RUN, kernel: 'Z9' }),
  some: [RUN, { ...RUN, mode: 'poke8' }].map((run) => JSON.stringify(run)).join('\n'),
};

/** Runs `guardpage agreement` with files by their names above. */
const run = (...argv: string[]) =>
  inTemporaryFolder((folder) => {
    writeTree(folder, FILES);
    return guardpage(
      'agreement',
      ...argv.map((word) => (Object.hasOwn(FILES, word) ? join(folder, word) : word)),
    );
  });

describe('guardpage agreement', function () {
  this.timeout(30_000);

  it('refuses files without a run, and names the option whose file is wrong', async () => {
    for (const [argv, message] of [
      [
        ['--recordings', 'nothing'],
        /--recordings: expected at least one overrun with a result, got an empty file$/m,
      ],
      [
        ['--runaways', 'nothing'],
        /--runaways: expected at least one endless recursion with an end, got an empty file$/m,
      ],
      [['--recordings', 'wrong'], /--recordings: line 1: expected the keys kernel and mode/],
      [['--runaways', 'wrong'], /--runaways: line 1: expected the keys kernel, fill/],
      [['--recordings', 'unknown'], /got 1 × kernel Z9, not one of A16, .* \(from line 1\)$/m],
      [['--recordings', 'some', '--runaways', 'nothing'], /--runaways: expected at least one/],
      [['--recordings', '-', '--runaways', '-'], /expected at most one from standard input \(-\)/],
    ] as const) {
      const { code, out, err } = await run(...argv);
      assert.deepEqual([code, out], [2, ''], argv.join(' '));
      assert.match(err, message);
    }
  });

  it('says of which file it left out what', async () => {
    const { code, out, err } = await run('--recordings', 'some', '--seeds', '1');
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /^1 recorded runs, 1 trials\.$/m);
    assert.match(out, /^Left out of --recordings: 1 × mode poke8, .* \(from line 2\)\.$/m);
  });
});
