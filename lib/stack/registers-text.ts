import type { VirtAddr } from '../x86/addr';
import type { Machine } from './machine';

/** struct pt_regs from its lowest word on: 21 words, 168 bytes. */
export const PT_REGS = [
  'r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx', 'rsi', 'rdi',
  'errorCode', 'rip', 'cs', 'eflags', 'rsp', 'ss',
] as const; // prettier-ignore
export type RegName = (typeof PT_REGS)[number];

/** The registers of the interrupted code, as the entry code saved them (struct pt_regs). */
export type Regs = Readonly<Record<RegName, bigint>>;

const h = (value: bigint, digits = 16) => value.toString(16).padStart(digits, '0');
/** What the word holds for an exception, once its error code has been taken out; an interrupt's vector else. */
const NO_SYSCALL = 2n ** 64n - 1n;

/** The struct pt_regs at `at`; a word that is not mapped reads as 0. */
export function readRegs(m: Machine, at: VirtAddr): Regs {
  const entries = PT_REGS.map((name, i) => [name, m.peek64(at + BigInt(8 * i)) ?? 0n]);
  return Object.fromEntries(entries) as Regs;
}

/** RIP, RSP and the general registers: what a call trace shows where an exception or interrupt came in. */
export function shortRegisterLines(m: Machine, regs: Regs): string[] {
  const vector = regs.errorCode >= NO_SYSCALL - 0xffn && regs.errorCode < NO_SYSCALL;
  const orig = vector ? ` ORIG_RAX: ${h(regs.errorCode)}` : '';
  const [rip, rsp, ...rest] = registerLines(m, regs);
  return [rip, rsp + orig, ...rest];
}

function registerLines(m: Machine, regs: Regs): string[] {
  const where = m.text.symbolize(regs.rip);
  const { rawAddresses } = m.config.oops;
  const rip = rawAddresses ? `[<${h(regs.rip)}>]  [<${h(regs.rip)}>] ${where}` : where;
  return [
    `RIP: ${h(regs.cs, 4)}:${rip}`,
    `RSP: ${h(regs.ss, 4)}:${h(regs.rsp)}${rawAddresses ? ' ' : ''} EFLAGS: ${h(regs.eflags, 8)}`,
    `RAX: ${h(regs.rax)} RBX: ${h(regs.rbx)} RCX: ${h(regs.rcx)}`,
    `RDX: ${h(regs.rdx)} RSI: ${h(regs.rsi)} RDI: ${h(regs.rdi)}`,
    `RBP: ${h(regs.rbp)} R08: ${h(regs.r8)} R09: ${h(regs.r9)}`,
    `R10: ${h(regs.r10)} R11: ${h(regs.r11)} R12: ${h(regs.r12)}`,
    `R13: ${h(regs.r13)} R14: ${h(regs.r14)} R15: ${h(regs.r15)}`,
  ];
}

/**
 * __show_regs(): the registers of the interrupted code and the control registers of this moment. Machine
 * code is not modelled, so there is no `Code:`; nor are the segments' bases but GS, and PKRU.
 */
export function allRegisterLines(m: Machine, regs: Regs): string[] {
  const { cpu } = m;
  const lines = [
    ...registerLines(m, regs),
    `FS:  ${h(0n)}(0000) GS:${h(m.perCpu)}(0000) knlGS:${h(0n)}`,
    `CS:  ${h(regs.cs, 4)} DS: 0000 ES: 0000 CR0: ${h(cpu.cr0)}`,
    `CR2: ${h(cpu.cr2)} CR3: ${h(cpu.cr3)} CR4: ${h(cpu.cr4)}`,
  ];
  if (!m.config.oops.debugRegisters) return lines;
  return [
    ...lines,
    `DR0: ${h(0n)} DR1: ${h(0n)} DR2: ${h(0n)}`,
    `DR3: ${h(0n)} DR6: ${h(0xffff0ff0n)} DR7: ${h(0x400n)}`,
  ];
}
