import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reproduce } from '../../../lib/jupyter/reproduce/reproduce';
import type { NotebookResult } from '../../../lib/jupyter/reproduce/result';
import { locate } from '../../../lib/setup/project';

const project = locate();
const FOLDER = join(project.root, 'test', 'fixtures', 'notebooks');

/** What must be found in each notebook first; null: nothing. */
const EXPECTED: Readonly<Record<string, { kind: string; cell?: string } | null>> = JSON.parse(
  readFileSync(join(FOLDER, 'expected.json'), 'utf8'),
);

const run = (names: readonly string[], more: { twice?: boolean } = {}) =>
  reproduce({
    project,
    files: names.map((name) => join(FOLDER, name)),
    cellTimeoutMs: 20_000,
    jobs: 2,
    ...more,
  });

/** Class and cell id of what was found first. */
function found({ findings: [first], notebook }: NotebookResult) {
  if (first === undefined) return null;
  const cell = first.cell === undefined ? undefined : notebook?.cells[first.cell].id;
  return cell === undefined ? { kind: first.kind } : { kind: first.kind, cell };
}

describe('reproduce, on notebooks with one flaw each', function () {
  this.timeout(120_000);
  let results: ReadonlyMap<string, NotebookResult>;

  before(async () => {
    const all = await run(Object.keys(EXPECTED));
    results = new Map(all.map((result) => [result.name.slice(FOLDER.length + 1), result]));
  });

  it('has an expectation for every notebook there is', () => {
    const notebooks = readdirSync(FOLDER).filter((name) => name.endsWith('.ipynb'));
    assert.deepEqual(notebooks.sort(), Object.keys(EXPECTED).sort());
  });

  for (const [name, expected] of Object.entries(EXPECTED)) {
    // One run can't tell that the next would differ, but that this one differs from what is stored.
    const inOneRun = expected?.kind === 'not-deterministic' ? 'changed-text' : expected?.kind;
    it(`${name}: ${inOneRun ?? 'nothing is found'}`, () => {
      const result = results.get(name);
      assert.ok(result);
      assert.deepEqual(found(result), expected && { ...expected, kind: inOneRun });
      assert.equal(result.outcome, expected === null ? 'passed' : 'failed');
      assert.equal(
        result.findings.length,
        expected === null ? 0 : 1,
        JSON.stringify(result.findings),
      );
    });
  }

  it('says of a figure which trace and point differ, and by how much', () => {
    assert.deepEqual(results.get('changed-figure.ipynb')?.findings[0].details, [
      'trace 0 "doubling" (scatter), point 2 (x 2), y: stored 6.001, got 6 (difference -0.001)',
    ]);
  });

  it('tells whether an interrupt ended a loop or the kernel had to be started anew', () => {
    const message = (name: string) => results.get(name)?.findings[0].message ?? '';
    const interrupted = 'the cell did not end within 1 s and was interrupted';
    assert.equal(message('loop-sync.ipynb'), interrupted);
    assert.equal(message('loop-async.ipynb'), interrupted);
    assert.match(
      message('loop-stubborn.ipynb'),
      /an interrupt did not end it, and the kernel was started anew$/,
    );
  });

  it('runs nothing after a cell that failed', () => {
    assert.deepEqual(results.get('throws.ipynb')?.notRun, [4]);
    assert.deepEqual(results.get('kernel-exit.ipynb')?.notRun, [3]);
  });

  it('finds by two runs in fresh kernels which cell is not deterministic', async () => {
    const [clean, random] = await run(['clean.ipynb', 'not-deterministic.ipynb'], { twice: true });
    assert.deepEqual([found(clean), found(random)], [null, EXPECTED['not-deterministic.ipynb']]);
  });
});
