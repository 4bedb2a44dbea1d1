import { bareLines } from '../../stack/log-lines';

/** More than anybody pastes: /proc/vmallocinfo has 100 bytes a thread. */
export const MOST_CHARACTERS = 32 * 2 ** 20;

/** A text of somebody's machine can't be read. */
export class UnreadableError extends RangeError {
  override name = 'UnreadableError';
}

/**
 * The lines of a pasted text without what a log puts before them.
 *
 * @throws UnreadableError for nothing, too much, or something that is not text
 */
export function logLines(given: string | { readonly text: string }): string[] {
  const text = typeof given === 'object' && given !== null ? given.text : given;
  if (typeof text !== 'string') {
    throw new TypeError(`text: expected a string, got ${text === null ? 'null' : typeof text}`);
  }
  if (text.trim() === '') {
    throw new UnreadableError('expected the text of one of four files, got nothing');
  }
  if (text.length > MOST_CHARACTERS) {
    throw new UnreadableError(
      `expected at most ${MOST_CHARACTERS / 2 ** 20} MiB of text, got ${(text.length / 2 ** 20).toFixed(1)} MiB: cut the part out that is to be read`,
    );
  }
  const strange = strangeCharacters(text);
  if (strange > text.length / 50) {
    throw new UnreadableError(
      'expected text, got what looks like a binary file: unpack it or save it as plain text first',
    );
  }
  return bareLines(text);
}

/** Control characters that no log has, and what stands for bytes that are no text. */
function strangeCharacters(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0xfffd || (code < 32 && code !== 9 && code !== 10 && code !== 13 && code !== 27))
      count++;
  }
  return count;
}

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** A reading shows itself as its explanation. */
export function explained<T extends { readonly explanation: readonly string[] }>(reading: T): T {
  for (const key of [INSPECT, 'toString']) {
    Object.defineProperty(reading, key, {
      value: () => reading.explanation.map(wrapped).join('\n'),
      enumerable: false,
    });
  }
  return reading;
}

const WIDTH = 100;

/** A sentence broken between words, with its later lines set in. */
function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== '' && last.length + 1 + word.length > WIDTH) lines.push(`  ${word}`);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join('\n');
}
