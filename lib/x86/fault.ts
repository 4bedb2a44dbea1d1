import { hex, type VirtAddr } from './addr';

/** What the access was that faulted. */
export type Access = 'read' | 'write' | 'execute';

export type FaultReason =
  | 'not-present'
  | 'protection'
  | 'protection-key'
  | 'reserved-bit'
  | 'non-canonical'
  | 'idt-limit'
  | 'bad-gate'
  | 'gate-not-present'
  | 'bad-selector'
  | 'segment-not-present'
  | 'instruction';

/** An exception of the CPU, as a value: nothing happened yet but what led to it. */
export interface Fault {
  readonly vector: number;
  readonly mnemonic: string;
  /** 0 if the vector pushes none. */
  readonly errorCode: number;
  /** The linear address; what CR2 gets for #PF. Null if the exception has none. */
  readonly address: VirtAddr | null;
  readonly access: Access;
  readonly reason: FaultReason;
}

/** Error-code bits of #PF. SDM vol. 3, 4.7; names as in the kernel's asm/trap_pf.h. */
export const X86_PF_PROT: number = 1 << 0;
export const X86_PF_WRITE: number = 1 << 1;
export const X86_PF_USER: number = 1 << 2;
export const X86_PF_RSVD: number = 1 << 3;
export const X86_PF_INSTR: number = 1 << 4;
export const X86_PF_PK: number = 1 << 5;

export const VECTOR_UD: number = 6;
export const VECTOR_DF: number = 8;
export const VECTOR_TS: number = 10;
export const VECTOR_NP: number = 11;
export const VECTOR_SS: number = 12;
export const VECTOR_GP: number = 13;
export const VECTOR_PF: number = 14;

const MNEMONICS: readonly (string | undefined)[] = [
  ...['#DE', '#DB', 'NMI', '#BP', '#OF', '#BR', '#UD', '#NM', '#DF', undefined],
  ...['#TS', '#NP', '#SS', '#GP', '#PF', undefined, '#MF', '#AC', '#MC', '#XM', '#VE', '#CP'],
];

/** `#PF` for 14; `INT 0x20` for a vector that is no exception. */
export function mnemonicOf(vector: number): string {
  return MNEMONICS[vector] ?? `INT 0x${vector.toString(16).padStart(2, '0')}`;
}

/** Whether delivery pushes an error code. SDM vol. 3, table 6-1. */
export function hasErrorCode(vector: number): boolean {
  return (vector >= 10 && vector <= 14) || vector === 8 || vector === 17 || vector === 21;
}

class CpuFault implements Fault {
  readonly mnemonic: string;

  constructor(
    readonly vector: number,
    readonly errorCode: number,
    readonly address: VirtAddr | null,
    readonly access: Access,
    readonly reason: FaultReason,
  ) {
    this.mnemonic = mnemonicOf(vector);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return describeFault(this);
  }
}

/** A page fault with the error code the CPU pushes. */
export function pageFault(
  address: VirtAddr,
  errorCode: number,
  access: Access,
  reason: FaultReason,
): Fault {
  return new CpuFault(VECTOR_PF, errorCode, address, access, reason);
}

/** Any other exception. */
export function makeFault(
  vector: number,
  reason: FaultReason = 'instruction',
  options: { errorCode?: number; address?: VirtAddr | null; access?: Access } = {},
): Fault {
  const { errorCode = 0, address = null, access = 'execute' } = options;
  return new CpuFault(vector, errorCode, address, access, reason);
}

/** Tells a fault from what a load, a store or a translation returns otherwise. */
export function isFault(x: unknown): x is Fault {
  return typeof x === 'object' && x !== null && 'vector' in x && 'mnemonic' in x;
}

/** What the kernel says of a #PF's error code (arch/x86/mm/fault.c, show_fault_oops). */
export function describeErrorCode(errorCode: number): string {
  if (!(errorCode & X86_PF_PROT)) return 'not-present page';
  if (errorCode & X86_PF_RSVD) return 'reserved bit violation';
  if (errorCode & X86_PF_PK) return 'protection keys violation';
  return 'permissions violation';
}

/** One line, in the kernel's words for #PF. */
export function describeFault(fault: Fault): string {
  const at = fault.address === null ? '' : ` at ${hex(fault.address)}`;
  const code = `0x${fault.errorCode.toString(16).padStart(4, '0')}`;
  if (fault.vector !== VECTOR_PF) {
    const pushed = hasErrorCode(fault.vector) ? `, error_code(${code})` : '';
    return `${fault.mnemonic}: ${fault.reason}${at}${pushed}`;
  }
  const who = fault.errorCode & X86_PF_USER ? 'user' : 'supervisor';
  const what = fault.access === 'execute' ? 'instruction fetch' : `${fault.access} access`;
  return `#PF: ${who} ${what}${at}, error_code(${code}) - ${describeErrorCode(fault.errorCode)}`;
}
