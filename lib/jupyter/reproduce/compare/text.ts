import { stripVTControlCharacters } from 'node:util';
import { diffLines } from '../diff';
import { sanitise } from '../sanitise';
import type { Rules } from './rules';

/**
 * The lines that a reader sees: what a carriage return or backspace wrote over is gone, and so are
 * colours, blanks at the end of a line and empty lines at the end.
 */
export function visibleLines(text: string, { sanitisers }: Pick<Rules, 'sanitisers'>): string[] {
  const plain = sanitise(stripVTControlCharacters(text.replace(/\r\n/g, '\n')), sanitisers);
  const lines = plain.split('\n').map((line) => overwritten(line).trimEnd());
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

/** A character and the backspace that took it back. */
const BACKSPACED = /[^\b][\b]/;

function overwritten(line: string): string {
  if (!/[\r\b]/.test(line)) return line;
  let shown = '';
  for (const part of line.split('\r')) {
    let written = part;
    while (BACKSPACED.test(written)) written = written.replace(BACKSPACED, '');
    shown = written + shown.slice(written.length);
  }
  return shown;
}

/** The difference between two texts as a diff; empty if a reader sees the same. */
export function diffText(stored: string, fresh: string, rules: Rules): string[] {
  return diffLines(visibleLines(stored, rules), visibleLines(fresh, rules));
}
