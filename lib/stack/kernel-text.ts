import type { VirtAddr } from '../x86/addr';

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

const FUNCTION_ALIGN = 16n;
/** The top 2 GiB, where the kernel and its modules lie. */
const TEXT_SPACE = 0xffffffff80000000n;

const low32 = (address: VirtAddr) => Number(address & 0xffffffffn);

/**
 * The functions of the simulated kernel: their addresses, and what happens at the addresses that the
 * model knows. Their machine code is not modelled: a return to any other address is an invalid opcode.
 */
export class KernelText<M> {
  private readonly byName = new Map<string, KernelFunction>();
  private readonly sorted: KernelFunction[] = [];
  /** By the low 32 bits of the address: all text lies in the top 2 GiB. */
  private readonly codeAt = new Map<number, Code<M>>();
  private nextText: VirtAddr;
  private nextModule: VirtAddr;

  constructor(textStart: VirtAddr, moduleStart: VirtAddr) {
    this.nextText = textStart;
    this.nextModule = moduleStart;
  }

  /** The function of that name; laid out behind the last one if it is new. */
  define(name: string, size = 0x100, module?: string): KernelFunction {
    const known = this.byName.get(name);
    if (known) return known;
    const address = module ? this.nextModule : this.nextText;
    const end = (address + BigInt(size) + FUNCTION_ALIGN - 1n) & -FUNCTION_ALIGN;
    if (module) this.nextModule = end;
    else this.nextText = end;
    const fn: KernelFunction = { name, address, size, module };
    this.byName.set(name, fn);
    this.sorted.push(fn);
    return fn;
  }

  /** Says what happens at `fn` + `offset`, and returns that address. */
  at(fn: KernelFunction, offset: number, code: Code<M>): VirtAddr {
    const address = fn.address + BigInt(offset);
    this.codeAt.set(low32(address), code);
    return address;
  }

  code(address: VirtAddr): Code<M> | undefined {
    return address >= TEXT_SPACE ? this.codeAt.get(low32(address)) : undefined;
  }

  find(address: VirtAddr): KernelFunction | undefined {
    return this.sorted.find(
      (fn) => address >= fn.address && address < fn.address + BigInt(fn.size),
    );
  }

  /** `%pS`: `schedule+0x5a/0xd0`, with ` [module]`; the bare address outside every function. */
  symbolize(address: VirtAddr): string {
    const fn = this.find(address);
    if (!fn) return `0x${address.toString(16)}`;
    const offset = (address - fn.address).toString(16);
    return `${fn.name}+0x${offset}/0x${fn.size.toString(16)}${fn.module ? ` [${fn.module}]` : ''}`;
  }

  /** First address behind the functions laid out so far. */
  get end(): VirtAddr {
    return this.nextText;
  }
}
