import type { VirtAddr } from '../x86/addr';
import { scratch32, scratch64 } from '../x86/halves';

/**
 * What the CPU does from one address of the kernel's text on, until it returns, calls or stops:
 * reads and writes go through the machine's CPU, and where it goes on stands in RIP afterwards.
 */
export type Code<M> = (machine: M) => void;

export interface KernelFunction {
  readonly name: string;
  readonly address: VirtAddr;
  /** Length of its machine code, bytes. */
  readonly size: number;
  readonly module?: string;
}

/**
 * How to find the caller from a place in a function, as ORC data and frame pointers tell it. CFA is the
 * address above the return address. `end`: nobody called, pt_regs or the top of the stack come next.
 */
export type FrameRule =
  | {
      readonly kind: 'frame';
      /** CFA = that register + offset. */
      readonly base: 'rsp' | 'rbp';
      readonly offset: number;
      /** Where RBP was saved, relative to CFA; null if it still has the caller's value. */
      readonly savedRbp: number | null;
    }
  /** A struct pt_regs lies at RSP + offset, or a pointer to one does. */
  | { readonly kind: 'regs' | 'regs-pointer'; readonly offset: number }
  | { readonly kind: 'end' };

const FUNCTION_ALIGN = 16n;
const PAGE = 4096n;
/** .entry.text from the start of the text: asm_exc_page_fault was 0x200af0 above it in the recorded kernels. */
const ENTRY_TEXT = 0x200000n;

/**
 * The functions of the simulated kernel: their addresses, and what happens at the addresses that the
 * model knows. Their machine code is not modelled: a return to any other address is an invalid opcode.
 */
export class KernelText<M> {
  private readonly byName = new Map<string, KernelFunction>();
  private readonly functions: KernelFunction[] = [];
  /** By the lower half of the address: all text lies in the uppermost 4 GiB. */
  private readonly codeAt = new Map<number, Code<M>>();
  private readonly rules = new Map<VirtAddr, FrameRule>();
  private nextText: VirtAddr;
  private nextEntry: VirtAddr;
  private nextModule: VirtAddr;

  constructor(textStart: VirtAddr, moduleStart: VirtAddr) {
    this.nextText = textStart;
    this.nextEntry = textStart + ENTRY_TEXT;
    this.nextModule = moduleStart;
  }

  /** As {@link define}, for the code behind the gates of the IDT, which lies by itself at the end of the text. */
  defineEntry(name: string, size: number): KernelFunction {
    const address = this.nextEntry;
    this.nextEntry = (address + BigInt(size) + FUNCTION_ALIGN - 1n) & -FUNCTION_ALIGN;
    const fn: KernelFunction = { name, address, size };
    this.functions.push(fn);
    return this.name(fn);
  }

  /** The next module's text begins at a page of its own. */
  endModule(): void {
    this.nextModule = (this.nextModule + PAGE - 1n) & -PAGE;
  }

  /**
   * Lays out a function behind the last one. All that the kernel itself may run or name is laid out when the
   * machine is built, so that no address depends on what happened first.
   *
   * @throws RangeError if there is one of that name
   */
  define(name: string, size: number, module?: string): KernelFunction {
    return this.name(this.layOut(name, size, module));
  }

  /**
   * The function of that name.
   *
   * @throws RangeError if none was laid out
   */
  named(name: string): KernelFunction {
    const fn = this.byName.get(name);
    if (!fn) throw new RangeError(`text: expected a function that is laid out, got ${name}`);
    return fn;
  }

  /** The function of that name, length and module: a second one of the same name if they differ. */
  variant(name: string, size: number, module?: string): KernelFunction {
    const known = this.functions.find(
      (fn) => fn.name === name && fn.size === size && fn.module === module,
    );
    return known ?? this.layOut(name, size, module);
  }

  private name(fn: KernelFunction): KernelFunction {
    const { name } = fn;
    if (this.byName.has(name))
      throw new RangeError(`text: expected a name that no function has, got ${name}`);
    this.byName.set(name, fn);
    return fn;
  }

  private layOut(name: string, size: number, module: string | undefined): KernelFunction {
    const address = module ? this.nextModule : this.nextText;
    const end = (address + BigInt(size) + FUNCTION_ALIGN - 1n) & -FUNCTION_ALIGN;
    if (module) this.nextModule = end;
    else this.nextText = end;
    const fn: KernelFunction = { name, address, size, module };
    this.functions.push(fn);
    return fn;
  }

  /** Says what happens at `fn` + `offset`, and returns that address. */
  at(fn: KernelFunction, offset: number, code: Code<M>): VirtAddr {
    const address = fn.address + BigInt(offset);
    scratch64[0] = address;
    this.codeAt.set(scratch32[0], code);
    return address;
  }

  code(address: VirtAddr): Code<M> | undefined {
    scratch64[0] = address;
    return scratch32[1] === -1 ? this.codeAt.get(scratch32[0]) : undefined;
  }

  /** Says how to unwind from an address that the tables of functions do not know. */
  setFrameRule(address: VirtAddr, rule: FrameRule): void {
    this.rules.set(address, rule);
  }

  frameRule(address: VirtAddr): FrameRule | undefined {
    return this.rules.get(address);
  }

  find(address: VirtAddr): KernelFunction | undefined {
    return this.functions.find(
      (fn) => address >= fn.address && address < fn.address + BigInt(fn.size),
    );
  }

  /** `%pS`: `schedule+0x5a/0xd0`, with ` [module]`; the bare address outside every function. */
  symbolize(address: VirtAddr): string {
    return this.print(this.find(address), address);
  }

  /** `%pB`: as `%pS` for a return address, which may lie just behind a function that never returns. */
  symbolizeReturn(address: VirtAddr): string {
    return this.print(this.find(address - 1n), address);
  }

  private print(fn: KernelFunction | undefined, address: VirtAddr): string {
    if (!fn) return `0x${address.toString(16)}`;
    const offset = (address - fn.address).toString(16);
    return `${fn.name}+0x${offset}/0x${fn.size.toString(16)}${fn.module ? ` [${fn.module}]` : ''}`;
  }

  /** Names of the modules that have functions. */
  get modules(): string[] {
    return [...new Set(this.functions.flatMap(({ module }) => module ?? []))];
  }

  /** First address behind the functions laid out so far. */
  get end(): VirtAddr {
    return this.nextText;
  }
}
