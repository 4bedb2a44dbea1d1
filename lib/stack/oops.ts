import type { VirtAddr } from '../x86/addr';
import type { Machine } from './machine';
import { currentTask, currentTaskStruct } from './task';
import { TASK } from './task-struct';

/** The registers of the interrupted code, as the entry code saved them (struct pt_regs). */
export type Regs = Readonly<Record<RegName, bigint>>;

/** struct pt_regs from its lowest word on: 21 words, 168 bytes. */
export const PT_REGS = [
  'r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx', 'rsi', 'rdi',
  'errorCode', 'rip', 'cs', 'eflags', 'rsp', 'ss',
] as const; // prettier-ignore
export type RegName = (typeof PT_REGS)[number];

const h = (value: bigint, digits = 16) => value.toString(16).padStart(digits, '0');

/** `CPU: 0 PID: 85 Comm: kstk/0 Not tainted 6.1 #1` */
export function cpuLine(m: Machine): string {
  const task = currentTask(m);
  return `CPU: 0 PID: ${task?.pid ?? 0} Comm: ${task?.comm ?? '?'} Not tainted ${m.config.version} #1`;
}

/** Where it happened: RIP, RSP, the registers, the control registers. Machine code is not modelled, so no `Code:`. */
export function registerDump(m: Machine, regs: Regs): string[] {
  const where = m.text.symbolize(regs.rip);
  const rip = m.config.oops.rawAddresses
    ? `[<${h(regs.rip)}>]  [<${h(regs.rip)}>] ${where}`
    : where;
  const flags = m.config.oops.rawAddresses ? ' ' : '';
  const { cpu } = m;
  return [
    `RIP: ${h(regs.cs, 4)}:${rip}`,
    `RSP: ${h(regs.ss, 4)}:${h(regs.rsp)} ${flags}EFLAGS: ${h(regs.eflags, 8)}`,
    `RAX: ${h(regs.rax)} RBX: ${h(regs.rbx)} RCX: ${h(regs.rcx)}`,
    `RDX: ${h(regs.rdx)} RSI: ${h(regs.rsi)} RDI: ${h(regs.rdi)}`,
    `RBP: ${h(regs.rbp)} R08: ${h(regs.r8)} R09: ${h(regs.r9)}`,
    `R10: ${h(regs.r10)} R11: ${h(regs.r11)} R12: ${h(regs.r12)}`,
    `R13: ${h(regs.r13)} R14: ${h(regs.r14)} R15: ${h(regs.r15)}`,
    `FS:  ${h(0n)}(0000) GS:${h(m.perCpu)}(0000) knlGS:${h(0n)}`,
    `CS:  ${h(regs.cs, 4)} DS: 0000 ES: 0000 CR0: ${h(cpu.cr0)}`,
    `CR2: ${h(cpu.cr2)} CR3: ${h(cpu.cr3)} CR4: ${h(cpu.cr4)}`,
  ];
}

/**
 * The words of the stack from `rsp` up that point into the kernel's text, newest first; runs of one line
 * folded as the recordings fold them. Nothing if the current task's stack does not hold `rsp`, unless
 * `rsp` has only run off its low end.
 */
export function callTrace(m: Machine, rsp: VirtAddr): string[] {
  const lines = ['Call Trace:'];
  const task = currentTask(m);
  if (!task) return lines;
  const top = task.stack + BigInt(m.config.THREAD_SIZE);
  const lowest = rsp < task.stack ? task.stack : rsp & ~7n;
  if (rsp >= top || task.stack - lowest > 0n) return lines;
  if (!m.config.oops.rawAddresses) lines.push(' <TASK>');
  let [previous, repeated] = ['', 0];
  const flush = () => {
    if (repeated > 0) lines.push(`    ... (previous line repeated ${repeated} more times)`);
    repeated = 0;
  };
  for (let slot = lowest; slot < top; slot += 8n) {
    const word = m.peek64(slot);
    if (word === null || !m.text.find(word)) continue;
    const place = m.text.symbolize(word);
    const line = m.config.oops.rawAddresses ? ` [<${h(word)}>] ${place}` : ` ${place}`;
    if (line === previous) {
      repeated++;
      continue;
    }
    flush();
    lines.push(line);
    previous = line;
  }
  flush();
  if (!m.config.oops.rawAddresses) lines.push(' </TASK>');
  return lines;
}

/** `BUG: unable to handle page fault for address: …` and what the kernel explains of it. */
export function pageFaultLines(m: Machine, address: VirtAddr, errorCode: number): string[] {
  const { oops } = m.config;
  const isNull = address < 4096n;
  if (!oops.explainsErrorCode) {
    const what = isNull ? 'unable to handle kernel NULL pointer dereference at' : oops.pageFault;
    return [`BUG: ${what} ${h(address)}`];
  }
  const head = isNull ? 'kernel NULL pointer dereference, address:' : oops.pageFault;
  const access =
    errorCode & 16 ? 'instruction fetch' : errorCode & 2 ? 'write access' : 'read access';
  const why =
    errorCode & 8
      ? 'reserved bit violation'
      : errorCode & 1
        ? 'permissions violation'
        : 'not-present page';
  return [
    `BUG: ${head} ${h(address)}`,
    `#PF: supervisor ${access} in kernel mode`,
    `#PF: error_code(0x${h(BigInt(errorCode), 4)}) - ${why}`,
    tableEntries(m, address),
  ];
}

/** `PGD 4800067 P4D 4800067 PUD 49b1067 PMD 5f9d067 PTE 0`: the entries on the way down. */
function tableEntries(m: Machine, address: VirtAddr): string {
  const names =
    m.layout.levels === 5 ? ['PGD', 'P4D', 'PUD', 'PMD', 'PTE'] : ['PGD', 'PUD', 'PMD', 'PTE'];
  const parts: string[] = [];
  m.walk(address).entries.forEach(({ raw }, i) => {
    parts.push(`${names[i]} ${raw.toString(16)}`);
    // A folded p4d prints the pgd entry again.
    if (i === 0 && m.layout.levels === 4) parts.push(`P4D ${raw.toString(16)}`);
  });
  return parts.join(' ');
}

/** Where the kernel believes the current stack begins: task->stack, read from the task_struct. */
export function taskStackPage(m: Machine): VirtAddr {
  return m.load64(currentTaskStruct(m) + TASK.STACK);
}
