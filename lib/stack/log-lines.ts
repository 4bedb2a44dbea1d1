/** `[   12.345678] `, `[   12.345678][  T123] `, `[  +0.000003] `, `[Nov22 19:58] `, `[Mon Nov 22 19:58:40 2026] ` of dmesg. */
const BRACKETED =
  /^\[ *(?:\+?\d+\.\d+|[A-Z][a-z]{2} ?\d\d? \d\d:\d\d|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\](?:\[ *[TC]\d+\])? ?/;
/** `2026-11-22T19:58:40,123456+00:00 ` of dmesg --time-format iso. */
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d+[+-]\d\d:?\d\d /;
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
export const BYTE_ORDER_MARK = /^\uFEFF/;

/**
 * The lines of a text without what a log or a mail puts before them: time stamps, levels, host names,
 * colours, quoting (`> `), and without line ends of any kind.
 */
export function bareLines(text: string): string[] {
  return text
    .replace(BYTE_ORDER_MARK, '')
    .replace(ESCAPE, '')
    .split(/\r\n|\n|\r/)
    .map(bare);
}

function bare(line: string): string {
  let rest = line.replace(/^(?:> ?)+/, '');
  for (const prefix of [LEVEL, JOURNAL, DECODED, ISO, BRACKETED]) rest = rest.replace(prefix, '');
  return rest.trimEnd();
}
