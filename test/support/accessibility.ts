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
 * Looks at the outputs of the notebook that is open, one after the other (JupyterLab draws a cell when it is scrolled
 * to), for faults that keep somebody from reading them. JupyterLab's own parts are left alone.
 */
export async function seriousFaults(page: Page): Promise<readonly Fault[]> {
  await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const cells = page.locator('.jp-Notebook .jp-CodeCell');
  const faults: Fault[] = [];
  const count = await cells.count();
  for (let i = 0; i < count; i += 1) {
    const output = cells.nth(i).locator('.jp-OutputArea').first();
    if ((await output.count()) === 0) continue;
    await cells.nth(i).scrollIntoViewIfNeeded();
    await page.waitForTimeout(100);
    faults.push(...(await output.evaluate(faultsIn, SERIOUS)));
  }
  return faults;
}

/** Runs in the page. */
async function faultsIn(element: unknown, impacts: readonly string[]): Promise<Fault[]> {
  const { axe } = globalThis as unknown as { axe: Axe };
  const { violations } = await axe.run(element as object, { resultTypes: ['violations'] });
  return violations
    .filter(({ impact }) => impacts.includes(impact))
    .flatMap(({ impact, id, help, nodes }) =>
      nodes.map(({ html }) => ({ impact, rule: id, help, html: html.slice(0, 300) })),
    );
}
