import { byVersion, sinceVersion } from './kernel-version';

/** A gfp_t as the kernel prints it. */
export interface Gfp {
  readonly mask: number;
  /** The names of `%pGg`, printed since 4.6; null before. */
  readonly names: string | null;
}

/** What is asked for, by the constant of the caller's code. */
export type GfpName = 'GFP_KERNEL' | 'GFP_ATOMIC' | 'GFP_HIGHUSER_MOVABLE' | 'THREADINFO_GFP';

type Masks = Readonly<Record<GfpName, readonly [mask: number, names: string]>>;

function masks(
  kernel: number,
  atomic: number,
  user: number,
  thread: number,
  threadNames: string,
): Masks {
  return {
    GFP_KERNEL: [kernel, 'GFP_KERNEL'],
    GFP_ATOMIC: [atomic, 'GFP_ATOMIC'],
    GFP_HIGHUSER_MOVABLE: [user, 'GFP_HIGHUSER_MOVABLE'],
    THREADINFO_GFP: [thread, threadNames],
  };
}

const NOTRACK = 'GFP_KERNEL|__GFP_NOTRACK';
const ACCOUNT_NOTRACK = 'GFP_KERNEL_ACCOUNT|__GFP_NOTRACK';
const ACCOUNT_ZERO = 'GFP_KERNEL_ACCOUNT|__GFP_ZERO';

/**
 * The bits moved several times. Values are those of logs and trees of the versions named; in which
 * release between two rows a bit moved was not looked up, unless a commit is named.
 */
const TABLE: readonly (readonly [string, Masks])[] = [
  ['2.6.32', masks(0xd0, 0x20, 0x200da, 0xd0, 'GFP_KERNEL')],
  // 3e648ebe0763: __GFP_NOTRACK is a bit also without KMEMCHECK.
  ['3.7', masks(0xd0, 0x20, 0x200da, 0x2000d0, NOTRACK)],
  // 2ad306b17c0a: THREADINFO_GFP_ACCOUNTED, with __GFP_KMEMCG, until 52383431b37c took that bit away.
  ['3.8', masks(0xd0, 0x20, 0x200da, 0x3000d0, NOTRACK)],
  ['3.16', masks(0xd0, 0x20, 0x200da, 0x2000d0, NOTRACK)],
  // A log of Ubuntu's 4.4.0-62; one of 4.5.0-rc2 has __GFP_ACCOUNT.
  ['4.4', masks(0x24000c0, 0x2080020, 0x24200ca, 0x26000c0, NOTRACK)],
  ['4.5', masks(0x24000c0, 0x2080020, 0x24200ca, 0x27000c0, ACCOUNT_NOTRACK)],
  ['4.11', masks(0x14000c0, 0x1080020, 0x14200ca, 0x17000c0, ACCOUNT_NOTRACK)],
  // 75f296d93bce; not seen in a log.
  ['4.15', masks(0x14000c0, 0x1080020, 0x14200ca, 0x15000c0, 'GFP_KERNEL_ACCOUNT')],
  // e01e80634ecd; see clearsNewStack in versions.ts. Logs of stable's 4.14.65 have it.
  ['4.17', masks(0x14000c0, 0x1080020, 0x14200ca, 0x15080c0, ACCOUNT_ZERO)],
  ['4.18', masks(0x6000c0, 0x480020, 0x6200ca, 0x7080c0, ACCOUNT_ZERO)],
  ['5.1', masks(0xcc0, 0xa20, 0x100cca, 0x400dc0, ACCOUNT_ZERO)],
  ['6.3', masks(0xcc0, 0x820, 0x100cca, 0x400dc0, ACCOUNT_ZERO)],
];

/** The flags of one kind of request in a kernel version. */
export function gfpOf(version: string, name: GfpName): Gfp {
  const [mask, names] = byVersion(version, TABLE)[name];
  return { mask, names: sinceVersion(version, '4.6') ? names : null };
}

/** __GFP_COMP and __GFP_NOTRACK; the latter 0 where SLUB does not ask for it. */
const SLAB_BITS: readonly (readonly [string, { comp: number; notrack: number }])[] = [
  ['2.6.32', { comp: 0x4000, notrack: 0 }],
  ['3.14', { comp: 0x4000, notrack: 0x200000 }],
  ['4.15', { comp: 0x4000, notrack: 0 }],
  ['5.1', { comp: 0x40000, notrack: 0 }],
];

/**
 * What SLUB asks the page allocator for on behalf of GFP_KERNEL (allocate_slab()): compound pages if the order
 * of the cache is above 0, also when it has to make do with a single page; up to 4.14 __GFP_NOTRACK. Logs:
 * 0x40d0 of 3.0, 0x26040c0 of 4.9, 0x6040c0 of 4.19.
 */
export function slabGfp(version: string, compound: boolean): Gfp {
  const { mask, names } = gfpOf(version, 'GFP_KERNEL');
  const { comp, notrack } = byVersion(version, SLAB_BITS);
  const more = [...(compound ? ['__GFP_COMP'] : []), ...(notrack ? ['__GFP_NOTRACK'] : [])];
  return {
    mask: mask | (compound ? comp : 0) | notrack,
    names: names === null ? null : [names, ...more].join('|'),
  };
}

/** `0x400dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO)`, or `0xd0` where the kernel has no names yet. */
export function gfpText(gfp: Gfp): string {
  const mask = `0x${gfp.mask.toString(16)}`;
  return gfp.names === null ? mask : `${mask}(${gfp.names})`;
}
