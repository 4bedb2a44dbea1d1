import type { VirtAddr } from '../x86/addr';
import { callTrace, stackWords } from './call-trace';
import type { FrameRule, KernelFunction } from './kernel-text';
import type { Machine } from './machine';
import { pointerText, taskLines } from './oops';

/** Registers that panic() and dump_stack() are taken to save: their frames are not those of any one build. */
const PANIC_SAVES = ['rbp', 'r12', 'rbx'] as const;
const DUMP_STACK_SAVES = ['rbp', 'rbx'] as const;

/** Where panic(), dump_stack() and __stack_chk_fail() stand when they have called on. */
const IN_PANIC = 0x118n;
const IN_DUMP_STACK = 0x44n;
const IN_STACK_CHK_FAIL = 0x10n;

/** Not an address of code: stands for show_stack(), whose own frame is not modelled. */
const SHOW_STACK = 1n;

/** Lays out panic() and what it calls and is called by. */
export function definePanic({ text, config }: Machine): void {
  const saving = (registers: number): FrameRule => ({
    kind: 'frame',
    base: 'rsp',
    offset: 8 + 8 * registers,
    savedRbp: registers > 0 ? -16 : null,
  });
  const rule = (fn: KernelFunction, at: bigint, registers: number) =>
    text.setFrameRule(fn.address + at, saving(registers));
  rule(text.define('panic', 0x2f4), IN_PANIC, PANIC_SAVES.length);
  rule(text.define(config.oops.dumpStack, 0x5c), IN_DUMP_STACK, DUMP_STACK_SAVES.length);
  rule(text.define('__stack_chk_fail', 0x10), IN_STACK_CHK_FAIL, 0);
  text.setFrameRule(SHOW_STACK, saving(0));
}

/**
 * panic(): prints why and where, and stops the machine for good. It needs room on the stack it is called
 * on: a machine that has none left faults before it has said anything.
 *
 * @param from the return address of the call of panic(), if the caller's frame is to be in the call trace
 */
export function panic(m: Machine, why: string, from?: VirtAddr): void {
  const { oops } = m.config;
  if (from !== undefined) {
    call(m, from, PANIC_SAVES);
    call(m, m.text.named('panic').address + IN_PANIC, DUMP_STACK_SAVES);
    m.push(m.text.named(oops.dumpStack).address + IN_DUMP_STACK);
  }
  const { rsp } = m.cpu;
  m.printk(`Kernel panic - not syncing: ${why}`);
  // A message that ends with a line feed: panic() cut it off only later.
  if (oops.panicKeepsLineFeed && endsWithLineFeed(why)) m.printk('');
  if (oops.panicAlwaysDumps || m.oopses === 0) {
    const state =
      from === undefined
        ? { rip: m.cpu.rip, rsp, rbp: m.cpu.gpr.rbp }
        : { rip: SHOW_STACK, rsp, rbp: m.cpu.gpr.rbp };
    const words = oops.rawAddresses && oops.taskLine !== 'Pid' ? stackWords(m, rsp) : [];
    m.printk(...taskLines(m), ...words, ...callTrace(m, state));
  }
  endPanic(m, why);
}

type Saved = (typeof PANIC_SAVES)[number];

function call(m: Machine, returnAddress: VirtAddr, saves: readonly Saved[]): void {
  m.push(returnAddress);
  for (const register of saves) m.push(m.cpu.gpr[register]);
}

/** The rest of a panic that comes out of an oops, which has printed where it happened. */
export function panicAfterOops(m: Machine, why: string): void {
  m.printk(`Kernel panic - not syncing: ${why}`);
  endPanic(m, why);
}

/** __stack_chk_fail(), called by a function whose canary has changed. */
export function stackChkFail(m: Machine, returnAddress: VirtAddr): void {
  const { stackChkFail: form } = m.config.oops;
  const where =
    form === 'symbol'
      ? m.text.symbolizeReturn(returnAddress)
      : pointerText(m, returnAddress).padStart(16, '0');
  const from = m.text.named('__stack_chk_fail').address + IN_STACK_CHK_FAIL;
  m.push(returnAddress);
  panic(m, `stack-protector: Kernel stack is corrupted in: ${where}`, from);
}

/** Messages whose text ends with a line feed in the source. */
function endsWithLineFeed(why: string): boolean {
  return /^(corrupted stack end|stack-protector:|Attempted to kill init! exit|low stack)/.test(why);
}

function endPanic(m: Machine, why: string): void {
  const { oops } = m.config;
  if (oops.kernelOffset) m.printk(kernelOffset(m));
  if (oops.panicEnd !== 'none') {
    m.printk(
      `---[ end Kernel panic - not syncing: ${why}${oops.panicEnd === 'closed' ? ' ]---' : ''}`,
    );
  }
  m.state = 'panic';
}

/** dump_kernel_offset() */
function kernelOffset({ layout }: Machine): string {
  if (!layout.kaslr) return 'Kernel Offset: disabled';
  const { __START_KERNEL_map: map, _text, MODULES_VADDR } = layout;
  const [linked, hex] = [map + LINKED_AT, (value: bigint) => value.toString(16)];
  return (
    `Kernel Offset: 0x${hex(_text - linked)} from 0x${hex(linked)} ` +
    `(relocation range: 0x${hex(map)}-0x${hex(MODULES_VADDR - 1n)})`
  );
}

/** CONFIG_PHYSICAL_START: where the image lies unless KASLR has moved it. */
const LINKED_AT = 0x1000000n;
