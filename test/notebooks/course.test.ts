import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { notebookText } from '../../lib/jupyter/reproduce/report/text';
import { reproduce } from '../../lib/jupyter/reproduce/reproduce';
import type { NotebookResult } from '../../lib/jupyter/reproduce/result';
import { locate } from '../../lib/setup/project';

const project = locate();
const ALL = readdirSync(project.notebooks).filter((name) => name.endsWith('.ipynb')).sort();

/** In CI the whole course runs; elsewhere every third notebook, and on the stock kernel the first. */
const all = process.env.CI === 'true';
const TWICE = all ? ALL : ALL.filter((_, i) => i % 3 === 0);
const ON_TSLAB = all ? ALL : ALL.slice(0, 1);

/** How long the whole course may take on two cores. */
const COURSE_MS = 180_000;

/** Runs notebooks; what was found is the message of a failing test. */
function runs(
  names: readonly string[],
  options: { kernelName?: string; twice?: boolean },
): () => Promise<Map<string, NotebookResult>> {
  return async () => {
    const files = names.map((name) => join(project.notebooks, name));
    const results = await reproduce({ project, files, cellTimeoutMs: 60_000, jobs: 2, ...options });
    return new Map(names.map((name, i) => [name, results[i]]));
  };
}

describe('the course', function () {
  this.timeout(4 * COURSE_MS);
  const suites = [
    { title: 'twice the same on our kernel', names: TWICE, run: runs(TWICE, { twice: true }) },
    { title: 'the same on stock tslab', names: ON_TSLAB, run: runs(ON_TSLAB, { kernelName: 'tslab' }) },
  ];
  for (const { title, names, run } of suites) {
    describe(title, () => {
      let results: Map<string, NotebookResult>;
      before(async () => {
        results = await run();
      });
      for (const name of names) {
        it(name, () => {
          const result = results.get(name);
          assert.ok(result);
          assert.equal(result.outcome, 'passed', `\n${notebookText(result, false)}`);
        });
      }
    });
  }
});
