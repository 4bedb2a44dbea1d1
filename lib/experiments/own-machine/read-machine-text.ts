import { isTraceLine } from '../../stack/stack-trace-text';
import { logLines, UnreadableError } from './log-text';
import { isOopsLine, readOopsText } from './oops-text';
import { isBuddyLine, readBuddyinfo, type BuddyinfoReading } from './read-buddyinfo';
import { readOops, type OopsReading } from './read-oops';
import { readStackTrace, type StackTraceReading } from './read-stack-trace';
import { isVmallocLine, readVmallocinfo, type VmallocinfoReading } from './read-vmallocinfo';
import type { MachineTextKind, Sample } from './samples';

export type MachineReading =
  StackTraceReading | OopsReading | VmallocinfoReading | BuddyinfoReading;

const READERS: Readonly<Record<MachineTextKind, (text: string | Sample) => MachineReading>> = {
  stack_trace: readStackTrace,
  oops: readOops,
  vmallocinfo: readVmallocinfo,
  buddyinfo: readBuddyinfo,
};

const LINES: readonly (readonly [kind: MachineTextKind, test: (line: string) => boolean])[] = [
  ['oops', isOopsLine],
  ['stack_trace', isTraceLine],
  ['vmallocinfo', isVmallocLine],
  ['buddyinfo', isBuddyLine],
];

/**
 * Which of the four texts this is: the one with the most lines of its form. An oops that tells of a stack
 * comes first, since a log may hold much else; null for none of them.
 *
 * @throws UnreadableError for nothing, too much, or something that is not text
 */
export function recogniseMachineText(text: string | Sample): MachineTextKind | null {
  const lines = logLines(text);
  const event = readOopsText(lines)?.event;
  if (event !== undefined && event !== 'other') return 'oops';
  const counts = LINES.map(([kind, test]) => ({ kind, count: lines.filter(test).length }));
  // Whatever else a log holds: the free lists of its out-of-memory report are what concerns stacks.
  const best = counts
    .filter(({ kind, count }) => count > 0 && kind !== 'oops')
    .sort((a, b) => b.count - a.count)[0];
  return best?.kind ?? (counts[0].count > 0 ? 'oops' : null);
}

/**
 * Reads a text of one's own machine, whichever of the four it is: /sys/kernel/tracing/stack_trace, an oops or
 * panic out of dmesg, /proc/vmallocinfo, /proc/buddyinfo. Time stamps, journal prefixes, line ends of other
 * systems and missing parts do no harm.
 *
 * @throws UnreadableError that says in one line what was expected and what was found
 */
export function readMachineText(text: string | Sample): MachineReading {
  const kind = recogniseMachineText(text);
  if (kind === null) {
    const [first] = logLines(text).filter((line) => line.trim() !== '');
    throw new UnreadableError(
      `expected the text of stack_trace, of an oops, of vmallocinfo or of buddyinfo, got none of them; it begins ${JSON.stringify(first.slice(0, 60))}`,
    );
  }
  return READERS[kind](text);
}
