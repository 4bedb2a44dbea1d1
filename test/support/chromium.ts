import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { chromium, type Page } from 'playwright-core';
import { locate } from '../../lib/setup/project';

const COMMANDS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const APPLICATIONS = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export const HOW_TO_GET =
  "no Chromium or Chrome found: install one (Debian: 'sudo apt install chromium', macOS: " +
  "'brew install --cask chromium'), or name its program in GUARDPAGE_BROWSER";

/** The browser this machine has, undefined if none. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env.GUARDPAGE_BROWSER) return env.GUARDPAGE_BROWSER;
  const folders = (env.PATH ?? '').split(delimiter);
  const inPath = COMMANDS.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...inPath, ...APPLICATIONS].find((file) => existsSync(file));
}

/**
 * For a `before` hook: the browser to test with. Where there is none the tests are skipped aloud,
 * but in CI that is a failure.
 */
export function chromiumOrSkip(context: Mocha.Context): string {
  const program = findChromium();
  if (program !== undefined) return program;
  if (process.env.CI) throw new Error(HOW_TO_GET);
  process.stdout.write(`      ${HOW_TO_GET}\n`);
  return context.skip();
}

/** A page in a headless browser of its own, which keeps nothing outside the project. */
export async function openPage(
  executablePath: string,
): Promise<{ page: Page; close(): Promise<void> }> {
  const home = mkdtempSync(join(locate().own, 'browser-'));
  const browser = await chromium.launch({
    executablePath,
    args: ['--disable-gpu', '--disable-quic', '--disable-background-networking'],
    env: {
      ...(process.env as Record<string, string>),
      HOME: home,
      XDG_CONFIG_HOME: home,
      XDG_CACHE_HOME: home,
    },
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  const close = async () => {
    await browser.close();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  return { page, close };
}
