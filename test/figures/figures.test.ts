import assert from 'node:assert/strict';
import { OKABE_ITO } from '../../lib/figures/palette';
import { MIME_BUNDLE, type Figure, type PlotlyObject } from '../../lib/figures/figure';
import { allFigures, overrunBases, overrunPage } from './all-figures';

type Json = Record<string, unknown>;

const PALETTE: readonly string[] = Object.values(OKABE_ITO);
const TYPES = ['scatter', 'bar', 'heatmap'];
/** Every value of a figure, with the path that leads to it. */
function* walkJson(value: unknown, path: string): Generator<[string, unknown]> {
  yield [path, value];
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) yield* walkJson(inner, `${path}.${key}`);
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const drawn = (figure: Figure) =>
  figure.data.filter(({ type }) => type !== 'heatmap') as readonly Json[];

describe('every figure', function () {
  this.timeout(120_000);
  let figures: Map<string, Figure>;
  before(() => {
    figures = allFigures();
  });
  const each = (check: (figure: Figure, name: string) => void) => () => {
    assert.ok(figures.size >= 18);
    for (const [name, figure] of figures) check(figure, name);
  };

  it(
    'says what to see and what it is for those who can’t see it, and names its command',
    each((figure, name) => {
      const { title, caption, alt, command, layout } = figure;
      assert.deepEqual((layout.meta as Json).alt, alt, name);
      assert.deepEqual((layout.meta as Json).caption, caption, name);
      assert.equal((layout.title as Json).text, title);
      assert.match(caption, /^[A-Z0-9].{40,}[.!?]$/s, name);
      assert.match(alt, /^(\w+ )*(plots?|charts?|Diagram|Picture)\b/, name);
      assert.match(alt, /Vertical|highest addresses on top/, name);
      assert.match(alt, /\d/, name);
      assert.match(command, /^npx guardpage \w+/, name);
      for (const text of [title, caption, alt]) assert.doesNotMatch(text, /undefined|NaN|null/);
    }),
  );

  it(
    'has traces of known types whose arrays are of one length',
    each((figure, name) => {
      assert.ok(figure.data.length > 0, name);
      for (const trace of drawn(figure)) {
        assert.ok(TYPES.includes(String(trace.type)), `${name}: ${trace.type}`);
        const lengths = ['x', 'y', 'text', 'customdata', 'hovertext']
          .filter((key) => Array.isArray(trace[key]))
          .map((key) => list(trace[key]).length);
        assert.equal(new Set(lengths).size, 1, `${name}, ${trace.name}: ${lengths}`);
        for (const bar of ['error_x', 'error_y']) {
          const { array, arrayminus } = (trace[bar] ?? {}) as Json;
          for (const whisker of [array, arrayminus].filter(Boolean)) {
            assert.equal(list(whisker).length, lengths[0], `${name}, ${trace.name}`);
            assert.ok(list(whisker).every((n) => Number(n) >= 0));
          }
        }
      }
    }),
  );

  it(
    'draws nothing that is not in its table: every point names its row, and the row holds its values',
    each((figure, name) => {
      const { columns, rows } = figure.table;
      for (const row of rows) assert.equal(row.length, columns.length, name);
      for (const trace of drawn(figure)) {
        const reference = (trace.meta as Json | undefined)?.reference === true;
        assert.ok(reference || Array.isArray(trace.customdata), `${name}: ${trace.name}`);
        list(trace.customdata).forEach((index, i) => {
          if (index === null) return;
          const row = rows[Number(index)];
          assert.ok(row, `${name}, ${trace.name}: row ${index}`);
          if (name === 'neighbour-page') {
            const at = Number(list(trace.x)[i]) + Number(list(trace.y)[i]);
            assert.ok(Number(row[0]) <= at && at <= Number(row[1]) && row[3] === 'changed');
            return;
          }
          const known = (value: unknown) =>
            row.some((cell) => sameText(String(cell), String(value)));
          const found = [list(trace.x)[i], list(trace.y)[i]].map(known);
          // A line to compare with has one of its values in the table, a call its number.
          const enough = reference ? found.some(Boolean) : found.every(Boolean);
          assert.ok(enough, `${name}, ${trace.name}, point ${i}: ${row.join(', ')}`);
        });
      }
    }),
  );

  it(
    'shows every row of its table with a value to draw',
    each((figure, name) => {
      const shown = new Set(drawn(figure).flatMap((trace) => list(trace.customdata)));
      const isResult = figure.table.columns[0] === 'from';
      if (!isResult || name === 'time-to-detection') return;
      figure.table.rows.forEach((row, i) => {
        assert.ok(shown.has(i), `${name}: row ${i} is not drawn: ${row.join(', ')}`);
      });
    }),
  );

  it(
    'has axes with titles and units',
    each(({ layout }, name) => {
      const axes = Object.entries(layout).filter(([key]) => /^[xy]axis\d*$/.test(key));
      assert.ok(axes.length >= 2, name);
      for (const [key, axis] of axes as [string, Json][]) {
        assert.equal(axis.automargin ?? (axis.showticklabels === false || undefined), true, key);
        if (axis.type === 'category' && axis.title === undefined) {
          assert.ok(axis.categoryarray, `${name} ${key}`);
          continue;
        }
        const text = String((axis.title as Json).text);
        // A panel above another one may leave the title to that.
        assert.ok(text === '' || /\([^)]+\)$/.test(text), `${name} ${key}: ${text}`);
      }
    }),
  );

  it(
    'uses colours of the palette, six digits each, and no ground of its own',
    each((figure, name) => {
      const { data, layout } = figure;
      for (const [path, value] of walkJson({ data, layout }, name)) {
        if (typeof value === 'string' && /^(#|rgb|hsl)/.test(value)) {
          assert.ok(PALETTE.includes(value), `${path}: ${value}`);
          assert.match(value, /^#[0-9A-F]{6}$/);
        }
        assert.doesNotMatch(path, /\.(paper_bgcolor|plot_bgcolor|template)$/);
      }
    }),
  );

  it(
    'tells series of one panel apart by more than their colour',
    each((figure, name) => {
      const states = choicesOf(figure).map(({ args }) => list((list(args)[0] as Json).visible));
      for (const visible of states.length > 0 ? states : [figure.data.map(() => true)]) {
        const cues = new Map<string, string>();
        figure.data.forEach((trace, i) => {
          if (visible[i] !== true || trace.type === 'heatmap' || !hasName(trace)) return;
          const key = `${trace.xaxis ?? 'x'} ${trace.yaxis ?? 'y'} ${cueOf(trace)}`;
          const other = cues.get(key);
          assert.ok(
            other === undefined || other === trace.name,
            `${name}: ${trace.name} and ${other} differ by colour alone: ${key}`,
          );
          cues.set(key, String(trace.name));
        });
      }
    }),
  );

  it(
    'has buttons and sliders that restyle or update, never frames',
    each((figure, name) => {
      assert.equal('frames' in figure, false);
      for (const { method, args } of choicesOf(figure)) {
        assert.match(String(method), /^(restyle|update)$/, name);
        const [changes] = list(args) as Json[];
        assert.equal(list(changes.visible).length, figure.data.length, name);
        assert.ok(list(changes.visible).includes(true));
      }
      const { updatemenus, sliders } = figure.layout;
      const [control] = [...list(updatemenus), ...list(sliders)] as Json[];
      if (!control) return;
      const { args } = choicesOf(figure)[Number(control.active ?? 0)];
      const shown = figure.data.map(({ visible }) => visible ?? true);
      assert.deepEqual(shown, list((list(args)[0] as Json).visible), `${name}: at first`);
    }),
  );

  it(
    'is shown as plotly, as a still picture, as HTML without a script and as text, all of it JSON',
    each((figure, name) => {
      const bundle = figure[MIME_BUNDLE]();
      assert.deepEqual(Object.keys(bundle), [
        'application/vnd.plotly.v1+json',
        'image/svg+xml',
        'text/html',
        'text/plain',
      ]);
      assert.deepEqual(JSON.parse(JSON.stringify(bundle)), bundle, name);
      const html = String(bundle['text/html']);
      assert.doesNotMatch(html, /<script|\son\w+=|undefined|NaN/);
      assert.match(
        html,
        /^<figure><img alt="[^"]+" src="data:image\/svg\+xml;base64,[\w+/]+=*">\n<figcaption>.*<details>.*<table>.*<\/figure>$/s,
      );
      assert.ok(String(bundle['text/plain']).includes(figure.command));
    }),
  );
});

describe('the page below a stack', () => {
  it('is drawn byte for byte as its table tells it', () => {
    const figure = overrunPage();
    const [before, after] = figure.data as unknown as { z: number[][]; y: number[] }[];
    const states = new Array<string>(4096);
    for (const [from, to, bytes, state] of figure.table.rows) {
      assert.equal(Number(to) - Number(from) + 1, bytes);
      states.fill(String(state), Number(from), Number(to) + 1);
    }
    const numbers: Record<string, number> = { zero: 0.5, data: 1.5, changed: 2.5 };
    const cells = after.z.flat();
    states.forEach((state, at) => assert.equal(cells[at], numbers[state], `${at}`));
    before.z.flat().forEach((z, at) => {
      assert.ok(states[at] === 'changed' ? z < 2 : z === cells[at], `${at}`);
    });
    assert.ok(states.includes('changed') && states.includes('zero'));
  });
});

/** What a reader can choose: buttons of a menu, steps of a slider. */
function choicesOf({ layout }: Figure): Json[] {
  const of = (parts: unknown, key: string) =>
    (list(parts) as Json[]).flatMap((part) => list(part[key]) as Json[]);
  return [...of(layout.updatemenus, 'buttons'), ...of(layout.sliders, 'steps')];
}

describe('memory around the base of a stack', () => {
  it('marks a byte as changed exactly where it differs, and its table counts the same bytes by name', () => {
    const figure = overrunBases();
    const panels = figure.data as unknown as { z: number[][]; hovertext: string[][] }[];
    const counts = panels
      .filter((_, i) => i % 2 === 1)
      .map(({ z, hovertext }) => {
        const crossed = z.flat().map((state) => state === 4.5);
        const differs = hovertext.flat().map((text) => text.includes(', was '));
        assert.deepEqual(crossed, differs);
        return crossed.filter(Boolean).length;
      });
    const total = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);
    assert.equal(total(counts), total(figure.table.rows.map(([, , changed]) => Number(changed))));
    assert.ok(counts.slice(0, 4).every((n) => n > 500) && counts[4] < 128);
  });

  it('names what the kernel keeps there', () => {
    const { rows } = overrunBases().table;
    const names = (label: string) => rows.filter(([page]) => page === label).map((row) => row[4]);
    for (const name of ['addr_limit', 'restart_block.fn', 'STACK_END_MAGIC', 'task']) {
      assert.ok(names('stack').includes(name), name);
    }
    assert.ok(names('stack').some((name) => /^return address: __schedule\+0x/.test(String(name))));
    assert.ok(names('page table').includes('entry 511 of 512'));
    assert.ok(rows.some(([page, , , owner]) => page === 'slab' && /object/.test(String(owner))));
  });
});

/** Labels may be folded in the drawing. */
const sameText = (cell: string, label: string) =>
  cell === label.replace(/<br>/g, ' ') || HOLES[label] === cell;

const HOLES: Record<string, string> = {
  'model,<br>holes empty': 'empty',
  'model,<br>holes filled': 'filled',
  recorded: 'as they were',
};

const hasName = ({ showlegend, legendgroup, meta }: PlotlyObject) =>
  (showlegend !== false || legendgroup !== undefined) &&
  !((meta as Json | undefined)?.reference === true && showlegend === false);

/** What tells a trace from another one in print without colours. */
function cueOf({ mode, marker, line, fill, fillpattern, type }: PlotlyObject): string {
  const { symbol, pattern } = (marker ?? {}) as Json;
  const symbols = Array.isArray(symbol)
    ? symbol.map((s) => String(s).replace('-open', ''))
    : [symbol];
  return JSON.stringify([
    type,
    mode,
    String(mode).includes('markers') ? [...new Set(symbols)] : null,
    type === 'bar' ? ((pattern as Json | undefined)?.shape ?? '') : null,
    String(mode).includes('lines') ? ((line as Json).dash ?? 'solid') : null,
    fill ? ((fillpattern as Json | undefined)?.shape ?? 'plain') : null,
  ]);
}
