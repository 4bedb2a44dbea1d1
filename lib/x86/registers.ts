/** Bits of the control registers, as numbers (all below 32). SDM vol. 3, 2.5. */
export const CR0_PE: number = 1 << 0;
/** Supervisor writes respect read-only pages. */
export const CR0_WP: number = 1 << 16;
export const CR0_PG: number = -0x80000000;
/** What Linux runs with beside WP: PE, MP, ET, NE, AM, PG. */
export const CR0_LINUX: number = 0x80040033 | 0;

export const CR4_PAE: number = 1 << 5;
export const CR4_PGE: number = 1 << 7;
export const CR4_LA57: number = 1 << 12;
export const CR4_PCIDE: number = 1 << 17;
export const CR4_SMEP: number = 1 << 20;
export const CR4_SMAP: number = 1 << 21;
export const CR4_PKE: number = 1 << 22;

export const EFER_SCE: number = 1 << 0;
export const EFER_LME: number = 1 << 8;
export const EFER_LMA: number = 1 << 10;
export const EFER_NXE: number = 1 << 11;

export const RFLAGS_FIXED: bigint = 1n << 1n;
export const RFLAGS_TF: bigint = 1n << 8n;
export const RFLAGS_IF: bigint = 1n << 9n;
export const RFLAGS_NT: bigint = 1n << 14n;
export const RFLAGS_RF: bigint = 1n << 16n;
export const RFLAGS_VM: bigint = 1n << 17n;
export const RFLAGS_AC: bigint = 1n << 18n;
