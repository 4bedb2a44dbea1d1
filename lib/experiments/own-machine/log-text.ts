/** More than anybody pastes: /proc/vmallocinfo has 100 bytes a thread. */
export const MOST_CHARACTERS = 32 * 2 ** 20;

/** A text of somebody's machine can't be read. */
export class UnreadableError extends RangeError {
  override name = 'UnreadableError';
}

/** `[   12.345678] `, `[   12.345678][  T123] `, `[Mon Nov 22 19:58:40 2026] ` of dmesg. */
const BRACKETED =
  /^\[ *(?:\d+\.\d+|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\](?:\[ *[TC]\d+\])? ?/;
/** `kern  :emerg : ` of dmesg --decode. */
const DECODED = /^[a-z0-9]+ *:[a-z]+ *: ?/;
/** `<4>` of /dev/kmsg as syslog forwards it, `4,1234,5678,-;` of /dev/kmsg itself. */
const LEVEL = /^(?:<\d+>|\d+,\d+,\d+,[^;]*;)/;
/**
 * `Nov 22 19:58:40 host kernel: ` and `2026-11-22T19:58:40.123456+00:00 host kernel: ` of a journal, in any
 * language; a net console leaves `kernel:` out.
 */
const JOURNAL =
  /^(?:\p{L}{2,5}\.? [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*) \S+ (?:kernel(?:\[\d+\])?: ?|(?=\[ *\d+\.\d+\]))/u;
/** Colours of a terminal, as dmesg --color=always and some pastes carry them. */
const ESCAPE = /\u001b\[[0-9;]*m/g;
/** The mark that some editors write first. */
const BYTE_ORDER_MARK = /^\uFEFF/;

/**
 * The lines of a pasted text without what a log puts before them: time stamps, levels, host names,
 * colours, quoting (`> `), and without line ends of any kind.
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
  return text
    .replace(BYTE_ORDER_MARK, '')
    .replace(ESCAPE, '')
    .split(/\r\n|\n|\r/)
    .map(bare);
}

function bare(line: string): string {
  let rest = line.replace(/^(?:> ?)+/, '');
  for (const prefix of [LEVEL, JOURNAL, DECODED, BRACKETED]) rest = rest.replace(prefix, '');
  return rest.trimEnd();
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
