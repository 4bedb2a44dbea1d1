import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';

/** What axe finds wrong, in a line. */
export interface Fault {
  readonly impact: string;
  readonly rule: string;
  readonly help: string;
  readonly html: string;
}

/** Only what is serious: the rest is advice. */
const SERIOUS = ['serious', 'critical'];

interface Axe {
  run(context: object, options: object): Promise<{ violations: readonly Violation[] }>;
}

interface Violation {
  readonly impact: string;
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}

/**
 * Scrolls through the notebook that is open (JupyterLab draws only the cells in view) and looks at each output for
 * faults that keep somebody from reading it. JupyterLab's own parts are left alone.
 *
 * @returns how many outputs were looked at, and what is wrong with them
 */
export async function seriousFaults(
  page: Page,
): Promise<{ readonly looked: number; readonly faults: readonly Fault[] }> {
  await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const scroller = page
    .locator('.jp-NotebookPanel-notebook .jp-WindowedPanel-outer')
    .filter({ visible: true });
  const faults: Fault[] = [];
  let looked = 0;
  // Cells that are drawn move what lies below them: the end is where it stays.
  for (let stays = 0; stays < 3;) {
    await page.waitForTimeout(150);
    const found = await page.evaluate(faultsInView, SERIOUS);
    looked += found.looked;
    faults.push(...found.faults);
    const moved = await scroller.evaluate((outer) => {
      const before = outer.scrollTop;
      outer.scrollBy(0, 0.8 * outer.clientHeight);
      return outer.scrollTop !== before;
    });
    stays = moved ? 0 : stays + 1;
  }
  return { looked, faults };
}

/** Runs in the page, where it remembers which cells it has looked at: they may be drawn anew. */
async function faultsInView(impacts: readonly string[]) {
  const { axe, document, seen = new Set() } = globalThis as unknown as PageGlobals;
  (globalThis as unknown as PageGlobals).seen = seen;
  const place = (output: PageElement) =>
    output.closest('.jp-Cell')?.dataset.windowedListIndex ?? 'nowhere';
  const outputs = [
    ...document.querySelectorAll('.jp-CodeCell .jp-OutputArea:has(.jp-OutputArea-output)'),
  ].filter((output) => output.checkVisibility() && !seen.has(place(output)));
  const faults: Fault[] = [];
  for (const output of outputs) {
    seen.add(place(output));
    const { violations } = await axe.run(output, { resultTypes: ['violations'] });
    for (const { impact, id, help, nodes } of violations) {
      if (!impacts.includes(impact)) continue;
      for (const { html } of nodes)
        faults.push({ impact, rule: id, help, html: html.slice(0, 300) });
    }
  }
  return { looked: outputs.length, faults };
}

/** As much of the DOM as is used here: the project is compiled without it. */
interface PageElement {
  readonly dataset: Readonly<Record<string, string | undefined>>;
  closest(selector: string): PageElement | null;
  checkVisibility(): boolean;
}

interface PageGlobals {
  readonly axe: Axe;
  readonly document: { querySelectorAll(selector: string): Iterable<PageElement> };
  seen?: Set<string>;
}
