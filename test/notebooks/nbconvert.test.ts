import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment } from '../../lib/setup/environment';
import { locate } from '../../lib/setup/project';
import { COURSE } from './notebook';

const project = locate();
const FOLDER = join(project.root, 'test', 'artifacts', 'html');

/** Two in `npm test`; all with `npm run notebooks`. */
const NOTEBOOKS =
  process.env.GUARDPAGE_ALL_NOTEBOOKS === undefined
    ? COURSE.filter(({ number }) => number === '00' || number === '09')
    : COURSE;

/** What is left of HTML when the tags are taken out; pictures are their alt text. */
const textOf = (html: string) =>
  html
    .replace(/<img\b[^>]*\balt="([^"]*)"[^>]*>/g, '$1')
    .replace(/<[^>]*>/g, '')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&');

describe('the notebooks as HTML (nbconvert)', function () {
  this.timeout(120_000);

  before(() => {
    const files = NOTEBOOKS.map(({ file }) => join('notebooks', file));
    const { status, stderr } = spawnSync(
      project.python,
      ['-m', 'nbconvert', '--to', 'html', '--output-dir', FOLDER, ...files],
      { cwd: project.root, env: childEnvironment(project), encoding: 'utf8' },
    );
    assert.equal(status, 0, stderr);
  });

  for (const { file, cells } of NOTEBOOKS) {
    it(`${file} keeps every figure, drawn, with its caption and alt text, and every heading`, () => {
      const html = readFileSync(join(FOLDER, file.replace('.ipynb', '.html')), 'utf8');
      const text = textOf(html);
      const figures = cells.flatMap(({ outputs }) =>
        outputs.map(({ data }) => data?.['application/vnd.plotly.v1+json']).filter(Boolean),
      ) as { readonly layout: { readonly meta: Readonly<Record<string, string>> } }[];
      assert.equal(html.match(/<figure\b/g)?.length ?? 0, figures.length);
      const pictures = html.match(/<figure><img\b[^>]* src="data:image\/svg\+xml/g) ?? [];
      assert.equal(pictures.length, figures.length, 'a figure is not drawn');
      for (const { layout } of figures) {
        for (const part of ['caption', 'alt', 'command']) {
          assert.ok(text.includes(layout.meta[part]), layout.meta[part]);
        }
      }
      for (const { source } of cells.filter(({ type }) => type === 'markdown')) {
        for (const [, heading] of source.matchAll(/^#{1,3} (.+)$/gm)) {
          const plain = heading.replace(/[`*]/g, '');
          assert.ok(text.includes(plain), plain);
        }
      }
    });
  }
});
