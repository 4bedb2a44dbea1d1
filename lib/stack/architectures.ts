/** Architectures, as the folders under arch/ call them; x86 is told apart by word size. */
export type Arch =
  | 'x86_64'
  | 'x86_32'
  | 'arm64'
  | 's390'
  | 'powerpc'
  | 'riscv'
  | 'um'
  | 'arm'
  | 'parisc'
  | 'mips'
  | 'loongarch'
  | 'sparc';

/**
 * Where the release is known from the commit (e37e43a497d5, 31da94c25aea); of the other architectures the one
 * before the tree may have had it already.
 */
const RELEASE_KNOWN: readonly Arch[] = ['x86_64', 'riscv'];

/**
 * The first source tree read in which the architecture selects HAVE_ARCH_VMAP_STACK; null if none up to
 * 6.19 does. riscv needs 64 bits and an MMU for it.
 */
export const HAVE_ARCH_VMAP_STACK_SINCE: Readonly<Record<Arch, string | null>> = {
  x86_64: '4.9',
  arm64: '4.14',
  s390: '4.20',
  powerpc: '5.7',
  riscv: '5.14',
  um: '5.17',
  arm: '5.19',
  x86_32: null,
  parisc: null,
  mips: null,
  loongarch: null,
  sparc: null,
};

/** Since when `arch` selects HAVE_ARCH_VMAP_STACK, in words. */
export function selectedSince(arch: Arch): string {
  const first = HAVE_ARCH_VMAP_STACK_SINCE[arch];
  if (first === null) return 'in no tree up to 6.19';
  return RELEASE_KNOWN.includes(arch)
    ? `since ${first}`
    : `in no tree read that is older than ${first}`;
}
