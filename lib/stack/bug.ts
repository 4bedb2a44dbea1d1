import type { VirtAddr } from '../x86/addr';
import { makeFault, VECTOR_UD } from '../x86/fault';
import type { Machine } from './machine';

/** Where a function has its BUG(), and in which file: its entry in the bug table. */
interface BugEntry {
  readonly fn: string;
  readonly offset: bigint;
  readonly file: string;
}

/** schedule_debug(), inlined: SCHED_STACK_END_CHECK before 29d6455178a0. */
export const STACK_END_BUG: BugEntry = {
  fn: '__schedule',
  offset: 0x9f1n,
  file: 'kernel/sched/core.c',
};

const BUG_TABLE: readonly BugEntry[] = [STACK_END_BUG];

const addressOf = (m: Machine, { fn, offset }: BugEntry) => m.text.named(fn).address + offset;

/** BUG(): the instruction that there is none of, at the place of `entry`. Leaves the code that runs. */
export function bug(m: Machine, entry: BugEntry): never {
  m.cpu.rip = addressOf(m, entry);
  m.raiseAndLeave(makeFault(VECTOR_UD, 'instruction', { access: 'execute' }));
}

/** report_bug(): what is said of a #UD whose address is in the bug table. The line number is left out. */
export function bugLines(m: Machine, rip: VirtAddr): string[] {
  const entry = BUG_TABLE.find((one) => addressOf(m, one) === rip);
  return entry ? ['------------[ cut here ]------------', `kernel BUG at ${entry.file}!`] : [];
}
