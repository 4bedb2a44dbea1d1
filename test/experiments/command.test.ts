import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { experiment, experiments } from '../../lib/experiments';
import { tableText } from '../../lib/experiments/table';
import { experimentFigure } from '../../lib/figures/experiment-figure';
import { guardpage } from '../support/command';
import { inTemporaryFolder } from '../support/temporary';

/** Runs `guardpage experiment …` in this process. */
const run = (...argv: string[]) => guardpage('experiment', ...argv);

const SMALL = ['dynamic-stacks', '--set', 'threads=20', '--seed', '5'];
const expected = () => experiment('dynamic-stacks').run({ threads: 20 }, 5);

describe('guardpage experiment', function () {
  this.timeout(30_000);

  it('lists every experiment with its question and its parameters', async () => {
    const { code, out } = await run('--list');
    assert.equal(code, 0);
    for (const { name, question, parameters } of experiments) {
      assert.match(out, new RegExp(`^${name}$`, 'm'));
      assert.ok(out.includes(`  ${question}\n`));
      for (const key of Object.keys(parameters)) assert.ok(out.includes(`  --set ${key}=`), key);
    }
  });

  it('prints the table where no file is asked for', async () => {
    const { code, out, err } = await run(...SMALL);
    assert.deepEqual([code, err], [0, '']);
    assert.ok(out.includes(tableText(expected().table)));
    assert.ok(out.includes('seed 5'));
  });

  it('writes parameters and table as JSON, the same bytes each time', () =>
    inTemporaryFolder(async (folder) => {
      const [first, second] = [join(folder, 'a.json'), join(folder, 'b.json')];
      for (const file of [first, second]) {
        assert.deepEqual(await run(...SMALL, '--json', file), { code: 0, out: '', err: '' });
      }
      assert.equal(readFileSync(first, 'utf8'), readFileSync(second, 'utf8'));
      const { table, command, params, seed } = expected();
      const { experiment: name, ...rest } = JSON.parse(readFileSync(first, 'utf8'));
      assert.equal(name, 'dynamic-stacks');
      const { columns, rows } = rest;
      assert.deepEqual({ columns, rows }, table);
      assert.deepEqual([rest.command, rest.params, rest.seed], [command, params, seed]);
      assert.deepEqual(readdirSync(folder).sort(), ['a.json', 'b.json']);
    }));

  it('writes a page that holds figure, caption, alt text, table, seed, command and plotly.js, and loads nothing', () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, 'page.html');
      assert.equal((await run(...SMALL, '--html', file)).code, 0);
      const html = readFileSync(file, 'utf8');
      const result = expected();
      const figure = experimentFigure(result);
      const content = /<script type="application\/json" id="figure">(.*?)<\/script>/s.exec(html);
      assert.ok(content);
      assert.deepEqual(JSON.parse(content[1]), { data: figure.data, layout: figure.layout });
      for (const text of [figure.title, figure.caption, figure.command, 'seed 5']) {
        assert.ok(html.includes(text.replace(/&/g, '&amp;')), text);
      }
      assert.equal(html.match(/<tr>/g)?.length, result.table.rows.length + 1);
      assert.doesNotMatch(html, /<(script|img|link|iframe)[^>]+(src|href)=/);
      // Three scripts: plotly, the figure, the drawing; nothing inside them ends one early.
      assert.equal(html.match(/<\/script>/g)?.length, 3);
      assert.ok(html.length > 4_000_000);
    }));

  it('replaces a file through a link, and leaves the old one when the run is refused', () =>
    inTemporaryFolder(async (folder) => {
      const [file, link] = [join(folder, 'real.json'), join(folder, 'link.json')];
      writeFileSync(file, 'old');
      symlinkSync(file, link);
      assert.equal((await run(...SMALL, '--set', 'threads=1', '--json', link)).code, 2);
      assert.equal(readFileSync(file, 'utf8'), 'old');
      assert.equal((await run(...SMALL, '--json', link)).code, 0);
      assert.equal(JSON.parse(readFileSync(file, 'utf8')).seed, 5);
      assert.deepEqual(readdirSync(folder).sort(), ['link.json', 'real.json']);
    }));

  it('writes into what is no file, such as a device', async () => {
    assert.deepEqual(await run(...SMALL, '--json', '/dev/null'), { code: 0, out: '', err: '' });
  });

  it('answers wrong use with one clear line and exit code 2', () =>
    inTemporaryFolder(async (folder) => {
      writeFileSync(join(folder, 'file'), '');
      mkdirSync(join(folder, 'sub'));
      symlinkSync(join(folder, 'file'), join(folder, 'link'));
      for (const [argv, line] of [
        [[], /^guardpage: experiment: expected a name; guardpage experiment --list shows them\n$/],
        [['dynamic-stack'], /^guardpage: experiment: .* did you mean dynamic-stacks\?\n$/],
        [['?'], /^guardpage: experiment: expected the name of one, got "\?": trace-depths, /],
        [
          [...SMALL, '--seed', '-1'],
          /^guardpage: --seed: expected a whole number from 0, got "-1"\n$/,
        ],
        [
          [...SMALL, '--seed', '2147483648'],
          /^guardpage: --seed: expected .* to 2147483647, got 2147483648\n$/,
        ],
        [
          [...SMALL, '--set', 'threads'],
          /^guardpage: --set: expected PARAMETER=VALUE, got "threads"\n$/,
        ],
        [
          [...SMALL, '--set', 'threads=many'],
          /^guardpage: threads: expected a whole number from 10 to 4000, got "many"\n$/,
        ],
        [
          [...SMALL, '--set', 'depth=1'],
          /^guardpage: depth: expected a parameter \(threads\), got no such one\n$/,
        ],
        [
          [...SMALL, '--set', '__proto__=1'],
          /^guardpage: __proto__: expected a parameter \(threads\), got no such one\n$/,
        ],
        [
          [...SMALL, '--json', join(folder, 'x'), '--html', join(folder, 'sub', '..', 'x')],
          /^guardpage: --html: expected another file than that of --json, got .*x\n$/,
        ],
        [
          [...SMALL, '--json', join(folder, 'file'), '--html', join(folder, 'link')],
          /^guardpage: --html: expected another file than that of --json, got .*link\n$/,
        ],
        [
          [...SMALL, '--json', join(folder, 'none', 'x')],
          /^guardpage: --json: can't write .*: there is no such folder\n$/,
        ],
        [
          [...SMALL, '--json', join(folder, 'file', 'x')],
          /^guardpage: --json: can't write .*: part of the path is a file\n$/,
        ],
        [
          [...SMALL, '--html', join(folder, 'sub')],
          /^guardpage: --html: expected a file, but .* is a folder\n$/,
        ],
        [
          [...SMALL, '--json', ''],
          /^guardpage: --json: expected the name of a file, got nothing\n$/,
        ],
      ] as const) {
        const { code, out, err } = await run(...argv);
        assert.deepEqual([code, out], [2, ''], argv.join(' '));
        assert.match(err, line);
        assert.equal(err.trimEnd().split('\n').length, 1);
      }
      assert.deepEqual(readdirSync(folder).sort(), ['file', 'link', 'sub']);
      assert.ok(!existsSync(join(folder, 'sub', 'x')));
    }));
});
