// @ts-check
'use strict';

/** Without a terminal, a long step says this often that it goes on. */
const HEARTBEAT_MS = 15_000;

/** @typedef {{ note(text: string): void, done(text?: string): void, fail(): void }} Step */

/**
 * Tells what the set-up is doing: on a terminal one line a step that counts the seconds,
 * elsewhere a line when a step begins, now and then while it lasts, and when it ends.
 */
class Progress {
  /** @param {NodeJS.WriteStream} out */
  constructor(out = process.stdout) {
    this.out = out;
  }

  /** @param {string} text */
  say(text) {
    this.out.write(`${text}\n`);
  }

  /**
   * @param {string} title
   * @returns {Step}
   */
  step(title) {
    const { out } = this;
    const began = Date.now();
    const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`;
    let note = '';
    const line = () => `  ${title}: ${note === '' ? '' : `${note}, `}${seconds()}`;
    const redraw = () => {
      const text = line().slice(0, (out.columns || 80) - 1);
      out.write(`\r\x1b[K${text}`);
    };
    if (!out.isTTY) out.write(`  ${title} …\n`);
    const timer = out.isTTY
      ? setInterval(redraw, 200)
      : setInterval(() => out.write(`${line()}\n`), HEARTBEAT_MS);
    const end = (/** @type {string} */ text) => {
      clearInterval(timer);
      out.write(`${out.isTTY ? '\r\x1b[K' : ''}  ${title}: ${text}\n`);
    };
    return {
      note: (text) => {
        note = text;
      },
      done: (text = 'done') => end(`${text} (${seconds()})`),
      fail: () => end(`failed (${seconds()})`),
    };
  }
}

module.exports = { Progress };
