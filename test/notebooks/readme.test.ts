import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { experiments } from '../../lib/experiments';
import { locate } from '../../lib/setup/project';
import { COURSE } from './notebook';

const { root } = locate();
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** Rows of the table of statements: statement, notebooks, experiments, evidence. */
const rows = readme
  .split('| statement | notebook | experiment | recorded evidence |\n')[1]
  .split('\n\n')[0]
  .split('\n')
  .slice(1)
  .map((line) => line.split('|').slice(1, -1));

describe('README.md', () => {
  it('links only to files that there are', () => {
    for (const [, target] of readme.matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      assert.ok(existsSync(join(root, target)), target);
    }
  });

  it('leads from each statement to a notebook that runs the experiments of its row', () => {
    assert.ok(rows.length >= 10);
    const names = experiments.map(({ name }) => name);
    for (const [statement, notebooks, named, evidence] of rows) {
      const files = [...notebooks.matchAll(/\(notebooks\/([^)]+)\)/g)].map(([, file]) => file);
      const code = COURSE.filter(({ file }) => files.includes(file))
        .flatMap(({ cells }) => cells)
        .map(({ source }) => source)
        .join('\n');
      const asked = [...named.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
      assert.ok(asked.length > 0, statement);
      for (const name of asked) {
        assert.ok(names.includes(name), `${name} is no experiment`);
        assert.ok(code.includes(`experiment("${name}")`), `${name} is not run in ${notebooks}`);
      }
      assert.notEqual(evidence.trim(), '', statement);
    }
  });
});
