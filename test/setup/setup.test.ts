import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setUp, type SetupStep } from '../../lib/setup';
import { Problem } from '../../lib/setup/problem';
import { Progress } from '../../lib/setup/progress';
import { locate } from '../../lib/setup/project';
import { inTemporaryFolder } from '../support/temporary';

/** A set-up whose steps only note that they were done. */
class Rehearsal {
  readonly done = new Set<string>();
  readonly made: string[] = [];
  failing: { step: string; error: Error } | undefined;
  text = '';
  private readonly out = {
    write: (text: string) => (this.text += text),
  } as unknown as NodeJS.WriteStream;

  readonly steps: SetupStep[] = ['one', 'two', 'three'].map((title) => ({
    title,
    isCurrent: () => this.done.has(title),
    make: () => {
      if (this.failing?.step === title) throw this.failing.error;
      this.made.push(title);
      this.done.add(title);
    },
  }));

  run(folder: string) {
    this.made.length = 0;
    this.text = '';
    return setUp(locate(folder), new Progress(this.out), this.steps);
  }
}

describe('setUp', () => {
  it('makes what is not current, in order, and then says nothing more', () =>
    inTemporaryFolder(async (folder) => {
      const rehearsal = new Rehearsal();
      rehearsal.done.add('two');
      await rehearsal.run(folder);
      assert.deepEqual(rehearsal.made, ['one', 'three']);
      assert.match(rehearsal.text, /Setting up[^]*one …[^]*one: done[^]*three …[^]*three: done/);
      await rehearsal.run(folder);
      assert.deepEqual([rehearsal.made, rehearsal.text], [[], '']);
      assert.deepEqual(readdirSync(join(folder, '.guardpage')), []);
    }));

  it('goes on from the step that failed', () =>
    inTemporaryFolder(async (folder) => {
      const rehearsal = new Rehearsal();
      rehearsal.failing = { step: 'two', error: new Problem('no network') };
      await assert.rejects(rehearsal.run(folder), /^Problem: no network$/);
      assert.deepEqual(rehearsal.made, ['one']);
      assert.match(rehearsal.text, /two: failed/);
      assert.ok(!existsSync(join(folder, '.guardpage', 'setup.lock')));
      rehearsal.failing = undefined;
      await rehearsal.run(folder);
      assert.deepEqual(rehearsal.made, ['two', 'three']);
    }));

  it('looks for what the machine lacks before it begins', () =>
    inTemporaryFolder(async (folder) => {
      const rehearsal = new Rehearsal();
      rehearsal.steps[2].need = () => {
        throw new Problem('no Python');
      };
      await assert.rejects(rehearsal.run(folder), /no Python/);
      assert.deepEqual([rehearsal.made, rehearsal.text], [[], '']);
      rehearsal.done.add('three');
      await rehearsal.run(folder);
      assert.deepEqual(rehearsal.made, ['one', 'two']);
    }));

  it('tells of a full disk in one line, and leaves errors of ours as they are', () =>
    inTemporaryFolder(async (folder) => {
      const rehearsal = new Rehearsal();
      const full = Object.assign(new Error('ENOSPC: write'), { code: 'ENOSPC' });
      rehearsal.failing = { step: 'one', error: full };
      await assert.rejects(rehearsal.run(folder), /^Problem: the disk that holds .* is full/);
      rehearsal.failing = { step: 'one', error: new TypeError('a bug') };
      await assert.rejects(rehearsal.run(folder), /^TypeError: a bug$/);
    }));

  it('makes each step once when it is started several times at once', () =>
    inTemporaryFolder(async (folder) => {
      const rehearsal = new Rehearsal();
      const made: string[] = [];
      for (const step of rehearsal.steps) {
        const { make } = step;
        step.make = async (project, note) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          made.push(step.title);
          return make(project, note);
        };
      }
      await Promise.all([rehearsal.run(folder), rehearsal.run(folder), rehearsal.run(folder)]);
      assert.deepEqual(made, ['one', 'two', 'three']);
    }));
});
