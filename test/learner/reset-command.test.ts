import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { locate } from '../../lib/setup/project';

const { root } = locate();

function guardpage(...args: string[]) {
  const program = [join('lib', 'bin', 'guardpage.js'), ...args];
  return spawnSync(process.execPath, program, { cwd: root, encoding: 'utf8', input: '' });
}

describe('guardpage reset', () => {
  it('lists the notebooks when it is asked for another one', () => {
    const { status, stderr } = guardpage('reset', '77');
    assert.equal(status, 2);
    assert.match(
      stderr,
      /^guardpage: reset: expected one of 00-start-here, .*glossary; got "77"\n$/,
    );
  });
});
