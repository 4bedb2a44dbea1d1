import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { main } from '../../lib/cli';
import type { Figure } from '../../lib/figures/figure';
import { locate } from '../../lib/setup/project';
import { allFigures } from '../figures/all-figures';
import { chromiumOrSkip, openPage } from '../support/chromium';
import { inTemporaryFolder } from '../support/temporary';

const WIDTH = 700;
const ARTIFACTS = join(locate().root, 'test', 'artifacts', 'figures');

/** What a page around the figure brings along: text and lines on light and on dark ground. */
const THEMES = {
  light: { ground: '#ffffff', text: '#1c1e21', line: '#d0d5da' },
  dark: { ground: '#111418', text: '#e8eaed', line: '#43484e' },
} as const;

interface Box {
  readonly text: string;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

describe('figures drawn by plotly.js, 700 pixels wide', function () {
  this.timeout(240_000);
  let page: Page;
  let close = async () => {};
  let figures: Map<string, Figure>;
  const complaints: string[] = [];

  before(async function () {
    const program = chromiumOrSkip(this);
    mkdirSync(ARTIFACTS, { recursive: true });
    figures = allFigures();
    ({ page, close } = await openPage(program));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => complaints.push(`request of ${request.url()}`));
    await page.setContent(`<body style="margin:0"><div id="plot" style="width:${WIDTH}px"></div>`);
    await page.addScriptTag({ content: readFileSync(require.resolve('plotly.js-dist'), 'utf8') });
  });

  after(() => close());

  /** Draws a figure as the notebook's renderer does, in the colours of a theme. */
  async function draw({ data, layout }: Figure, theme: keyof typeof THEMES): Promise<void> {
    await page.evaluate(
      async ([content, { ground, text, line }, width]) => {
        const { Plotly, document } = globalThis as unknown as {
          Plotly: { purge(id: string): void; newPlot(...args: unknown[]): Promise<void> };
          document: { body: { style: { background: string } } };
        };
        document.body.style.background = ground;
        const clear = 'rgba(0, 0, 0, 0)';
        const axis = { gridcolor: line, linecolor: text, zerolinecolor: line };
        const template = {
          layout: {
            paper_bgcolor: clear,
            plot_bgcolor: clear,
            font: { color: text },
            xaxis: axis,
            yaxis: axis,
          },
        };
        Plotly.purge('plot');
        const { data: traces, layout: given } = content as { data: unknown; layout: object };
        const config = { displayModeBar: false };
        await Plotly.newPlot('plot', traces, { ...given, width, template }, config);
      },
      [{ data, layout }, THEMES[theme], WIDTH] as const,
    );
  }

  /** What a slider does at one of its steps. */
  const change = (args: readonly unknown[]) =>
    page.evaluate(async (changes) => {
      const { Plotly } = globalThis as unknown as {
        Plotly: { update(id: string, ...args: unknown[]): Promise<void> };
      };
      await Plotly.update('plot', ...changes);
    }, args);

  /** Every text of the drawing with its box, and the box of the whole. */
  const boxes = (): Promise<{ texts: Box[]; whole: Box; scrolls: number }> =>
    page.evaluate(() => {
      interface Rect {
        left: number;
        top: number;
        right: number;
        bottom: number;
        width: number;
        height: number;
      }
      interface Element {
        textContent: string | null;
        getBoundingClientRect(): Rect;
      }
      const { document } = globalThis as unknown as {
        document: {
          querySelector(selector: string): Element;
          querySelectorAll(selector: string): Iterable<Element>;
        };
      };
      const box = (element: Element) => {
        const { left, top, right, bottom } = element.getBoundingClientRect();
        return { text: element.textContent ?? '', left, top, right, bottom };
      };
      const visible = (element: Element) => {
        const { width, height } = element.getBoundingClientRect();
        return width > 0 && height > 0 && (element.textContent ?? '').trim() !== '';
      };
      const texts = [...document.querySelectorAll('#plot svg text')].filter(visible).map(box);
      const bars = [...document.querySelectorAll('#plot .legend .scrollbar')];
      return {
        texts,
        whole: box(document.querySelector('#plot .main-svg')),
        scrolls: bars.filter((bar) => bar.getBoundingClientRect().height > 0).length,
      };
    });

  async function checkTexts(name: string): Promise<void> {
    const { texts, whole, scrolls } = await boxes();
    assert.ok(texts.length > 5, `${name}: ${texts.length} texts`);
    assert.equal(scrolls, 0, `${name}: the legend has to be scrolled`);
    for (const { text, left, top, right, bottom } of texts) {
      const inside =
        left >= whole.left - 1 &&
        top >= whole.top - 1 &&
        right <= whole.right + 1 &&
        bottom <= whole.bottom + 1;
      assert.ok(inside, `${name}: "${text}" is cut off: ${[left, top, right, bottom].join(', ')}`);
    }
    texts.forEach((one, i) => {
      for (const other of texts.slice(i + 1)) {
        const share = overlap(one, other);
        assert.ok(share < 0.2, `${name}: "${one.text}" and "${other.text}" lie on one another`);
      }
    });
  }

  for (const theme of ['light', 'dark'] as const) {
    it(`says nothing on the console, and no text is cut off or covered, on ${theme} ground`, async () => {
      for (const [name, figure] of figures) {
        complaints.length = 0;
        await draw(figure, theme);
        await checkTexts(name);
        await page.locator('#plot').screenshot({ path: join(ARTIFACTS, `${name}-${theme}.png`) });
        assert.deepEqual(complaints, [], name);
      }
    });
  }

  it('draws every trace as what it is called, also after each button', async () => {
    for (const [name, figure] of figures) {
      complaints.length = 0;
      await draw(figure, 'light');
      const types = await page.evaluate(() => {
        const { document } = globalThis as unknown as {
          document: { getElementById(id: string): { _fullData: { type: string }[] } };
        };
        return document.getElementById('plot')._fullData.map(({ type }) => type);
      });
      assert.deepEqual(
        types,
        figure.data.map(({ type }) => type),
        name,
      );
      const buttons = page.locator('#plot .updatemenu-button');
      for (let i = 0; i < (await buttons.count()); i++) {
        await buttons.nth(i).click();
        await page.waitForTimeout(150);
        await checkTexts(`${name}, button ${i}`);
      }
      for (const { steps } of slidersOf(figure)) {
        for (const { label, args } of steps) {
          await change(args);
          await checkTexts(`${name}, ${label}`);
        }
      }
      assert.deepEqual(complaints, [], name);
    }
  });

  it('shows an experiment’s page from a file, without a request to anywhere', async () => {
    await inTemporaryFolder(async (folder) => {
      const file = join(folder, 'page.html');
      assert.equal(await main(['experiment', 'trace-depths', '--html', file]), 0);
      complaints.length = 0;
      await page.goto(pathToFileURL(file).href);
      const plot = page.getByRole('group', { name: /^Dot plot\. Vertical: 15 published/ });
      await plot.locator('.scatterlayer .trace').nth(5).waitFor({ state: 'attached' });
      await page.getByRole('table').getByText('05 write, XFS twice (Berthels 2010)').waitFor();
      await page.getByText('npx guardpage experiment trace-depths --seed 1').waitFor();
      await page.screenshot({ path: join(ARTIFACTS, 'page.png') });
      assert.deepEqual(complaints, [`request of ${pathToFileURL(file).href}`]);
      await page.goto('about:blank');
    });
  });
});

interface Slider {
  readonly steps: readonly { readonly label: string; readonly args: readonly unknown[] }[];
}

function slidersOf({ layout }: Figure): readonly Slider[] {
  return (layout.sliders ?? []) as readonly Slider[];
}

/** Common area of two boxes as a part of the smaller one. */
function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const area = (box: Box) => (box.right - box.left) * (box.bottom - box.top);
  return (width * height) / Math.min(area(a), area(b));
}
