import type { VirtAddr } from '../x86/addr';
import type { Cpu, GprName } from '../x86/cpu';
import { isFault, type Fault } from '../x86/fault';
import type { WriteWatch } from './write-watch';

/** Thrown by an access to leave a piece of kernel code at the instruction that faulted. */
export const FAULTED: unique symbol = Symbol('faulted');

/** The loads, stores and calls of kernel code: each leaves the code that made it when it faults. */
export abstract class KernelAccess {
  abstract readonly cpu: Cpu;
  /** Collects the writes of the code that overruns, while it runs. */
  watch: WriteWatch | null = null;
  /** What the access that threw FAULTED had met. */
  protected fault: Fault | null = null;
  /** What {@link copy} copies: most copies are of one length, so the array serves again. */
  private copied: Uint8Array = new Uint8Array(0);

  push(value: bigint): void {
    this.check(this.cpu.push64(value));
    this.watch?.pushed(this.cpu.rsp, 8);
  }

  /** Pushes registers, the first one first. */
  pushAll(registers: readonly GprName[]): void {
    const { cpu } = this;
    if (!cpu.pushAll(registers)) for (const register of registers) this.push(cpu.gpr[register]);
    else this.watch?.pushed(cpu.rsp, 8 * registers.length);
  }

  /** Pops registers, the first one first. */
  popAll(registers: readonly GprName[]): void {
    const { cpu } = this;
    if (cpu.popAll(registers)) return;
    for (const register of registers) cpu.gpr[register] = this.pop();
  }

  pop(): bigint {
    return this.value(this.cpu.pop64());
  }

  load64(address: VirtAddr): bigint {
    return this.value(this.cpu.load64(address));
  }

  load32(address: VirtAddr): number {
    return this.value(this.cpu.load32(address));
  }

  load8(address: VirtAddr): number {
    return this.value(this.cpu.load8(address));
  }

  store64(address: VirtAddr, value: bigint): void {
    this.check(this.cpu.store64(address, value));
    this.watch?.mark(address, 8);
  }

  store32(address: VirtAddr, value: number): void {
    this.check(this.cpu.store32(address, value));
    this.watch?.mark(address, 4);
  }

  store8(address: VirtAddr, value: number): void {
    this.check(this.cpu.store8(address, value));
    this.watch?.mark(address, 1);
  }

  /** memset: upwards from `address`. */
  fill(address: VirtAddr, bytes: number, value: number): void {
    const fault = this.cpu.fillBytes(address, bytes, value);
    // Up to the page that faulted it has been written.
    const done =
      fault?.address === undefined || fault.address === null
        ? bytes
        : Math.max(0, Number(fault.address - address));
    this.watch?.mark(address, Math.min(bytes, done));
    this.check(fault);
  }

  /** memcpy: upwards. */
  copy(to: VirtAddr, from: VirtAddr, bytes: number): void {
    if (this.copied.length !== bytes) this.copied = new Uint8Array(bytes);
    this.check(this.cpu.loadInto(this.copied, from));
    this.check(this.cpu.storeBytes(to, this.copied));
    this.watch?.mark(to, bytes);
  }

  /** Pushes the return address and goes to `target`. */
  call(target: VirtAddr, returnAddress: VirtAddr): void {
    this.push(returnAddress);
    this.cpu.rip = target;
  }

  /** Raises a fault that code met in user mode; the code goes no further. */
  raiseAndLeave(fault: Fault): never {
    this.fault = fault;
    throw FAULTED;
  }

  /** Pops RIP. */
  ret(): void {
    this.cpu.rip = this.pop();
  }

  protected value<T extends bigint | number>(result: T | Fault): T {
    if (!isFault(result)) return result;
    this.fault = result;
    throw FAULTED;
  }

  protected check(fault: Fault | null): void {
    if (!fault) return;
    this.fault = fault;
    throw FAULTED;
  }
}
