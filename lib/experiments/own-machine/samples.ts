import buddyFragmented from '../../data/samples/buddyinfo-fragmented.json';
import buddyFresh from '../../data/samples/buddyinfo-fresh.json';
import oopsBelowGuard from '../../data/samples/oops-below-guard.json';
import oopsEndMagic from '../../data/samples/oops-end-magic.json';
import oopsJumpOver from '../../data/samples/oops-jump-over.json';
import oopsRecursionHashed from '../../data/samples/oops-recursion-hashed.json';
import oopsRecursion from '../../data/samples/oops-recursion.json';
import oopsStoreBelow from '../../data/samples/oops-store-below.json';
import vmallocThreads from '../../data/samples/vmallocinfo-500-threads.json';
import vmallocIdle from '../../data/samples/vmallocinfo-idle.json';
import { publishedTrace } from '../../stack/published-traces';
import { stackTraceText } from '../../stack/stack-trace-text';

/** What a machine tells of its stacks: the four texts that are read here. */
export type MachineTextKind = 'stack_trace' | 'oops' | 'vmallocinfo' | 'buddyinfo';

/** A text of a real machine, for those who have none at hand. */
export interface Sample {
  readonly name: string;
  readonly kind: MachineTextKind;
  readonly title: string;
  /** Machine and recording. */
  readonly source: string;
  readonly text: string;
}

interface SampleFile {
  readonly kind: string;
  readonly title: string;
  readonly source: string;
  readonly lines: readonly string[];
}

const FILES: Readonly<Record<string, SampleFile>> = {
  'oops-recursion': oopsRecursion,
  'oops-recursion-hashed': oopsRecursionHashed,
  'oops-store-below': oopsStoreBelow,
  'oops-jump-over': oopsJumpOver,
  'oops-end-magic': oopsEndMagic,
  'oops-below-guard': oopsBelowGuard,
  'vmallocinfo-idle': vmallocIdle,
  'vmallocinfo-500-threads': vmallocThreads,
  'buddyinfo-fresh': buddyFresh,
  'buddyinfo-fragmented': buddyFragmented,
};

/** Published traces, in the form in which the tracer prints them. */
const TRACES: Readonly<Record<string, readonly [id: string, title: string]>> = {
  'stack_trace-writeback': ['12', 'ext4 writeback, 2025'],
  'stack_trace-swap': ['01', 'ext4 writeback that swaps, 2014'],
  'stack_trace-select': ['15', 'the example of the tracer’s documentation'],
};

/** Names of the samples. */
export const SAMPLES: readonly string[] = [...Object.keys(TRACES), ...Object.keys(FILES)];

/**
 * A text of a real machine by its name.
 *
 * @throws RangeError for a name that no sample has
 */
export function sample(name: string): Sample {
  if (Object.hasOwn(TRACES, name)) {
    const [id, title] = TRACES[name];
    const trace = publishedTrace(id);
    return {
      name,
      kind: 'stack_trace',
      title,
      source: trace.source ?? '',
      text: stackTraceText(trace),
    };
  }
  if (!Object.hasOwn(FILES, name)) {
    throw new RangeError(
      `sample: expected one of ${SAMPLES.join(', ')}, got ${JSON.stringify(name)}`,
    );
  }
  const { kind, title, source, lines } = FILES[name];
  return { name, kind: kind as MachineTextKind, title, source, text: `${lines.join('\n')}\n` };
}

/** The command that reads a text: its name is known for a sample only. */
export function readCommand(text: string | Sample): string {
  return typeof text === 'string'
    ? 'npx guardpage read FILE'
    : `npx guardpage read --sample ${text.name}`;
}
