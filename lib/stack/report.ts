import type { VirtAddr } from '../x86/addr';
import type { PageClass } from '../mm/page-info';

export type Outcome = 'none' | 'immediate' | 'delayed' | 'silent';
export type Phase = 'immediate' | 'activity' | 'wake' | 'final';
export type Detector =
  | 'guard-page'
  | 'double-fault'
  | 'triple-fault'
  | 'page-fault'
  | 'general-protection'
  | 'stack-end-check'
  | 'stack-protector'
  | 'kasan'
  | 'bad-pagetable'
  | 'kernel-warning'
  | 'kernel-assertion'
  | 'reader';

/** Pages of one class that the overrun wrote to. */
export interface Victim {
  readonly class: PageClass;
  readonly pages: number;
  /** Bytes that differ from what they were. */
  readonly bytesChanged: number;
}

/** What the overrun did to the bottom of its own stack. */
export interface OwnDamage {
  readonly endMagic: boolean;
  /** Fields of the on-stack thread_info that changed; empty where thread_info lies in task_struct. */
  readonly threadInfo: readonly string[];
  /** The lowest page of the stack, as it was and just after the overrun. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** The page just below a stack, before and after. */
export interface Neighbour {
  /** Null where no page is mapped below the stack. */
  readonly class: PageClass | null;
  readonly address: VirtAddr;
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
}

const FIRST_SYMPTOM: readonly (readonly [RegExp, Detector])[] = [
  [/^BUG: KAS[Aa][Nn]:/, 'kasan'],
  [/stack guard page was hit/, 'guard-page'],
  [/PANIC: double fault|^double fault:/, 'double-fault'],
  [/corrupted stack end detected|^kernel BUG at kernel\/sched\/core/, 'stack-end-check'],
  [/stack-protector:/, 'stack-protector'],
  [/Bad pagetable/, 'bad-pagetable'],
  [/unable to handle|NULL pointer dereference/, 'page-fault'],
  [/general protection fault|stack segment/, 'general-protection'],
  [/^WARNING:|scheduling while atomic/, 'kernel-warning'],
  [/^Kernel panic|kernel BUG at|invalid opcode/, 'kernel-assertion'],
  [/CORRUPT|Bad address/, 'reader'],
];

/** The first line of `lines` that says something is wrong, and who said it. */
export function firstSymptom(
  lines: readonly string[],
): { detector: Detector; line: string } | null {
  for (const line of lines) {
    const match = FIRST_SYMPTOM.find(([pattern]) => pattern.test(line));
    if (match) return { detector: match[1], line };
  }
  return null;
}

/** Sixteen bytes a line with their address, lines equal to the one before folded to `*`. */
export function hexdump(bytes: Uint8Array, address: VirtAddr): string {
  const lines: string[] = [];
  let previous = '';
  for (let i = 0; i < bytes.length; i += 16) {
    const row = Array.from(bytes.subarray(i, i + 16), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join(' ');
    if (row === previous) {
      if (lines[lines.length - 1] !== '*') lines.push('*');
    } else {
      lines.push(`${(address + BigInt(i)).toString(16).padStart(16, '0')}  ${row}`);
    }
    previous = row;
  }
  return lines.join('\n');
}
