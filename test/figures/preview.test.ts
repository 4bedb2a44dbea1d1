import assert from 'node:assert/strict';
import { MIME_BUNDLE, type PlotlyObject } from '../../lib/figures/figure';
import { svgDataUri } from '../../lib/figures/preview/data-uri';
import { preview } from '../../lib/figures/preview/preview';
import { textLines } from '../../lib/figures/preview/svg';
import { allFigures } from './all-figures';

/** Marks of the traces and of the legend: `<use>` at a place. */
function marks(svg: string): { x: number; y: number }[] {
  return [...svg.matchAll(/<use href="#m\d+" x="([-\d.]+)" y="([-\d.]+)"\/>/g)].map(([, x, y]) => ({
    x: Number(x),
    y: Number(y),
  }));
}

/** The texts of a picture, as a reader sees them. */
function texts(svg: string): string {
  return svg
    .replace(/<[^>]+>/g, '\n')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&');
}

/** Every element that is opened is closed, in order, and all attributes are quoted. */
function assertWellFormed(svg: string, name: string): void {
  const open: string[] = [];
  const rest = svg.replace(
    /<(\/?)([\w-]+)((?: [\w:-]+="[^"<]*")*)(\/?)>/g,
    (_, close, tag, _attributes, empty) => {
      if (close) assert.equal(open.pop(), tag, name);
      else if (!empty) open.push(tag);
      return '';
    },
  );
  assert.deepEqual(open, [], name);
  assert.doesNotMatch(rest, /[<>]/, name);
}

const scatter = (more: PlotlyObject): PlotlyObject => ({
  type: 'scatter',
  mode: 'markers',
  ...more,
});
const LAYOUT = { height: 300, margin: { l: 50, r: 20, t: 40, b: 50 } };

describe('the still picture of a figure', () => {
  let figures: ReturnType<typeof allFigures>;

  before(function () {
    this.timeout(60_000);
    figures = allFigures();
  });

  it('is there for every figure: well-formed, with all numbers, the title and the names of the legend', () => {
    for (const [name, { data, layout, alt, title }] of figures) {
      const svg = preview(data, layout, alt) ?? '';
      assertWellFormed(svg, name);
      assert.doesNotMatch(svg, /NaN|undefined|Infinity|<script|href="(?!#)/, name);
      const told = texts(svg);
      assert.ok(told.includes(title), name);
      if (layout.showlegend === false) continue;
      const listed = data.filter(
        (t) => t.visible !== false && t.showlegend !== false && t.type !== 'heatmap',
      );
      if (listed.length < 2) continue;
      for (const trace of listed) {
        for (const line of textLines(String(trace.name ?? '')))
          assert.ok(told.includes(line), `${name}: ${line}`);
      }
    }
  });

  it('is the same each time, and the same in the HTML as by itself', () => {
    for (const [name, figure] of figures) {
      const bundle = figure[MIME_BUNDLE]();
      assert.deepEqual(figure[MIME_BUNDLE](), bundle, name);
      const [, encoded = ''] = /base64,([^"]+)/.exec(String(bundle['text/html'])) ?? [];
      const ascii = Buffer.from(encoded, 'base64').toString('latin1');
      const decoded = ascii.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
      assert.equal(decoded, bundle['image/svg+xml'], name);
    }
  });

  it('marks each point where its value lies, on linear, logarithmic and category axes', () => {
    const x = [0, 5, 10];
    const at = (layout: PlotlyObject, y: unknown[]) =>
      marks(preview([scatter({ x, y })], { ...LAYOUT, ...layout }, 'a') ?? '');
    const range = [0, 10];
    const linear = at({ xaxis: { range }, yaxis: { range } }, [0, 5, 10]);
    assert.deepEqual(linear, [
      { x: 50, y: 250 },
      { x: 425, y: 145 },
      { x: 800, y: 40 },
    ]);
    const log = at({ xaxis: { range }, yaxis: { type: 'log', range: [0, 2] } }, [1, 10, 100]);
    assert.deepEqual(log, linear);
    const yaxis = { type: 'category', categoryarray: ['a', 'b', 'c'], range: [0, 2] };
    assert.deepEqual(at({ xaxis: { range }, yaxis }, ['a', 'b', 'c']), linear);
  });

  it('draws no point outside its axes and none for a gap', () => {
    const xaxis = { range: [0, 10] };
    const svg =
      preview([scatter({ x: [1, 2, 30], y: [1, null, 3] })], { ...LAYOUT, xaxis }, 'a') ?? '';
    assert.equal(marks(svg).length, 1);
  });

  it('stacks bars on each other and puts those of a group side by side', () => {
    const bars = [2, 3].map((length) => ({
      type: 'bar',
      x: ['a'],
      y: [length],
      name: `${length}`,
    }));
    const rects = (barmode: string) => {
      const layout = { ...LAYOUT, barmode, showlegend: false, yaxis: { range: [0, 10] } };
      const svg = (preview(bars, layout, 'a') ?? '').replace(/<defs>.*<\/defs>/s, '');
      return [
        ...svg.matchAll(/<rect x="([-\d.]+)" y="([-\d.]+)" width="([-\d.]+)" height="([-\d.]+)"/g),
      ].map(([, ...numbers]) => numbers.map(Number));
    };
    const [[x1, y1, w1, h1], [x2, y2, w2, h2]] = rects('stack');
    assert.deepEqual([x1, w1, h1], [x2, w2, 42]);
    assert.deepEqual([y2 + h2, h2], [y1, 63]);
    const [[left, top, width, height], [right, , , other]] = rects('group');
    assert.deepEqual([top + height, height, other], [250, 42, 63]);
    assert.ok(Math.abs(left + width - right) < 0.2);
  });

  it('is left out for kinds of traces that it cannot draw', () => {
    assert.equal(preview([{ type: 'surface', z: [[1]] }], {}, 'a'), undefined);
  });

  it('takes no text for markup', () => {
    const svg =
      preview(
        [scatter({ x: [1], y: [2] })],
        { ...LAYOUT, title: { text: 'a & b < c' } },
        '<alt> "&"',
      ) ?? '';
    assertWellFormed(svg, 'markup');
    assert.ok(texts(svg).includes('a & b < c'));
  });
});

describe('svgDataUri', () => {
  it('encodes as Node does', () => {
    for (const text of ['', 'a', 'ab', 'abc', 'abcd', '<svg/>']) {
      const expected = Buffer.from(text).toString('base64');
      assert.equal(svgDataUri(text), `data:image/svg+xml;base64,${expected}`);
    }
  });
});
