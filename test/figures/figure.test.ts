import assert from 'node:assert/strict';
import { walkFigure } from '../../lib/figures/walk-figure';
import { depthFigure } from '../../lib/figures/depth-figure';
import { experimentFigure } from '../../lib/figures/experiment-figure';
import { Figure, MIME_BUNDLE, tableHtml } from '../../lib/figures/figure';
import { stackMapFigure } from '../../lib/figures/stack-map-figure';
import { folded } from '../../lib/figures/parts';
import { ExperimentResult } from '../../lib/experiments/experiment';

const SPEC = {
  title: 'A < B & "C"',
  caption: 'What to see.',
  alt: 'Line chart.',
  data: [{ type: 'scatter', x: [1], y: [2], customdata: [0] }],
  layout: { height: 300 },
  table: { columns: ['a <b>'], rows: [['<script>'], [2]] },
  command: 'npx guardpage experiment x --seed 1',
};

describe('Figure', () => {
  it('has no text of its parts taken for HTML', () => {
    const html = String(new Figure(SPEC)[MIME_BUNDLE]()['text/html']);
    assert.ok(html.includes('A &lt; B &amp; &quot;C&quot;'));
    assert.ok(html.includes('<td>&lt;script&gt;</td>'));
    assert.ok(html.includes('<th scope="col">a &lt;b&gt;</th>'));
  });

  it('keeps the layout it is given and adds title, alt text, caption and command', () => {
    const { layout } = new Figure(SPEC);
    assert.equal(layout.height, 300);
    assert.equal((layout.title as { text: string }).text, SPEC.title);
    const { alt, caption, command } = SPEC;
    assert.deepEqual(layout.meta, { alt, caption, command });
  });

  it('is refused without a title, caption, alt text or command', () => {
    for (const part of ['title', 'caption', 'alt', 'command']) {
      assert.throws(() => new Figure({ ...SPEC, [part]: ' ' }), new RegExp(`^TypeError: ${part}:`));
    }
  });

  it('counts the rows of a long table that it does not show', () => {
    const rows = Array.from({ length: 10 }, (_, i) => [i]);
    const html = tableHtml({ columns: ['n'], rows }, 4);
    assert.equal(html.match(/<tr>/g)?.length, 1 + 4 + 1);
    assert.ok(html.includes('<td colspan="1">… and 6 more</td>'));
    assert.equal(tableHtml({ columns: ['n'], rows }).match(/<td>/g)?.length, 10);
  });
});

describe('folded', () => {
  it('breaks a long label once, at a space, and loses nothing', () => {
    const label = 'recursion 512 B past, every byte written';
    assert.equal(folded(label).replace('<br>', ' '), label);
    assert.equal(folded(label), 'recursion 512 B past,<br>every byte written');
    assert.equal(folded('short'), 'short');
    assert.equal(folded('x'.repeat(60)), 'x'.repeat(60));
  });
});

describe('figures, asked wrongly', () => {
  it('say what they expected', () => {
    assert.throws(() => walkFigure([]), /walks: expected one to four, got 0/);
    assert.throws(() => depthFigure([]), /reports: expected at least one replay/);
    assert.throws(() => stackMapFigure([], 8192, 'x'), /columns: expected at least one stack/);
    const strange = new ExperimentResult(
      'no-such',
      '',
      '?',
      [],
      {},
      1,
      { columns: [], rows: [] },
      '',
    );
    assert.throws(() => experimentFigure(strange), /result: expected one of .*got "no-such"/);
  });
});
