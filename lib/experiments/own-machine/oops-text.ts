import type { VirtAddr } from '../../x86/addr';

/** What an oops says by itself, before anything is concluded from it. */
export interface OopsText {
  readonly event: OopsEvent;
  /** The line that tells of it. */
  readonly line: string;
  /** Stack as the guard-page line names it: TASK, IRQ, #DF …; null before 5.16, which do not. */
  readonly stackName: string | null;
  /** The three addresses of the guard-page line as printed: hit, first and last of the stack. */
  readonly printed: readonly [hit: string, first: string, last: string] | null;
  /** What die() said: `stack guard page`, `kernel stack overflow (double-fault)` … */
  readonly died: string | null;
  /** The line with [#1] says that KASAN is built in, which doubles the stacks. */
  readonly kasan: boolean;
  readonly rip: string | null;
  readonly rsp: VirtAddr | null;
  readonly cr2: VirtAddr | null;
  readonly comm: string | null;
  readonly pid: number | null;
  /** Release as uname -r has it. */
  readonly release: string | null;
  /** Functions of the call trace, innermost first; those marked `?` left out. */
  readonly trace: readonly string[];
  readonly panic: string | null;
  /** The kernel said that the task ended, or the log goes on after the oops without a panic. */
  readonly taskEnded: boolean;
  /** How many oopses and panics the text holds. */
  readonly oopses: number;
}

export type OopsEvent =
  | 'guard-hit'
  | 'double-fault'
  | 'stack-end'
  | 'stack-overran'
  | 'stack-protector'
  | 'page-fault'
  | 'other';

/** The lines that open a report, those about stacks first: the first that is found is read. */
const EVENTS: readonly (readonly [event: OopsEvent, line: RegExp])[] = [
  [
    'guard-hit',
    /BUG: (?:(\S+) )?stack guard page was hit at (\S+) \(stack is (\S+?)\.\.([^)\s]+)\)/,
  ],
  ['guard-hit', /stack guard page: 0000 \[#|kernel stack overflow \((?:double-fault|page fault)\)/],
  ['double-fault', /PANIC: double fault|\bdouble fault: 0000 \[#/],
  ['stack-end', /corrupted stack end detected inside scheduler/],
  ['stack-overran', /Thread overran stack, or stack corrupted/],
  ['stack-protector', /stack-protector: Kernel stack is corrupted in: (.+)/],
  ['page-fault', /BUG: (?:unable to handle|kernel NULL pointer)/],
  ['other', /: [0-9a-f]{4} \[#\d+\]|^Kernel panic - not syncing: |^Oops: /],
];

/** What only other architectures print. */
const FOREIGN: readonly (readonly [arch: string, line: RegExp])[] = [
  ['arm64', /^pc : |^lr : \S+\+0x|Insufficient stack space to handle exception|^pstate: /],
  ['riscv', /^epc : .* ra : /],
  ['s390', /^Krnl PSW/],
  ['powerpc', /^NIP: +[0-9a-f]{16} LR: /],
  ['arm', /^(?:PC|LR) is at /],
  ['32-bit x86', /^EIP: |^EAX: [0-9a-f]{8} /],
];

/** The architecture that the lines betray if it is not x86-64; null otherwise. */
export function foreignOops(lines: readonly string[]): string | null {
  for (const [arch, pattern] of FOREIGN) if (lines.some((line) => pattern.test(line))) return arch;
  return null;
}

/** Whether a line can only come from an oops or panic. */
export function isOopsLine(line: string): boolean {
  return (
    EVENTS.some(([, pattern]) => pattern.test(line)) ||
    /^(?:RIP: [0-9a-f]{4}:|RSP: [0-9a-f]{4}:|CR2: [0-9a-f]{16}|Call Trace:|---\[ end )/.test(line)
  );
}

/** Takes an oops apart; null if no line opens one. */
export function readOopsText(given: readonly string[]): OopsText | null {
  const lines = unfolded(given);
  for (const [event, pattern] of EVENTS) {
    const at = lines.findIndex((line) => pattern.test(line));
    if (at < 0) continue;
    const line = lines[at];
    const match = pattern.exec(line)!;
    const isGuardLine = event === 'guard-hit' && match[2] !== undefined;
    const after = lines.slice(at);
    const whole = [...lines.slice(Math.max(0, at - 4), at), ...after];
    const who = firstOf(whole, /PID: (\d+) Comm: (.+?) +(?:Not tainted|Tainted:|Kdump:)/);
    const old = firstOf(whole, /^Pid: (\d+), comm: (.+?) +(?:Not tainted|Tainted:)/);
    const panic = firstOf(after, /^Kernel panic - not syncing: (.*?)\s*$/);
    return {
      event,
      line,
      stackName: isGuardLine ? (match[1] ?? null) : null,
      printed: isGuardLine ? [match[2], match[3], match[4]] : null,
      died: firstOf(after, /^(?:Oops: )?(.+): [0-9a-f]{4} \[#\d+\]/)?.[1] ?? null,
      kasan: firstOf(after, /: [0-9a-f]{4} \[#\d+\].*\bKASAN\b/) !== null,
      rip: rip(after),
      rsp: address(firstOf(after, /RSP: [0-9a-f]{4}:([0-9a-f]{16})/)),
      cr2: address(firstOf(after, /\bCR2: ([0-9a-f]{16})/)),
      comm: who?.[2] ?? old?.[2] ?? null,
      pid: Number(who?.[1] ?? old?.[1] ?? NaN) || null,
      release: release(whole),
      trace: callTrace(after),
      panic: panic?.[1] ?? null,
      taskEnded: panic === null && taskEnded(after),
      oopses: lines.filter((one) => /: [0-9a-f]{4} \[#\d+\]/.test(one)).length || 1,
    };
  }
  return null;
}

/** Mails break long lines: the addresses of a guard hit may stand on the next one. */
function unfolded(lines: readonly string[]): string[] {
  const joined: string[] = [];
  for (const line of lines) {
    const last = joined[joined.length - 1] ?? '';
    if (/guard page was hit at \S+\s*\\?$/.test(last) && /^\s*\(stack is /.test(line))
      joined[joined.length - 1] = `${last.replace(/\s*\\?$/, '')} ${line.trim()}`;
    else joined.push(line);
  }
  return joined;
}

const RIP = /^RIP: [0-9a-f]{4}:(?:\[<[0-9a-f]+>\]\s+\[<[0-9a-f]+>\] )?(\S+)/;

/** Decoded traces name inlined functions first: the last of the lines is the function itself. */
function rip(lines: readonly string[]): string | null {
  let at = lines.findIndex((line) => RIP.test(line));
  if (at < 0) return null;
  while (/\[inline\]$/.test(lines[at]) && RIP.test(lines[at + 1] ?? '')) at++;
  return RIP.exec(lines[at])![1];
}

function firstOf(lines: readonly string[], pattern: RegExp): RegExpExecArray | null {
  for (const line of lines) {
    const match = pattern.exec(line);
    if (match) return match;
  }
  return null;
}

function address(match: RegExpExecArray | null): VirtAddr | null {
  return match && BigInt(`0x${match[1]}`);
}

function release(lines: readonly string[]): string | null {
  const taint = /(?:Not tainted|Tainted: [A-Z ]+?) +(\d+\.\d+\S*) #/;
  return firstOf(lines, taint)?.[1] ?? firstOf(lines, /^Linux version (\d+\.\d+\S*)/)?.[1] ?? null;
}

const FRAME = /^\s*(\? )?(?:\[<[0-9a-f]+>\] )?(\? )?([\w.$]+)\+0x[0-9a-f]+\/0x[0-9a-f]+/;
/** Some recordings fold lines that repeat. */
const FOLDED = /^\s*\.\.\. \(previous line repeated (\d+) more times\)/;
const MOST_FOLDED = 100_000;

function callTrace(lines: readonly string[]): string[] {
  const start = lines.findIndex((line) => /^\s*Call Trace:/.test(line));
  if (start < 0) return [];
  const functions: string[] = [];
  for (const line of lines.slice(start)) {
    if (/^\s*(?:Modules linked in|Code:|---\[|Kernel Offset)/.test(line)) break;
    const frame = FRAME.exec(line);
    const folded = FOLDED.exec(line);
    if (frame && !frame[1] && !frame[2]) functions.push(frame[3]);
    else if (folded && functions.length > 0) {
      const last = functions[functions.length - 1];
      for (let i = Math.min(Number(folded[1]), MOST_FOLDED); i > 0; i--) functions.push(last);
    }
  }
  return functions;
}

/** `note: … exited`, or something that is no part of the report comes after its end. */
function taskEnded(lines: readonly string[]): boolean {
  if (lines.some((line) => /^note: .+\[\d+\] exited|Fixing recursive fault/.test(line)))
    return true;
  const end = lines.findIndex((line) => /^---\[ end trace/.test(line));
  const register = /^(?:R[A-Z0-9]{2}|FS|CS|CR2|PKRU|DR\d|Code): |^\s*$/;
  return end >= 0 && lines.slice(end + 1).some((line) => !register.test(line));
}
