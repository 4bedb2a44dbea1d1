import assert from 'node:assert/strict';
import { markdownHtml } from '../../lib/course/markdown';

describe('the Markdown of exercises', () => {
  for (const [what, markdown, html] of [
    ['paragraphs', 'one\ntwo\n\nthree', '<p>one two</p><p>three</p>'],
    ['marks', '**bold** and *it*', '<p><strong>bold</strong> and <em>it</em></p>'],
    ['code, in which nothing is a mark', '`a*b*c < d`', '<p><code>a*b*c &lt; d</code></p>'],
    [
      'links, with code in them',
      '[`x`](g.ipynb#y)',
      '<p><a href="g.ipynb#y"><code>x</code></a></p>',
    ],
    ['products, which are no marks', '2 * 3 * 4', '<p>2 * 3 * 4</p>'],
    ['lists', '- a\n  b\n- c', '<ul><li>a b</li><li>c</li></ul>'],
    ['numbered lists', '1. a\n2. b', '<ol><li>a</li><li>b</li></ol>'],
    ['a list right after a paragraph', 'p\n- a', '<p>p</p><ul><li>a</li></ul>'],
    [
      'tables',
      '| a | b |\n|---|---|\n| 1 | `2` |',
      '<table><thead><tr><th scope="col" style="text-align:left">a</th><th scope="col" style="text-align:left">b</th></tr></thead>' +
        '<tbody><tr><td style="text-align:left">1</td><td style="text-align:left"><code>2</code></td></tr></tbody></table>',
    ],
    [
      'code blocks',
      'see\n```ts\nconst a = "<b>";\n\nb();\n```\nend',
      '<p>see</p><pre style="white-space:pre-wrap"><code>const a = &quot;&lt;b&gt;&quot;;\n\nb();</code></pre><p>end</p>',
    ],
    ['what is no mark, as text', '<script> & "x"', '<p>&lt;script&gt; &amp; &quot;x&quot;</p>'],
  ]) {
    it(`has ${what}`, () => assert.equal(markdownHtml(markdown), html));
  }
});
