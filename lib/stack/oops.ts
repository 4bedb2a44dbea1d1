import type { VirtAddr } from '../x86/addr';
import { bugLines } from './bug';
import { callTrace, stackWords } from './call-trace';
import type { KernelConfig } from './config';
import type { Machine } from './machine';
import { codeAddress } from './page-fault-text';
import { allRegisterLines, type Regs } from './registers-text';
import { currentTask } from './task';

export { PT_REGS, type RegName, type Regs } from './registers-text';

const h = (value: bigint) => value.toString(16).padStart(16, '0');

/**
 * Why the kernel is tainted: place, letter and name of each reason. B is KASAN's, after any report since 4.4
 * ("kasan: always taint kernel on report"); W that of WARN_ONCE() in DEBUG_STACKOVERFLOW. Each is set after
 * its report. The module of the probe, O in the recordings, is left out.
 */
function taints(m: Machine): (readonly [place: number, letter: string, name: string])[] {
  const byKasan = m.kasanReported && m.config.oops.kasanHeader !== 'KASan, address';
  return [
    ...(byKasan ? [[5, 'B', 'BAD_PAGE'] as const] : []),
    ...(m.oopses > 0 ? [[7, 'D', 'DIE'] as const] : []),
    ...(m.irq.warned ? [[9, 'W', 'WARN'] as const] : []),
  ];
}

/** print_tainted(): `Tainted: G      D           `, each letter in its place. */
function tainted(m: Machine): string {
  const reasons = taints(m);
  if (reasons.length === 0) return 'Not tainted';
  const flags = new Array<string>(m.config.oops.taintFlags).fill(' ');
  flags[0] = 'G';
  for (const [place, letter] of reasons) flags[place] = letter;
  return `Tainted: ${flags.join('')}`;
}

/** What `[#1]` is followed by: KASAN between DEBUG_PAGEALLOC and PTI, as a log of 5.5 has it; since 4.0. */
function builtHow({ oops, SMP, KASAN }: KernelConfig): string {
  const flags = SMP ? oops.dieFlags : '';
  return KASAN ? flags.replace(/( NOPTI)?$/, ' KASAN$1') : flags;
}

/** Who is running: `CPU: 0 PID: 85 Comm: kstk/0 Not tainted 6.1 #1`, in the version's order. */
export function taskLines(m: Machine): string[] {
  const task = currentTask(m);
  const [pid, comm] = [task?.pid ?? 0, task?.comm ?? '?'];
  const kernel = `${tainted(m)} ${m.config.version} #1`;
  switch (m.config.oops.taskLine) {
    case 'Pid':
      return [`Pid: ${pid}, comm: ${comm} ${kernel}`];
    case 'CPU PID':
      return [`CPU: 0 PID: ${pid} Comm: ${comm} ${kernel}`];
    default: {
      // preempt_model_str(); NONE in a log of a 6.17.
      const model = m.config.SMP ? ' PREEMPT(voluntary)' : ' NONE';
      const preempt = m.config.oops.dieFlags.includes('PREEMPT') ? '' : model;
      const line = `CPU: 0 UID: 0 PID: ${pid} Comm: ${comm} ${kernel}${preempt}`;
      const names = taints(m).map(([, letter, name]) => `[${letter}]=${name}`);
      return names.length > 0 ? [line, `Tainted: ${names.join(', ')}`] : [line];
    }
  }
}

/** Addresses of task_struct and stack, as versions before 4.17 give them: with %p, hashed since 4.15. */
function taskPointers(m: Machine): string[] {
  const task = currentTask(m);
  const pointer = (address: bigint) => pointerText(m, address).padStart(16, '0');
  const [struct, stack] = [pointer(task?.taskStruct ?? 0n), pointer(task?.stack ?? 0n)];
  switch (m.config.oops.taskPointers) {
    case 'ti':
      return [`task: ${struct} ti: ${stack} task.ti: ${stack}`];
    case 'stack':
      return [`task: ${struct} task.stack: ${stack}`];
    default:
      return [];
  }
}

/** print_modules() */
export function modulesLine(m: Machine): string {
  return `Modules linked in: ${m.text.modules.join(' ')}`;
}

/** show_regs(): task, registers, the stack's words where the version dumps them, call trace. */
export function showRegs(m: Machine, regs: Regs): string[] {
  const { oops } = m.config;
  const task = currentTask(m);
  const process =
    oops.taskPointers === 'process' && task
      ? [
          `Process ${task.comm} (pid: ${task.pid}, threadinfo ${h(task.stack)}, task ${h(task.taskStruct)})`,
        ]
      : [];
  return [
    ...(oops.taskLine === 'Pid' ? ['CPU 0 '] : []),
    ...(oops.modules === 'inside' ? [modulesLine(m)] : []),
    ...taskLines(m),
    ...taskPointers(m),
    ...allRegisterLines(m, regs),
    ...process,
    ...(oops.rawAddresses ? ['Stack:', ...stackWords(m, regs.rsp)] : []),
    ...callTrace(m, regs),
  ];
}

/**
 * __die() and oops_end()'s text: `what: 0002 [#1] …`, registers, call trace, modules, and the executive
 * summary. The id in `---[ end trace` was random in older versions; here it is 0.
 */
export function oopsLines(
  m: Machine,
  what: string,
  regs: Regs,
  code: number,
  address: VirtAddr | null,
): string[] {
  const { oops } = m.config;
  const number = m.oopses + 1;
  const summary =
    oops.summary === 'raw'
      ? [`RIP  ${codeAddress(m, regs.rip)}`, ` RSP <${h(regs.rsp)}>`]
      : oops.summary === 'line'
        ? [`RIP: ${m.text.symbolize(regs.rip)} RSP: ${h(regs.rsp)}`]
        : [];
  return [
    ...(what === 'invalid opcode' ? bugLines(m, regs.rip) : []),
    `${oops.diePrefix}${what}: ${code.toString(16).padStart(4, '0')} [#${number}]${builtHow(m.config)}`,
    ...(oops.modules === 'before' ? [modulesLine(m)] : []),
    ...showRegs(m, regs),
    ...(oops.modules === 'after' ? [modulesLine(m)] : []),
    ...summary,
    ...(address === null ? [] : [`CR2: ${h(address)}`]),
    `---[ end trace ${h(0n)} ]---`,
    ...(oops.summary === 'registers' ? allRegisterLines(m, regs) : []),
  ];
}

/**
 * %p: the address, or where pointers are hashed 32 bits that say only whether two are the same. The kernel's
 * hash is SipHash with a key of the boot; here it is another mix, keyed by the seed.
 */
export function pointerText(m: Machine, address: VirtAddr): string {
  if (!m.config.hashPointers) return address.toString(16);
  let hash = BigInt.asUintN(64, address ^ (BigInt(m.random.seed) * 0x9e3779b97f4a7c15n));
  for (const shift of [33n, 29n, 32n]) {
    hash = BigInt.asUintN(64, (hash ^ (hash >> shift)) * 0xff51afd7ed558ccdn);
  }
  return h(hash >> 32n);
}
