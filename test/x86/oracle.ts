/**
 * A second implementation of translation: slow, bigint throughout, written from the manual's
 * text (SDM vol. 3, chapter 4) and sharing no code with lib/x86. It is what lib/x86 is
 * compared with.
 */

/** What decides a translation beside the tables. */
export interface OracleCpu {
  cr3: bigint;
  levels: 4 | 5;
  maxphyaddr: number;
  wp: boolean;
  nxe: boolean;
  smep: boolean;
  smap: boolean;
  ac: boolean;
  /** PKRU, or null without CR4.PKE. */
  pkru: number | null;
}

export type OracleAccess = 'read' | 'write' | 'execute';
/** `implicit`: by the CPU itself, as to the IDT. */
export type OracleMode = 'user' | 'supervisor' | 'implicit';

export interface OracleAnswer {
  pa: bigint | null;
  fault: { vector: number; errorCode: number; address: bigint } | null;
  /** Entries that the CPU changed: physical address and new value. */
  writes: { address: bigint; value: bigint }[];
  pageSize: bigint;
}

const bit = (value: bigint, n: number): boolean => ((value >> BigInt(n)) & 1n) === 1n;

/** Reads eight bytes; what is not RAM reads as ones. */
export type ReadEntry = (address: bigint) => bigint | null;

export function oracleTranslate(
  read: ReadEntry,
  cpu: OracleCpu,
  va: bigint,
  access: OracleAccess,
  mode: OracleMode,
): OracleAnswer {
  const none = { pa: null, writes: [], pageSize: 0n };
  const signBit = cpu.levels === 5 ? 56 : 47;
  for (let n = signBit; n < 64; n++) {
    if (bit(va, n) !== bit(va, signBit)) {
      return { ...none, fault: { vector: 13, errorCode: 0, address: va } };
    }
  }
  const writes: { address: bigint; value: bigint }[] = [];
  const pageFault = (errorCode: number): OracleAnswer => {
    let code = errorCode;
    if (access === 'write') code |= 2;
    if (mode === 'user') code |= 4;
    if (access === 'execute' && (cpu.nxe || cpu.smep)) code |= 16;
    return { ...none, writes, fault: { vector: 14, errorCode: code, address: va } };
  };

  let table = ((cpu.cr3 >> 12n) & 0xffffffffffn) << 12n;
  let [writable, user, executable] = [true, true, true];
  for (let level = cpu.levels as number; ; level--) {
    const index = (va >> BigInt(12 + 9 * (level - 1))) & 0x1ffn;
    const address = table + index * 8n;
    const inRam = read(address) !== null;
    const entry = read(address) ?? 0xffffffffffffffffn;
    if (!bit(entry, 0)) return pageFault(0);

    const leaf = level === 1 || (level < 4 && bit(entry, 7));
    for (let n = cpu.maxphyaddr; n < 52; n++) if (bit(entry, n)) return pageFault(1 | 8);
    if (!cpu.nxe && bit(entry, 63)) return pageFault(1 | 8);
    if (level >= 4 && bit(entry, 7)) return pageFault(1 | 8);
    if (leaf && level === 2) for (let n = 13; n <= 20; n++) if (bit(entry, n)) return pageFault(9);
    if (leaf && level === 3) for (let n = 13; n <= 29; n++) if (bit(entry, n)) return pageFault(9);

    writable &&= bit(entry, 1);
    user &&= bit(entry, 2);
    executable &&= !bit(entry, 63);
    if (!leaf) {
      if (!bit(entry, 5) && inRam) writes.push({ address, value: entry | 0x20n });
      table = ((entry >> 12n) & 0xffffffffffn) << 12n;
      continue;
    }

    const size = 1n << BigInt(12 + 9 * (level - 1));
    const frame = entry & 0xffffffffff000n & ~(size - 1n);
    let keyFault = false;
    if (cpu.pkru !== null && user && access !== 'execute') {
      const key = Number((entry >> 59n) & 15n);
      const accessDisabled = bit(BigInt(cpu.pkru), 2 * key);
      const writeDisabled = bit(BigInt(cpu.pkru), 2 * key + 1);
      keyFault =
        accessDisabled || (writeDisabled && access === 'write' && (cpu.wp || mode === 'user'));
    }
    let allowed: boolean;
    if (mode === 'user') {
      allowed = user;
      if (access === 'write') allowed &&= writable;
      if (access === 'execute') allowed &&= executable;
    } else if (access === 'execute') {
      allowed = executable && !(cpu.smep && user);
    } else {
      allowed = !user || !cpu.smap || (cpu.ac && mode === 'supervisor');
      if (access === 'write' && cpu.wp) allowed &&= writable;
    }
    if (!allowed || keyFault) return pageFault(1 | (keyFault ? 32 : 0));

    let marked = entry | 0x20n;
    if (access === 'write') marked |= 0x40n;
    if (marked !== entry && inRam) writes.push({ address, value: marked });
    return { pa: frame | (va & (size - 1n)), fault: null, writes, pageSize: size };
  }
}
