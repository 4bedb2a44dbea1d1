import type { VirtAddr } from '../x86/addr';
import { X86_PF_INSTR, X86_PF_PK, X86_PF_PROT, X86_PF_RSVD, X86_PF_WRITE } from '../x86/fault';
import type { Machine } from './machine';
import type { Regs } from './registers-text';

const PAGE = 4096n;
const NX = 1n << 63n;
const USER = 4n;
const h = (value: bigint) => value.toString(16).padStart(16, '0');

/**
 * show_fault_oops(): which address, what access, and the page-table entries on the way to it. All faults
 * here are the supervisor's.
 */
export function pageFaultLines(
  m: Machine,
  address: VirtAddr,
  errorCode: number,
  regs: Regs,
): string[] {
  const { oops } = m.config;
  const words = address < PAGE ? oops.nullPointer : oops.pageFault;
  return [
    ...fetchWarnings(m, address, errorCode),
    `BUG: ${words} ${addressText(m, address)}`,
    ...errorCodeLines(m, errorCode),
    ...(oops.ipLine ? [`IP: ${codeAddress(m, regs.rip)}`] : []),
    tableEntries(m, address),
  ];
}

/** %p writes `(null)` for 0; kernels since 4.17 print addresses here with %px, which does not. */
function addressText(m: Machine, address: VirtAddr): string {
  return address === 0n && m.config.oops.ipLine ? '          (null)' : h(address);
}

/** Where code was, with its raw address where the version still prints that. */
export function codeAddress(m: Machine, address: VirtAddr): string {
  const place = m.text.symbolize(address);
  return m.config.oops.rawAddresses ? `[<${h(address)}>] ${place}` : place;
}

/** What an instruction fetch from a page that is there, but not to be executed, is suspected of. */
function fetchWarnings(m: Machine, address: VirtAddr, errorCode: number): string[] {
  if (!(errorCode & X86_PF_INSTR)) return [];
  const { entries, pa } = m.walk(address);
  if (pa === null) return [];
  if (entries.some(({ raw }) => raw & NX)) {
    return ['kernel tried to execute NX-protected page - exploit attempt? (uid: 0)'];
  }
  return entries.every(({ raw }) => raw & USER)
    ? ['unable to execute userspace code (SMEP?) (uid: 0)']
    : [];
}

function errorCodeLines(m: Machine, errorCode: number): string[] {
  const { explainsErrorCode } = m.config.oops;
  if (explainsErrorCode === 'no') return [];
  if (explainsErrorCode === 'list') {
    const bits = [
      errorCode & X86_PF_PROT && '[PROT]',
      errorCode & X86_PF_WRITE && '[WRITE]',
      errorCode & X86_PF_RSVD && '[RSVD]',
      errorCode & X86_PF_INSTR && '[INSTR]',
    ].filter((bit) => bit !== 0);
    return [`#PF error: ${bits.length > 0 ? bits.join(' ') : '[normal kernel read fault]'}`];
  }
  const access =
    errorCode & X86_PF_INSTR
      ? 'instruction fetch'
      : errorCode & X86_PF_WRITE
        ? 'write access'
        : 'read access';
  return [
    `#PF: supervisor ${access} in kernel mode`,
    `#PF: error_code(0x${errorCode.toString(16).padStart(4, '0')}) - ${reason(errorCode)}`,
  ];
}

function reason(errorCode: number): string {
  if (!(errorCode & X86_PF_PROT)) return 'not-present page';
  if (errorCode & X86_PF_RSVD) return 'reserved bit violation';
  return errorCode & X86_PF_PK ? 'protection keys violation' : 'permissions violation';
}

/** dump_pagetable(): `PGD 4800067 P4D 4800067 PUD 49b1067 PMD 5f9d067 PTE 0`, down to what is missing. */
export function tableEntries(m: Machine, address: VirtAddr): string {
  const folded = m.layout.levels === 4;
  const names = folded ? ['PGD', 'PUD', 'PMD', 'PTE'] : ['PGD', 'P4D', 'PUD', 'PMD', 'PTE'];
  const parts: string[] = [];
  m.walk(address).entries.forEach(({ raw }, i) => {
    parts.push(`${names[i]} ${raw.toString(16)}`);
    // A folded p4d prints the pgd entry again.
    if (i === 0 && folded && m.config.oops.printsP4d) parts.push(`P4D ${raw.toString(16)}`);
  });
  return parts.length > 0 ? parts.join(' ') : 'BAD';
}
