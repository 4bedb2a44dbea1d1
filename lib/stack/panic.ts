import type { VirtAddr } from '../x86/addr';
import { sinceVersion } from '../mm/kernel-version';
import { callTrace, stackWords } from './call-trace';
import type { Machine } from './machine';
import { taskLines } from './oops';

/** Registers that panic() and dump_stack() are taken to save: their frames are not those of any one build. */
const PANIC_SAVES = ['rbp', 'r12', 'rbx'] as const;
const DUMP_STACK_SAVES = ['rbp', 'rbx'] as const;

/**
 * panic(): prints why and where, and stops the machine for good. It needs room on the stack it is called
 * on: a machine that has none left faults before it has said anything.
 *
 * @param from the return address of the call of panic(), if the caller's frame is to be in the call trace
 */
export function panic(m: Machine, why: string, from?: VirtAddr): void {
  const { oops } = m.config;
  const panicFn = m.text.define('panic', 0x2f4);
  const dumpStack = m.text.define(
    sinceVersion(m.config.version, '5.14') ? 'dump_stack_lvl' : 'dump_stack',
    0x5c,
  );
  if (from !== undefined) {
    call(m, from, PANIC_SAVES);
    ruled(m, panicFn.address + 0x118n, PANIC_SAVES.length);
    call(m, panicFn.address + 0x118n, DUMP_STACK_SAVES);
    ruled(m, dumpStack.address + 0x44n, DUMP_STACK_SAVES.length);
    m.push(dumpStack.address + 0x44n);
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
    if (from !== undefined) m.text.setFrameRule(SHOW_STACK, JUST_CALLED);
    const words = oops.rawAddresses && oops.taskLine !== 'Pid' ? stackWords(m, rsp) : [];
    m.printk(...taskLines(m), ...words, ...callTrace(m, state));
  }
  endPanic(m, why);
}

/** Not an address of code: stands for show_stack(), whose own frame is not modelled. */
const SHOW_STACK = 1n;
const JUST_CALLED = { kind: 'frame', base: 'rsp', offset: 8, savedRbp: null } as const;

type Saved = (typeof PANIC_SAVES)[number];

function call(m: Machine, returnAddress: VirtAddr, saves: readonly Saved[]): void {
  m.push(returnAddress);
  for (const register of saves) m.push(m.cpu.gpr[register]);
}

function ruled(m: Machine, at: VirtAddr, saved: number): void {
  m.text.setFrameRule(at, { kind: 'frame', base: 'rsp', offset: 8 + 8 * saved, savedRbp: -16 });
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
      : returnAddress.toString(16).padStart(16, '0');
  const fn = m.text.define('__stack_chk_fail', 0x10);
  m.push(returnAddress);
  m.text.setFrameRule(fn.address + 0x10n, JUST_CALLED);
  panic(m, `stack-protector: Kernel stack is corrupted in: ${where}`, fn.address + 0x10n);
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
