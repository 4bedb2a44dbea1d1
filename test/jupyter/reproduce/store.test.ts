import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Output } from '../../../lib/jupyter/outputs';
import type { CellRun, NotebookRun } from '../../../lib/jupyter/run-notebook';
import {
  readNotebook,
  type StoredCell,
  type StoredNotebook,
} from '../../../lib/jupyter/reproduce/notebook-file';
import { checkOrder } from '../../../lib/jupyter/reproduce/order';
import { replaceFile } from '../../../lib/jupyter/reproduce/replace-file';
import { serialise } from '../../../lib/jupyter/reproduce/serialise';
import { withOutputs } from '../../../lib/jupyter/reproduce/store';
import { locate } from '../../../lib/setup/project';
import { inTemporaryFolder } from '../../support/temporary';

const PRODUCED = { kernel: 'test 1', node: 'v1' };

const code = (source: string, more: Partial<StoredCell> = {}): StoredCell => ({
  cell_type: 'code',
  source,
  metadata: {},
  execution_count: null,
  outputs: [],
  ...more,
});
const notebook = (cells: StoredCell[], metadata = {}): StoredNotebook => ({
  cells,
  metadata,
  nbformat: 4,
  nbformat_minor: 2,
});
const result = (text: string, count: number): Output => ({
  output_type: 'execute_result',
  data: { 'text/plain': text },
  metadata: {},
  execution_count: count,
});

/** A run that gave these outputs, cell after cell. */
function runOf({ cells }: StoredNotebook, outputs: readonly Output[][]): NotebookRun {
  const runs = outputs.map((list, i): CellRun => {
    const { source } = cells[i];
    return {
      index: i,
      source: String(source),
      status: 'ok',
      passed: true,
      ms: 1,
      executionCount: i + 1,
      outputs: list,
    };
  });
  const kernel = {
    implementation: '',
    implementationVersion: '',
    language: '',
    languageVersion: '',
    banner: '',
  };
  return { cells: runs, notRun: [], ok: true, kernel, startMs: 0, ms: 0 };
}

const update = (stored: StoredNotebook, outputs: readonly Output[][]) =>
  withOutputs(stored, runOf(stored, outputs), PRODUCED, []);

describe('what --update writes', () => {
  const fresh = notebook([code('1 + 1'), code('2 + 2')]);
  const stored = update(fresh, [[result('2', 1)], [result('4', 2)]]) as StoredNotebook;

  it('is of format 4.5, with ids, counts from 1 on and a hash of each source', () => {
    assert.deepEqual([stored.nbformat, stored.nbformat_minor], [4, 5]);
    assert.deepEqual(
      stored.cells.map(({ id, execution_count: count }) => [id, count]),
      [
        ['cell-1', 1],
        ['cell-2', 2],
      ],
    );
    assert.deepEqual(Object.keys(stored.metadata.guardpage?.sources ?? {}), ['cell-1', 'cell-2']);
    assert.deepEqual(stored.metadata.guardpage?.produced, PRODUCED);
    assert.deepEqual(checkOrder(stored), []);
  });

  it('is nothing if every output means the same, even if versions have changed', () => {
    const outputs = [[result('2  ', 1)], [result('\u001b[33m4\u001b[39m', 2)]];
    const again = withOutputs(stored, runOf(stored, outputs), { kernel: 'test 2' }, []);
    assert.equal(again, undefined);
  });

  it('changes only the cell whose output has another meaning', () => {
    const next = update(stored, [[result('2', 1)], [result('5', 2)]]) as StoredNotebook;
    assert.equal(next.cells[0], stored.cells[0]);
    assert.deepEqual(next.cells[1].outputs, [result('5', 2)]);
  });

  it('keeps the noise that a sanitiser names', () => {
    const timed = (text: string): Output[] => [{ output_type: 'stream', name: 'stdout', text }];
    const cell = code('time()', { metadata: { guardpage: { sanitise: ['duration'] } } });
    const once = update(notebook([cell]), [timed('took 3 ms')]) as StoredNotebook;
    assert.equal(update(once, [timed('took 4 ms')]), undefined);
    assert.notEqual(update(once, [timed('took long')]), undefined);
  });

  it('gives no id that another cell has', () => {
    const taken = notebook([code('1'), code('2', { id: 'cell-1' })]);
    const ids = update(taken, [[], []])?.cells.map(({ id }) => id);
    assert.deepEqual(ids, ['cell-1-2', 'cell-1']);
  });

  it('notices a cell that was changed afterwards', () => {
    const cells = [stored.cells[0], { ...stored.cells[1], source: '2 + 3' }];
    assert.deepEqual(
      checkOrder({ ...stored, cells }).map(({ kind, cell }) => [kind, cell]),
      [['stale', 1]],
    );
  });

  it('is byte for byte what Jupyter’s own nbformat would write', () =>
    inTemporaryFolder((folder) => {
      const { notebooks, python, root } = locate();
      const made: Output[] = [
        { output_type: 'stream', name: 'stdout', text: 'a\n\nb — ü\n' },
        {
          output_type: 'display_data',
          metadata: {},
          data: {
            'text/html': '<b>\n</b>',
            'application/x+json': { b: [1.5], a: '\n' },
            'image/png': 'iVBORw0KGgo=',
          },
        },
        { output_type: 'error', ename: 'E', evalue: 'v', traceback: ['line\nline'] },
      ];
      const markdown = { cell_type: 'markdown', source: '# Ünicode\n\ntext', metadata: {} };
      writeFileSync(
        join(folder, 'made.ipynb'),
        serialise(update(notebook([code('a\nb'), code(''), markdown]), [made]) as StoredNotebook),
      );
      const fixtures = join(root, 'test', 'fixtures', 'notebooks', 'clean.ipynb');
      for (const file of [join(notebooks, '00-start-here.ipynb'), fixtures]) {
        const reading = readNotebook(file);
        assert.ok('notebook' in reading);
        writeFileSync(join(folder, `again-${file.length}.ipynb`), serialise(reading.notebook));
      }
      const script =
        'import pathlib, sys, nbformat\n' +
        'for name in sys.argv[1:]:\n' +
        '    text = pathlib.Path(name).read_text()\n' +
        '    nb = nbformat.reads(text, as_version=4)\n' +
        '    nbformat.validate(nb)\n' +
        '    assert nbformat.writes(nb) + "\\n" == text, name\n';
      const files = readdirSync(folder).map((name) => join(folder, name));
      assert.equal(files.length, 3);
      execFileSync(python, ['-W', 'error', '-c', script, ...files]);
    })).timeout(30_000);
});

describe('the order of a notebook', () => {
  const counted = (...counts: (number | null)[]) =>
    checkOrder(notebook(counts.map((count) => code('1', { execution_count: count })))).map(
      ({ cell, message }) => [cell, message],
    );

  it('is that of one run from top to bottom', () => {
    assert.deepEqual(counted(1, 2, 3), []);
    assert.deepEqual(counted(3, 4), [
      [0, 'expected execution count 1, got 3; cells that follow are out of order too: 1'],
    ]);
    assert.deepEqual(counted(1, null), [[1, 'expected execution count 2, got none']]);
  });

  it('is not asked of a notebook without counts, of empty cells and of those that are not run', () => {
    assert.deepEqual(counted(null, null), []);
    const cells = [
      code('1', { execution_count: 1 }),
      code(' \n'),
      code('2', { metadata: { tags: ['skip-execution'] } }),
      code('3', { execution_count: 2 }),
    ];
    assert.deepEqual(checkOrder(notebook(cells)), []);
  });
});

describe('replaceFile', () => {
  it('replaces the text behind a link, keeps the rights and leaves nothing else', () =>
    inTemporaryFolder((folder) => {
      const [file, link] = [join(folder, 'a.ipynb'), join(folder, 'link.ipynb')];
      writeFileSync(file, 'old');
      chmodSync(file, 0o640);
      symlinkSync('a.ipynb', link);
      replaceFile(link, 'old', 'new');
      assert.equal(readFileSync(file, 'utf8'), 'new');
      assert.equal(statSync(file).mode & 0o777, 0o640);
      assert.ok(lstatSync(link).isSymbolicLink());
      assert.deepEqual(readdirSync(folder).sort(), ['a.ipynb', 'link.ipynb']);
    }));

  it('does not replace what was changed meanwhile', () =>
    inTemporaryFolder((folder) => {
      const file = join(folder, 'a.ipynb');
      writeFileSync(file, 'edited by somebody');
      assert.throws(() => replaceFile(file, 'old', 'new'), /^Error: it was changed meanwhile$/);
      assert.equal(readFileSync(file, 'utf8'), 'edited by somebody');
      assert.deepEqual(readdirSync(folder), ['a.ipynb']);
    }));
});
