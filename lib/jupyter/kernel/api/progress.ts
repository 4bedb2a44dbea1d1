import { display } from './display';
import { escapeHtml } from './show';
import { DISPLAY } from './symbol';

const INTERVAL_MS = 100;

/** How far a piece of work is, shown in place. */
export interface Progress {
  /** Sets how much is done. */
  set(done: number, label?: string): void;
  /** Adds to what is done. */
  add(amount?: number): void;
  /** Shows the end. */
  finish(label?: string): void;
}

/**
 * A progress bar below the cell, updated in place and at most ten times a second; it moves also
 * while the cell never awaits.
 *
 * @param total how much there is to do; a finite number above 0
 */
export function progress(total: number, label = ''): Progress {
  if (!Number.isFinite(total) || total <= 0) {
    throw new RangeError(`progress: total: expected a finite number above 0, got ${total}`);
  }
  let done = 0;
  let text = label;
  let shownAt = performance.now();
  const handle = display(bar(done, total, text));
  const show = (now: boolean) => {
    const time = performance.now();
    if (!now && time - shownAt < INTERVAL_MS) return;
    shownAt = time;
    handle.update(bar(done, total, text));
  };
  const set = (value: number, next = text) => {
    done = Math.min(Math.max(value, 0), total);
    text = next;
    show(done === total);
  };
  return {
    set,
    add: (amount = 1) => set(done + amount),
    finish: (next = text) => set(total, next),
  };
}

/** Walks through `items` behind a progress bar. */
export function* tracked<T>(items: readonly T[], label = ''): Generator<T, void> {
  if (items.length === 0) return;
  const shown = progress(items.length, label);
  for (const item of items) {
    yield item;
    shown.add();
  }
}

function bar(done: number, total: number, label: string): object {
  const percent = Math.floor((100 * done) / total);
  const name = escapeHtml(label || 'progress');
  const blocks = Math.floor(percent / 5);
  const plain = `${label && `${label} `}[${'#'.repeat(blocks).padEnd(20)}] ${percent}%`;
  const html =
    `<label>${escapeHtml(label)} <progress value="${done}" max="${total}" aria-label="${name}">` +
    `</progress> ${percent}%</label>`;
  return { [DISPLAY]: () => ({ 'text/html': html, 'text/plain': plain }) };
}
