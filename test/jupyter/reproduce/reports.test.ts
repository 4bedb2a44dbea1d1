import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main } from '../../../lib/cli';
import { htmlReport } from '../../../lib/jupyter/reproduce/report/html';
import { junitReport } from '../../../lib/jupyter/reproduce/report/junit';
import { ProgressLine } from '../../../lib/jupyter/reproduce/report/progress';
import { notebookText } from '../../../lib/jupyter/reproduce/report/text';
import { reproduce } from '../../../lib/jupyter/reproduce/reproduce';
import { countsLine, type NotebookResult } from '../../../lib/jupyter/reproduce/result';
import type { Output } from '../../../lib/jupyter/outputs';
import { locate } from '../../../lib/setup/project';
import { inTemporaryFolder } from '../../support/temporary';

const cell = (id: string, source: string, type = 'code') => ({
  cell_type: type,
  id,
  source,
  metadata: {},
});
const notebook = {
  cells: [
    cell('title', '# One\n\n```\n# no heading\n```', 'markdown'),
    cell('first', 'a < b'),
    cell('two', '## Two & more', 'markdown'),
    cell('second', 'c()'),
    cell('third', 'd()'),
  ],
  metadata: {},
  nbformat: 4,
  nbformat_minor: 5,
};
const shown = (y: number): Output => ({
  output_type: 'display_data',
  data: { 'application/vnd.plotly.v1+json': { data: [{ y: [y], name: '</script>' }], layout: {} } },
  metadata: {},
});
const failed: NotebookResult = {
  name: 'a & b.ipynb',
  outcome: 'failed',
  notebook,
  findings: [
    {
      kind: 'changed-figure',
      cell: 1,
      message: 'it "moved"',
      details: ['- 1', '+ 2\u0007'],
      stored: shown(1),
      fresh: shown(2),
    },
    { kind: 'error', cell: 3, message: 'Error: no', details: ['\u001b[31mtraceback\u001b[0m'] },
  ],
  cells: [
    { index: 1, status: 'ok', ms: 12, stderr: '' },
    { index: 3, status: 'error', ms: 3, stderr: 'said <this>' },
  ],
  notRun: [4],
  ms: 1500,
  startMs: 500,
  written: false,
};
const nothing = {
  notebook,
  findings: [],
  cells: [],
  notRun: [],
  ms: 0,
  startMs: 0,
  written: false,
};
const RESULTS: readonly NotebookResult[] = [
  failed,
  { ...nothing, name: 'b.ipynb', outcome: 'passed' },
  { ...nothing, name: 'c.ipynb', outcome: 'skipped', reason: 'needs a camera' },
];

/** Tags and their nesting; throws on what is not well-formed. */
function elements(xml: string): string[] {
  const open: string[] = [];
  const all: string[] = [];
  const rest = xml.replace(
    /<(\/?)([a-z]+)((?: [a-z]+="[^"<]*")*)(\/?)>/g,
    (_, close, tag, _attributes, empty) => {
      if (close) assert.equal(open.pop(), tag);
      else all.push([...open, tag].join('/'));
      if (!close && !empty) open.push(tag);
      return '';
    },
  );
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest.replace(/^<\?xml[^>]*\?>/, ''), /[<>]/);
  return all;
}

describe('the reports of reproduce', () => {
  it('count notebooks in the last line', () => {
    assert.equal(countsLine(RESULTS), '1 passed, 1 failed, 1 skipped');
  });

  it('name the cell, the nearest heading and the source, and say what was not run', () => {
    assert.deepEqual(notebookText(failed, false).split('\n'), [
      '✘ a & b.ipynb  2 cells, 1.5 s',
      '  changed-figure: cell 2 (first), under "One": it "moved"',
      '    | a < b',
      '    - 1',
      '    + 2\u0007',
      '  error: cell 4 (second), under "Two & more": Error: no',
      '    | c()',
      '    \u001b[31mtraceback\u001b[0m',
      '    (cells after it, not run: 1)',
      '',
    ]);
    assert.equal(notebookText(RESULTS[2], false), '- c.ipynb  skipped: needs a camera\n');
    assert.match(notebookText(failed, true), /\u001b\[31m✘/);
  });

  it('are well-formed JUnit XML with a test case a cell', () => {
    const xml = junitReport(RESULTS);
    const count = (path: string) =>
      elements(xml).filter((element) => element === `testsuites/testsuite/${path}`).length;
    assert.deepEqual(
      [count('testcase'), count('testcase/failure'), count('testcase/skipped')],
      [5, 2, 2],
    );
    assert.match(
      xml,
      /<testsuites name="guardpage reproduce" tests="5" failures="2" errors="0" skipped="2">/,
    );
    assert.match(xml, /<failure type="changed-figure" message="it &quot;moved&quot;">- 1\n\+ 2/);
    assert.match(xml, /name="cell 4 \(second\), under &quot;Two &amp; more&quot;"/);
    assert.doesNotMatch(xml, /[\u0000-\u0008\u001b]/);
  });

  it('are a page that loads nothing and takes no output for its own markup', () => {
    const html = htmlReport(RESULTS);
    assert.match(html, /Content-Security-Policy" content="default-src 'none'/);
    assert.equal(html.match(/class="plot" role="img"/g)?.length, 2);
    assert.match(html, /"name":"\\u003c\/script>"/);
    assert.match(html, /said &lt;this&gt;/);
    assert.match(html, /a &lt; b/);
    const page = html.replace(/<script>[\s\S]*<\/script>/, ''); // plotly.js, which is part of the page
    assert.doesNotMatch(page, /<(?:script|link|img)[^>]+(?:src|href)="?(?!data:)/);
    assert.ok(
      htmlReport(RESULTS.slice(1)).length < 10_000,
      'no plotly.js where there is no figure',
    );
  });
});

describe('the progress of reproduce', () => {
  const events = (line: ProgressLine) => {
    line.take({ type: 'planned', notebooks: 2, cells: 4 });
    line.take({ type: 'started', name: 'a.ipynb' });
    line.take({ type: 'cell', name: 'a.ipynb', run: {} as never });
    line.take({ type: 'done', result: { ...RESULTS[1], name: 'a.ipynb' } });
  };
  const written = (isTTY: boolean): string[] => {
    const texts: string[] = [];
    events(new ProgressLine({ isTTY, columns: 60, write: (text) => texts.push(text) }));
    return texts;
  };

  it('is a bar on a terminal, within its width, on one line', () => {
    const texts = written(true);
    assert.ok(
      texts.every(
        (text) => text.startsWith('\r\u001b[K') && !text.includes('\n') && text.length < 60 + 4,
      ),
    );
    assert.equal(texts[2], `\r\u001b[K[${'######'.padEnd(24)}] 1/4 cells  a.ipynb`);
  });

  it('is a line for each notebook elsewhere', () => {
    assert.deepEqual(written(false), ['[1/2] a.ipynb: passed\n']);
  });
});

describe('guardpage reproduce', () => {
  const project = locate();

  it('does not start a kernel for what it cannot read or is told to skip', () =>
    inTemporaryFolder(async (folder) => {
      const file = (name: string, content: object) => {
        writeFileSync(join(folder, name), JSON.stringify(content));
        return join(folder, name);
      };
      const guardpage = (settings: object) => ({ ...notebook, metadata: { guardpage: settings } });
      const files = [
        file('old.ipynb', { ...notebook, nbformat: 3 }),
        file('skip.ipynb', guardpage({ skip: 'needs a camera' })),
        file('wrong.ipynb', guardpage({ images: 'blurred' })),
        file('empty.ipynb', { ...notebook, cells: [] }),
        join(folder, 'none.ipynb'),
      ];
      const results = await reproduce({ project, files, cellTimeoutMs: 1000, jobs: 1 });
      assert.deepEqual(
        results.map(({ outcome, findings: [first], reason }) => [
          outcome,
          first?.kind,
          first?.message ?? reason,
        ]),
        [
          [
            'failed',
            'invalid-notebook',
            'expected nbformat 4, got 3: open the notebook in JupyterLab and save it',
          ],
          ['skipped', undefined, 'needs a camera'],
          [
            'failed',
            'invalid-notebook',
            'images: expected pixels, exact, size, ignore, got "blurred"',
          ],
          ['passed', undefined, undefined],
          ['failed', 'unreadable', 'expected a readable notebook, got: no such file'],
        ],
      );
    }));

  it('says in one line what is wrong with its options', async () => {
    const said: string[] = [];
    const { write } = process.stderr;
    const run = async (...args: string[]) => {
      process.stderr.write = ((text: string) => said.push(text) > 0) as typeof write;
      try {
        return await main(['reproduce', ...args]);
      } finally {
        process.stderr.write = write;
      }
    };
    assert.equal(await run('--cell-timeout', 'soon'), 2);
    assert.equal(await run('--jobs', '0'), 2);
    assert.equal(await run('--sanitise', 'everything'), 2);
    assert.equal(await run('--html', '/no/such/folder/report.html'), 2);
    assert.deepEqual(said, [
      'guardpage: --cell-timeout: expected seconds above 0, got "soon"\n',
      'guardpage: --jobs: expected a whole number from 1, got "0"\n',
      'guardpage: sanitise: expected duration, date, time, address, uuid, path, got "everything"\n',
      "guardpage: --html: can't write /no/such/folder/report.html: there is no such folder\n",
    ]);
  });
});
