import { hex, type VirtAddr } from '../../x86/addr';
import { featuresOf } from '../../stack/versions';
import { failingPush, isFailedPush } from './exception-frame';
import { explained, logLines, UnreadableError } from './log-text';
import { readCommand, type Sample } from './samples';
import { foreignOops, readOopsText, type OopsEvent, type OopsText } from './oops-text';

const PAGE = 4096n;
const STACK = 0x4000n;
const KASAN_STACK = 0x8000n;

/** An oops or panic that tells of a kernel stack. */
export interface OopsReading {
  readonly kind: 'oops';
  readonly event: OopsEvent;
  /** Release as the oops gives it. */
  readonly release: string | null;
  readonly pid: number | null;
  readonly comm: string | null;
  /** Kind of stack: TASK, IRQ, #DF …; TASK where the version does not say. */
  readonly stackName: string | null;
  /** Lowest address, and the address above the highest byte; null if neither said nor to be concluded. */
  readonly base: VirtAddr | null;
  readonly top: VirtAddr | null;
  /** %p printed hashes: the addresses of the guard-page line say nothing, the registers do. */
  readonly hashed: boolean;
  readonly rip: string | null;
  readonly rsp: VirtAddr | null;
  readonly cr2: VirtAddr | null;
  /** The exception whose handler reported it: #DF if the frame of the #PF could not be pushed. */
  readonly via: '#DF' | '#PF' | null;
  /** Whose access CR2 names. */
  readonly cr2Is: 'push of the exception frame' | 'access of the program' | null;
  /** Guard page that was hit; above only in what 4.9 to 5.15 say. */
  readonly guard: 'below' | 'above' | null;
  readonly died: 'machine' | 'task' | null;
  /** The function of the call trace that occurs most often, if more than once. */
  readonly repeated: { readonly fn: string; readonly times: number } | null;
  readonly trace: readonly string[];
  /** The command that reads the same text. */
  readonly command: string;
  readonly explanation: readonly string[];
}

/**
 * Reads an oops or panic of an x86-64 kernel as to what it says of a stack.
 *
 * @param text a log, with or without time stamps, or a sample
 * @throws UnreadableError for another architecture, and where no line opens an oops
 */
export function readOops(text: string | Sample): OopsReading {
  return oopsOf(logLines(text), readCommand(text));
}

function oopsOf(lines: readonly string[], command: string): OopsReading {
  const arch = foreignOops(lines);
  if (arch !== null) {
    throw new UnreadableError(`expected an oops of an x86-64 kernel, got one of ${arch}`);
  }
  const text = readOopsText(lines);
  if (text === null) {
    throw new UnreadableError(
      'expected an oops from its first line on ("BUG: …", "PANIC: …" or "Kernel panic …"), got only a part without it',
    );
  }
  const hashed = text.printed !== null && !/^(?:0x)?ff/.test(text.printed[0]);
  const stack = stackOf(text, hashed);
  const { rsp, cr2, event } = text;
  const via = event === 'guard-hit' || event === 'double-fault' ? pathOf(text, stack?.base) : null;
  const guard = event === 'guard-hit' ? guardOf(cr2, stack) : null;
  const reading = {
    kind: 'oops' as const,
    event,
    release: text.release,
    pid: text.pid,
    comm: text.comm,
    stackName: event === 'guard-hit' ? (text.stackName ?? 'TASK') : null,
    base: stack?.base ?? null,
    top: stack?.top ?? null,
    hashed,
    rip: text.rip,
    rsp,
    cr2,
    via,
    cr2Is:
      via === null || cr2 === null || rsp === null
        ? null
        : via === '#DF' && isFailedPush(rsp, cr2)
          ? ('push of the exception frame' as const)
          : via === '#PF'
            ? ('access of the program' as const)
            : null,
    guard,
    died: text.panic !== null ? ('machine' as const) : text.taskEnded ? ('task' as const) : null,
    repeated: mostRepeated(text.trace),
    trace: text.trace,
    command,
  };
  return explained({ ...reading, explanation: explain(reading, text) });
}

interface Stack {
  readonly base: VirtAddr;
  readonly top: VirtAddr | null;
}

/** As printed; else what RSP and CR2 allow: the page above a hit below the stack is its base. */
function stackOf(text: OopsText, hashed: boolean): Stack | null {
  const { printed, event, rsp, cr2, stackName, kasan } = text;
  if (printed && !hashed) {
    const [, first, last] = printed.map(parse);
    if (first === null || last === null || last <= first) return null;
    // Up to 5.15 the last byte is printed, since then the address above it.
    return { base: first, top: last & 1n ? last + 1n : last };
  }
  if (event !== 'guard-hit' || cr2 === null || rsp === null) return null;
  const page = cr2 & ~(PAGE - 1n);
  const above = page + PAGE;
  // Stacks of interrupts and exceptions have other sizes, and other alignments.
  if (stackName !== null && stackName !== 'TASK')
    return rsp >= page && rsp < above + STACK ? { base: above, top: null } : null;
  const size = kasan ? KASAN_STACK : STACK;
  if (above % size === 0n && rsp >= page && rsp <= above + size)
    return { base: above, top: above + size };
  if (page % size === 0n && rsp < page && rsp >= page - size)
    return { base: page - size, top: page };
  return null;
}

function parse(text: string): VirtAddr | null {
  const digits = text.replace(/^0x/, '');
  return /^[0-9a-f]{1,16}$/i.test(digits) ? BigInt(`0x${digits}`) : null;
}

/** #DF or #PF: as 4.9 to 5.15 say; else whether the frame had room. */
function pathOf(text: OopsText, base: VirtAddr | undefined): '#DF' | '#PF' | null {
  if (text.event === 'double-fault' || /double-fault/.test(text.died ?? '')) return '#DF';
  if (/page fault/.test(text.died ?? '')) return '#PF';
  const { rsp, cr2 } = text;
  if (rsp === null) return null;
  if (base !== undefined) return failingPush(rsp, base) === null ? '#PF' : '#DF';
  return cr2 === null ? null : isFailedPush(rsp, cr2) ? '#DF' : '#PF';
}

function guardOf(cr2: VirtAddr | null, stack: Stack | null): OopsReading['guard'] {
  if (cr2 === null || stack === null) return null;
  if (cr2 < stack.base && cr2 >= stack.base - PAGE) return 'below';
  return stack.top !== null && cr2 >= stack.top && cr2 < stack.top + PAGE ? 'above' : null;
}

function mostRepeated(trace: readonly string[]): OopsReading['repeated'] {
  const counts = new Map<string, number>();
  for (const fn of trace) counts.set(fn, (counts.get(fn) ?? 0) + 1);
  const [fn, times] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? ['', 0];
  return times > 1 ? { fn, times } : null;
}

type Facts = Omit<OopsReading, 'explanation'>;

function explain(facts: Facts, text: OopsText): string[] {
  const who = facts.comm === null ? '' : `, task ${facts.comm}[${facts.pid ?? 0}]`;
  const lines = [
    `${WHAT[facts.event]} (${facts.release === null ? 'kernel not named' : `kernel ${facts.release}`}${who}).`,
    ...(text.oopses > 1
      ? [`The text holds ${text.oopses} oopses; this is the first that tells of a stack.`]
      : []),
    ...stackLines(facts),
    ...pathLines(facts),
  ];
  if (facts.event === 'stack-protector') {
    lines.push(
      `A function's canary had changed when it returned: ${text.line.replace(/^.*corrupted in: /, '')}. The damage was done inside a stack, by this one's code or another's; no guard page sees that.`,
    );
  }
  if (facts.event === 'stack-end' || facts.event === 'stack-overran') {
    lines.push(
      'The word at the end of the stack (57ac6e9d) had been overwritten. That was found afterwards: what else was overwritten below it is not said.',
    );
  }
  if (facts.repeated) {
    const { fn, times } = facts.repeated;
    lines.push(
      times > 3
        ? `The call trace is a recursion: ${fn}() occurs ${times} times in ${facts.trace.length} frames.`
        : `${fn}() occurs ${times} times in a call trace of ${facts.trace.length} frames.`,
    );
  } else if (facts.trace.length > 0) {
    lines.push(
      `The call trace has ${facts.trace.length} frames and no function twice, innermost ${facts.trace[0]}().`,
    );
  }
  return [...lines, deathLine(facts, text)];
}

const WHAT: Readonly<Record<OopsEvent, string>> = {
  'guard-hit': 'A stack guard page was hit',
  'double-fault': 'A double fault outside any guard page that the kernel knows',
  'stack-end': 'The scheduler found the end of a stack overwritten',
  'stack-overran': 'A page fault, and the end of the stack was found overwritten',
  'stack-protector': 'The stack protector found a changed canary',
  'page-fault': 'A page fault in the kernel that is no guard hit',
  other: 'An oops that says nothing of a stack',
};

function stackLines({ hashed, base, top, stackName, event }: Facts): string[] {
  const lines: string[] = [];
  if (hashed) {
    lines.push(
      'The addresses in its first line are hashes (%p), so only the registers are read; no_hash_pointers on the kernel command line would print them.',
    );
  }
  if (base !== null && top === null) {
    lines.push(`Stack (${stackName}): from ${hex(base)} up, concluded from CR2.`);
  }
  if (base !== null && top !== null) {
    const found = hashed || event !== 'guard-hit' ? ', concluded from RSP and CR2' : '';
    lines.push(
      `Stack${stackName ? ` (${stackName})` : ''}: ${hex(base)} to ${hex(top)}, ${(top - base) / 1024n} KB${found}.`,
    );
  }
  return lines;
}

/** `152 bytes below the base`. */
export function fromBase(at: VirtAddr, base: VirtAddr): string {
  if (at === base) return 'at the base';
  return at < base ? `${base - at} bytes below the base` : `${at - base} bytes above the base`;
}

function pathLines({ event, via, rsp, cr2, base, cr2Is, guard }: Facts): string[] {
  if (event === 'page-fault') {
    return rsp === null || cr2 === null
      ? []
      : [`RSP ${hex(rsp)}, CR2 ${hex(cr2)}: ${distance(rsp, cr2)}`];
  }
  if (via === null) {
    return event === 'guard-hit'
      ? ['RSP and CR2 are missing from the text: whether it came as #PF or #DF can’t be told.']
      : [];
  }
  const lines: string[] = [];
  const where = rsp === null || base === null ? '' : `, ${fromBase(rsp, base)}`;
  if (via === '#DF') {
    lines.push(
      rsp === null
        ? 'It came as a double fault (#DF).'
        : `RSP was ${hex(rsp)}${where}: the page fault's frame of six words had no room there, so it became a double fault (#DF), which has a stack of its own.`,
    );
    if (cr2Is !== null && cr2 !== null) {
      lines.push(
        `CR2 is ${hex(cr2)}: the word of that frame which could not be pushed, not the program's own access.`,
      );
    } else if (cr2 !== null) {
      lines.push(
        `CR2 is ${hex(cr2)}, which is no word of that frame: it is left over from an earlier fault, or the frame failed for another reason.`,
      );
    }
  } else {
    lines.push(
      `RSP was ${rsp === null ? 'not printed' : `${hex(rsp)}${where}`}: there was room for the page fault's frame, so it came as #PF, and CR2${cr2 === null ? '' : ` ${hex(cr2)}`} is the program's own access.`,
    );
    if (guard === 'above')
      lines.push(
        'That is the page above the stack, which only 4.9 to 5.15 call a guard hit: something ran off the top.',
      );
  }
  return lines;
}

function distance(rsp: VirtAddr, cr2: VirtAddr): string {
  const apart = rsp - cr2;
  if (apart > 0n && apart < 0x10000n)
    return `the access lay ${apart} bytes below RSP, so it may be a stack's: with VMAP_STACK the page above a stack and what lies below its guard page are reported like this.`;
  if (apart <= 0n && apart > -0x10000n)
    return `the access lay ${-apart} bytes above RSP, so it may have run off the top of the stack.`;
  return 'the access lay nowhere near RSP: no sign of a stack.';
}

function deathLine({ died, via, release }: Facts, { panic }: OopsText): string {
  const version = /^(\d+\.\d+)/.exec(release ?? '')?.[1];
  if (died === 'machine') {
    const why =
      via === '#DF' &&
      panic === 'Fatal exception in interrupt' &&
      (version === undefined || isNmi(version))
        ? ' Since 5.8 the #DF handler runs like an NMI, and an oops in interrupt context panics.'
        : '';
    return `Who died: the machine. "Kernel panic - not syncing: ${panic}".${why}`;
  }
  if (died === 'task') return 'Who died: the task; the machine went on.';
  const expected = version === undefined || via === null ? null : expectation(version, via);
  return `Who died: the text ends before it says so${expected === null ? '' : `; ${expected}`}.`;
}

function expectation(version: string, via: '#DF' | '#PF'): string | null {
  const nmi = isNmi(version);
  if (nmi === null) return null;
  return via === '#DF' && nmi
    ? `a ${version} panics in this case`
    : `a ${version} kills the task in this case, unless panic_on_oops is set or an interrupt was being handled`;
}

/** Whether the #DF handler of a version runs like an NMI; null for versions that the library does not know. */
function isNmi(version: string): boolean | null {
  try {
    return featuresOf(version).features.doubleFaultIsNmi;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
