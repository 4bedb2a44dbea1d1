import type { Page } from 'playwright-core';
import type { JupyterServer } from '../../lib/jupyter/server';

/**
 * Opens a notebook as a reader does, and no other, and waits until its kernel is there.
 *
 * @param path relative to what the server serves
 */
export async function openNotebook(page: Page, server: JupyterServer, path: string): Promise<void> {
  await page.goto(`${server.url}lab/tree/${path}?reset&token=${server.token}`);
  await untilIdle(page);
}

/** Runs all cells through the menu and waits until the last one has run. */
export async function runAllCells(page: Page): Promise<void> {
  await page.locator('.jp-Notebook .jp-Cell').first().click();
  await chooseFromMenu(page, 'Run', 'Run All Cells');
  const notRun = page.locator('.jp-Notebook .jp-CodeCell .jp-InputPrompt').filter({
    hasText: /\[[ *]\]/,
  });
  while ((await notRun.count()) > 0) await page.waitForTimeout(200);
  await untilIdle(page);
}

/** Chooses an entry of the menu bar; `path` names the menu and its submenus. */
export async function chooseFromMenu(page: Page, ...path: string[]): Promise<void> {
  for (const name of path) {
    const entries = page.locator('.lm-MenuBar-item, .lm-Menu-item').filter({ visible: true });
    await entries
      .filter({ hasText: new RegExp(`^${name}`) })
      .first()
      .click();
  }
}

/**
 * Puts another text into the code cell that holds `piece`, and runs it.
 *
 * @returns the text of its output
 */
export async function runEdited(page: Page, piece: string, text: string): Promise<string> {
  const cell = page.locator('.jp-Notebook .jp-CodeCell').filter({ hasText: piece }).first();
  await cell.scrollIntoViewIfNeeded();
  await cell.locator('.cm-content').click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.insertText(text);
  await page.keyboard.press('Control+Enter');
  await untilRun(page);
  return (await cell.locator('.jp-OutputArea').innerText()).trim();
}

/** Restarts the kernel through the menu. */
export async function restartKernel(page: Page): Promise<void> {
  await chooseFromMenu(page, 'Kernel', 'Restart Kernel…');
  await page.locator('.jp-Dialog .jp-mod-accept').click();
  await untilIdle(page);
}

async function untilRun(page: Page): Promise<void> {
  const running = page.locator('.jp-Notebook .jp-InputPrompt').filter({ hasText: '[*]' });
  await page.waitForTimeout(200);
  while ((await running.count()) > 0) await page.waitForTimeout(100);
  await untilIdle(page);
}

/** The text of the outputs that tell of an error. */
export async function errorOutputs(page: Page): Promise<string[]> {
  const types = ['application/vnd.jupyter.error', 'application/vnd.jupyter.stderr'];
  const selector = types.map((type) => `[data-mime-type="${type}"]`).join(', ');
  return page.locator(selector).allTextContents();
}

async function untilIdle(page: Page): Promise<void> {
  await page.getByText('| Idle').waitFor({ timeout: 60_000 });
}
