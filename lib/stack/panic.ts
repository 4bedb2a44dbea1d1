import type { Machine } from './machine';
import { cpuLine, callTrace } from './oops';

/** panic(): prints why and stops the machine for good. */
export function panic(m: Machine, why: string): void {
  m.printk(`Kernel panic - not syncing: ${why}`, cpuLine(m), ...callTrace(m, m.cpu.rsp));
  endPanic(m, why);
}

/** The rest of a panic that comes out of an oops, which has printed where it happened. */
export function panicAfterOops(m: Machine, why: string): void {
  m.printk(`Kernel panic - not syncing: ${why}`);
  endPanic(m, why);
}

function endPanic(m: Machine, why: string): void {
  m.printk('Kernel Offset: disabled', `---[ end Kernel panic - not syncing: ${why} ]---`);
  m.state = 'panic';
}
