import { TLB_D, TLB_PKEY_SHIFT, TLB_U, TLB_W, TLB_X } from './tlb-array';

/** What decides, beside the entry, whether an access is allowed. SDM vol. 3, 4.6. */
export interface Rights {
  /** CR0.WP: supervisor writes respect read-only pages. */
  wp: boolean;
  smep: boolean;
  smap: boolean;
  /** RFLAGS.AC: suspends SMAP for explicit accesses. */
  ac: boolean;
  nxe: boolean;
  /** PKRU, or null without CR4.PKE. */
  pkru: number | null;
}

/** Whether W, U and X of an entry allow `access` (0 read, 1 write, 2 execute) in `mode`. */
export function rightsAllow(r: Rights, bits: number, access: number, mode: number): boolean {
  const user = (bits & TLB_U) !== 0;
  const executable = (bits & TLB_X) !== 0;
  const writable = (bits & TLB_W) !== 0;
  if (mode === 1) {
    if (!user) return false;
    return access === 0 || (access === 1 ? writable : executable);
  }
  if (access === 2) return executable && !(user && r.smep);
  if (user && r.smap && !(r.ac && mode === 0)) return false;
  return access === 0 || writable || !r.wp;
}

/** Whether the protection key forbids a data access to a user page. SDM vol. 3, 4.6.2. */
export function pkeyDenies(r: Rights, bits: number, access: number, mode: number): boolean {
  if (r.pkru === null || access === 2 || !(bits & TLB_U)) return false;
  const key = r.pkru >>> (2 * ((bits >>> TLB_PKEY_SHIFT) & 15));
  const accessDisable = (key & 1) !== 0;
  const writeDisable = (key & 2) !== 0;
  return accessDisable || (writeDisable && access === 1 && (r.wp || mode === 1));
}

/** The W, U and I bits of a #PF's error code. SDM vol. 3, 4.7. */
export function errorCodeOf(r: Rights, access: number, mode: number): number {
  const write = access === 1 ? 2 : 0;
  const user = mode === 1 ? 4 : 0;
  const fetch = access === 2 && (r.smep || r.nxe) ? 16 : 0;
  return write | user | fetch;
}

/**
 * For each access * 3 + mode a mask over the 16 combinations of W, U, X, D: set where a TLB
 * hit can be used as it is. What is clear is looked at closely, not refused.
 */
export function fastTable(r: Rights): Int32Array {
  const table = new Int32Array(9);
  for (let access = 0; access < 3; access++) {
    for (let mode = 0; mode < 3; mode++) {
      for (let bits = 0; bits < 16; bits++) {
        const needsKey = r.pkru !== null && bits & TLB_U;
        const needsDirty = access === 1 && !(bits & TLB_D);
        if (needsKey || needsDirty || !rightsAllow(r, bits, access, mode)) continue;
        table[access * 3 + mode] |= 1 << bits;
      }
    }
  }
  return table;
}
