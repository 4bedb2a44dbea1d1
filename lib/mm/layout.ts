import type { Levels, VirtAddr } from '../x86/addr';
import type { Random } from '../random';
import { byVersion, sinceVersion } from './kernel-version';
import { layoutText } from './layout-text';

/**
 * Where the kernel puts what in its half of the address space. Constants are spelled as in the
 * kernel; a name ending in `_END` is the last byte, as in /proc and the documentation.
 *
 * Source: Documentation/x86/x86_64/mm.txt (3.x, 4.14, 4.20) and
 * Documentation/arch/x86/x86_64/mm.rst (6.x).
 */
export interface KernelLayout {
  readonly version: string;
  readonly levels: Levels;
  /** Start of the direct map of all physical memory. */
  readonly PAGE_OFFSET: VirtAddr;
  /** Last byte of the room for it; the map itself ends with RAM. */
  readonly DIRECT_MAP_END: VirtAddr;
  readonly VMALLOC_START: VirtAddr;
  readonly VMALLOC_END: VirtAddr;
  /** The array of struct page. */
  readonly VMEMMAP_START: VirtAddr;
  /** Physical address 0 of the kernel image mapping. */
  readonly __START_KERNEL_map: VirtAddr;
  /** First byte of the kernel's code, physical address 16 MiB unless KASLR moved it. */
  readonly _text: VirtAddr;
  readonly MODULES_VADDR: VirtAddr;
  readonly MODULES_END: VirtAddr;
  /** Per-CPU entry stacks, exception stacks, GDT, TSS; null before 4.15, where there is none. */
  readonly CPU_ENTRY_AREA: VirtAddr | null;
  /** User LDT mapped for page-table isolation; null before 4.15. */
  readonly LDT_BASE_ADDR: VirtAddr | null;
  readonly ESPFIX_BASE_ADDR: VirtAddr;
  readonly FIXADDR_TOP: VirtAddr;
  readonly VSYSCALL_ADDR: VirtAddr;
  /** True when the regions were moved at random. */
  readonly kaslr: boolean;
}

export interface LayoutOptions {
  /** '2.6.32' to the newest. */
  version: string;
  levels: Levels;
  /** Moves the regions (CONFIG_RANDOMIZE_MEMORY, since 4.8) and the image (RANDOMIZE_BASE, 3.14). */
  kaslr?: Random;
  /** RAM in bytes: with KASLR the direct map's region is no larger than it needs to be. 0 unless given. */
  ramBytes?: number;
}

const TIB = 1n << 40n;
const GIB = 1n << 30n;
const MIB = 1n << 20n;
const STRUCT_PAGE_BYTES = 64n;
/** CONFIG_RANDOMIZE_MEMORY_PHYSICAL_PADDING without memory hotplug is 0; with it, the default, 10. */
const PHYSICAL_PADDING_TIB = 10n;

interface Bases {
  PAGE_OFFSET: bigint;
  VMALLOC_START: bigint;
  VMALLOC_TIB: bigint;
  VMEMMAP_START: bigint;
  LDT_BASE_ADDR: bigint | null;
  /** Size of the region of the direct map. */
  DIRECT_MAP_TIB: bigint;
}

/** 2.6.32 knew less than 64 TiB of RAM (46 bits), but its regions already lay where they did later. */
const LEVELS_4: readonly (readonly [string, Bases])[] = [
  ['2.6.32', bases4(0xffff880000000000n, null)],
  ['4.15', bases4(0xffff880000000000n, 0xfffffe8000000000n)],
  // d52888aa2753 "x86/mm: Move LDT remap out of KASLR region on 5-level paging"
  ['4.20', bases4(0xffff888000000000n, 0xffff880000000000n)],
];

/** CONFIG_X86_5LEVEL can be chosen since 4.14. */
const LEVELS_5: readonly (readonly [string, Bases])[] = [
  ['4.14', bases5(0xff10000000000000n, 0xff92000000000000n, 16384n, null)],
  ['4.15', bases5(0xff10000000000000n, 0xffa0000000000000n, 12800n, 0xff90000000000000n)],
  ['4.20', bases5(0xff11000000000000n, 0xffa0000000000000n, 12800n, 0xff10000000000000n)],
];

function bases4(PAGE_OFFSET: bigint, LDT_BASE_ADDR: bigint | null): Bases {
  return {
    PAGE_OFFSET,
    VMALLOC_START: 0xffffc90000000000n,
    VMALLOC_TIB: 32n,
    VMEMMAP_START: 0xffffea0000000000n,
    LDT_BASE_ADDR,
    DIRECT_MAP_TIB: 64n,
  };
}

function bases5(
  PAGE_OFFSET: bigint,
  VMALLOC_START: bigint,
  VMALLOC_TIB: bigint,
  LDT_BASE_ADDR: bigint | null,
): Bases {
  return {
    PAGE_OFFSET,
    VMALLOC_START,
    VMALLOC_TIB,
    VMEMMAP_START: 0xffd4000000000000n,
    LDT_BASE_ADDR,
    DIRECT_MAP_TIB: 32768n,
  };
}

/**
 * The layout of one kernel version.
 *
 * @throws RangeError for 5 levels before 4.14 or KASLR before 3.14
 */
export function layoutFor(options: LayoutOptions): KernelLayout {
  const { version, levels, kaslr } = options;
  if (levels === 5 && !sinceVersion(version, '4.14')) {
    throw new RangeError(
      `levels: expected 4, as 5-level paging came with 4.14, got 5 on ${version}`,
    );
  }
  if (kaslr && !sinceVersion(version, '3.14')) {
    throw new RangeError(`kaslr: expected none, as KASLR came with 3.14, got one on ${version}`);
  }
  const fixed = byVersion(version, levels === 5 ? LEVELS_5 : LEVELS_4);
  const bases =
    kaslr && sinceVersion(version, '4.8')
      ? randomizeMemory(fixed, version, levels, kaslr, BigInt(options.ramBytes ?? 0))
      : fixed;
  const __START_KERNEL_map = 0xffffffff80000000n;
  // KERNEL_IMAGE_SIZE is 1 GiB with RANDOMIZE_BASE (default since 4.12), else 512 MiB.
  const imageBytes = kaslr || sinceVersion(version, '4.12') ? GIB : GIB / 2n;
  return describe({
    version,
    levels,
    PAGE_OFFSET: bases.PAGE_OFFSET,
    DIRECT_MAP_END: bases.PAGE_OFFSET + bases.DIRECT_MAP_TIB * TIB - 1n,
    VMALLOC_START: bases.VMALLOC_START,
    VMALLOC_END: bases.VMALLOC_START + bases.VMALLOC_TIB * TIB - 1n,
    VMEMMAP_START: bases.VMEMMAP_START,
    __START_KERNEL_map,
    _text: __START_KERNEL_map + (kaslr ? randomImageOffset(kaslr) : 16n * MIB),
    MODULES_VADDR: __START_KERNEL_map + imageBytes,
    MODULES_END: 0xfffffffffeffffffn,
    CPU_ENTRY_AREA: sinceVersion(version, '4.15') ? 0xfffffe0000000000n : null,
    LDT_BASE_ADDR: bases.LDT_BASE_ADDR,
    ESPFIX_BASE_ADDR: 0xffffff0000000000n,
    FIXADDR_TOP: 0xffffffffff7ff000n,
    VSYSCALL_ADDR: 0xffffffffff600000n,
    kaslr: kaslr !== undefined,
  });
}

/** The image starts on a multiple of 2 MiB from 16 MiB on, so that 64 MiB of it stay below 1 GiB. */
function randomImageOffset(random: Random): bigint {
  return (8n + random.belowBig((GIB - 80n * MIB) / (2n * MIB) + 1n)) * 2n * MIB;
}

/**
 * kernel_randomize_memory(): spreads the room that the three regions leave free over the gaps before
 * them, keeps their order, and starts each on a 1 GiB boundary (on a 512 GiB one with 5 levels
 * before 5.2, b569c1843498).
 */
function randomizeMemory(
  fixed: Bases,
  version: string,
  levels: Levels,
  random: Random,
  ramBytes: bigint,
): Bases {
  const granule = levels === 5 && !sinceVersion(version, '5.2') ? 512n * GIB : GIB;
  const ramTib = (ramBytes + TIB - 1n) / TIB + PHYSICAL_PADDING_TIB;
  // 2^52 bytes are all that a page-table entry can address; the region of 5 levels is larger.
  const largest = levels === 5 ? 4096n : fixed.DIRECT_MAP_TIB;
  const directTib = ramTib < largest ? ramTib : largest;
  const vmemmapBytes = (directTib * TIB * STRUCT_PAGE_BYTES) / 4096n;
  const sizes = [
    directTib * TIB,
    fixed.VMALLOC_TIB * TIB,
    sinceVersion(version, '5.2') ? ((vmemmapBytes + TIB - 1n) / TIB) * TIB : TIB,
  ];
  const end = 0xfffffe0000000000n;
  let at = fixed.PAGE_OFFSET;
  let entropy = end - at - sizes[0] - sizes[1] - sizes[2];
  const starts = sizes.map((size, i) => {
    const share = entropy / BigInt(sizes.length - i);
    const offset = (random.belowBig(share + 1n) / granule) * granule;
    const start = at + offset;
    at = ((start + size) / granule + 1n) * granule;
    entropy -= offset;
    return start;
  });
  return {
    ...fixed,
    PAGE_OFFSET: starts[0],
    DIRECT_MAP_TIB: directTib,
    VMALLOC_START: starts[1],
    VMEMMAP_START: starts[2],
  };
}

function describe(layout: KernelLayout): KernelLayout {
  Object.defineProperty(layout, Symbol.for('nodejs.util.inspect.custom'), {
    value: () => layoutText(layout),
    enumerable: false,
  });
  return layout;
}
