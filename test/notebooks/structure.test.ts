import assert from 'node:assert/strict';
import { EXERCISES } from '../../lib/course/exercises';
import { COURSE, withoutCodeBlocks, type CourseNotebook } from './notebook';

const NUMBERED = COURSE.filter(({ number }) => /^\d\d$/.test(number));
const glossary = COURSE.find(({ number }) => number === 'glossary');

interface Heading {
  readonly level: number;
  readonly text: string;
}

function headingsOf({ cells }: CourseNotebook): readonly Heading[] {
  return cells
    .filter(({ type }) => type === 'markdown')
    .flatMap(({ source }) => [...withoutCodeBlocks(source).matchAll(/^(#{1,6}) (.+)$/gm)])
    .map(([, marks, text]) => ({ level: marks.length, text: text.trim() }));
}

/** As JupyterLab forms it: blanks become dashes, letters stay as they are. */
const anchorOf = ({ text }: Heading) => text.replace(/[`*]/g, '').replace(/ /g, '-');

const figuresOf = ({ cells }: CourseNotebook) =>
  cells.flatMap(({ id, outputs }) =>
    outputs
      .map(({ data }) => data?.['application/vnd.plotly.v1+json'])
      .filter((figure) => figure !== undefined)
      .map((figure) => ({ id, layout: (figure as { layout: Layout }).layout })),
  );

interface Layout {
  readonly title?: { readonly text?: string };
  readonly meta?: { readonly alt?: string; readonly caption?: string; readonly command?: string };
}

describe('the notebooks', () => {
  for (const notebook of COURSE) {
    const { file, cells, markdown } = notebook;

    describe(file, () => {
      it('has one title, at the top, and skips no level of headings', () => {
        const headings = headingsOf(notebook);
        assert.equal(headings[0].level, 1);
        assert.equal(headings.filter(({ level }) => level === 1).length, 1);
        assert.match(cells[0].source, /^# /);
        for (const [i, { level, text }] of headings.entries()) {
          if (i > 0) assert.ok(level <= headings[i - 1].level + 1, `level ${level}: ${text}`);
        }
        const anchors = headings.map(anchorOf);
        assert.deepEqual(anchors, [...new Set(anchors)], 'two headings with one anchor');
      });

      it('has readable cell ids, each once', () => {
        const ids = cells.map(({ id }) => id);
        assert.equal(new Set(ids).size, ids.length);
        for (const id of ids) assert.match(id, /^[a-z][a-z0-9-]{1,63}$/);
      });

      it('describes every image in words', () => {
        for (const [image, alt] of markdown.matchAll(/!\[([^\]]*)\]\([^)]*\)/g)) {
          assert.ok(alt.trim().length >= 10, image);
        }
        for (const [image] of markdown.matchAll(/<img\b[^>]*>/g)) {
          assert.match(image, /\balt="[^"]{10,}"/, image);
        }
      });

      it('links only to notebooks and terms that there are', () => {
        const links = [...markdown.matchAll(/\]\(([^)#\s:]*\.ipynb)?(#[^)\s]*)?\)/g)];
        for (const [link, target = file, fragment] of links) {
          const there = COURSE.find((other) => other.file === target);
          assert.ok(there, `no such notebook: ${link}`);
          if (fragment === undefined) continue;
          const anchor = decodeURIComponent(fragment.slice(1));
          assert.ok(headingsOf(there).some((one) => anchorOf(one) === anchor), `no such heading: ${link}`);
        }
      });

      it('has an output wherever a cell shows something, and none that tells of an error', () => {
        for (const { id, type, source, outputs } of cells) {
          if (type !== 'code') continue;
          const shows = /^\s*(?:show|console\.log)\(/m.test(source);
          if (shows) assert.ok(outputs.length > 0, `${id} has no stored output`);
          for (const { output_type: kind } of outputs) assert.notEqual(kind, 'error', id);
        }
      });

      it('has only figures with a caption, alt text and the command that makes them', () => {
        for (const { id, layout } of figuresOf(notebook)) {
          for (const part of ['alt', 'caption', 'command'] as const) {
            assert.ok((layout.meta?.[part] ?? '').trim().length > 10, `${id}: no ${part}`);
          }
          assert.match(layout.meta?.command ?? '', /^npx guardpage /, id);
        }
      });

      it('is finished prose without exclamation marks', () => {
        const prose = withoutCodeBlocks(markdown).replace(/`[^`]*`|!\[/g, '');
        assert.doesNotMatch(prose, /!(?=\s|$)/m);
        assert.doesNotMatch(prose, /UNCONFIRMED|TODO|FIXME|lorem/i);
      });
    });
  }

  for (const notebook of NUMBERED) {
    const { file, number, cells, markdown } = notebook;

    describe(`${file}, a part of the course`, () => {
      it('begins with the question, what one can do afterwards, and the time', () => {
        assert.match(cells[0].source, /\*\*The question\.\*\*/);
        assert.match(cells[0].source, /After it you can/);
        assert.match(cells[0].source, /^Time: about \d+ minutes\b/m);
        assert.match(cells[0].source, /^- /m);
      });

      it('lets the reader predict, and answers with a figure', () => {
        assert.match(markdown, /\*\*Predict\.\*\*/);
        assert.ok(figuresOf(notebook).length > 0, 'no figure');
      });

      it('ends with exercises, what the model leaves out and where to read on', () => {
        const sections = headingsOf(notebook).filter(({ level }) => level === 2);
        assert.deepEqual(
          sections.slice(-3).map(({ text }) => text),
          ['Exercises', 'What the model leaves out', 'Where to read on'],
        );
      });

      it('sets and checks all of its exercises, three or more', () => {
        const code = cells.filter(({ type }) => type === 'code').map(({ source }) => source);
        const set = code.flatMap((source) =>
          [...source.matchAll(/const (\w+) = exercise\("([^"]+)"\)/g)].map(([, name, id]) => ({ name, id })),
        );
        const registered = EXERCISES.map(({ id }) => id).filter((id) => id.startsWith(number));
        assert.deepEqual(set.map(({ id }) => id).sort(), [...registered].sort());
        assert.ok(set.length >= 3, `${set.length} exercises`);
        for (const { name, id } of set) {
          assert.ok(code.some((source) => source.includes(`show(${name})`)), `${id} is not shown`);
          assert.ok(code.some((source) => source.includes(`show(${name}.check(`)), `${id} is not checked`);
        }
        assert.match(markdown, /\.hint\(\)/);
        assert.match(markdown, /\.solution\(\)/);
      });

      it('is stored with nothing attempted', () => {
        for (const { id, source, outputs } of cells) {
          if (!/\.check\(/.test(source)) continue;
          assert.match(JSON.stringify(outputs), /Not attempted yet/, id);
        }
      });
    });
  }

  it('have a glossary whose terms stand in alphabetical order, each in a cell named like its link', () => {
    assert.ok(glossary);
    const terms = glossary.cells.slice(1);
    const anchors = terms.map(({ source }) => /^## ([a-z0-9][a-z0-9 ]*)\n/.exec(source)?.[1].replace(/ /g, '-'));
    assert.deepEqual(anchors, terms.map(({ id }) => id));
    assert.deepEqual(anchors, [...anchors].sort());
    for (const { id, type, source } of terms) {
      assert.equal(type, 'markdown', id);
      const text = source.split('\n\n')[1];
      const sentences = text.split(/(?<=[.:])\s+(?=[A-Z`*])/);
      assert.ok(sentences.length <= 5, `${id} takes ${sentences.length} sentences`);
    }
  });
});
