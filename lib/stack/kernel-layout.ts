import type { VirtAddr } from '../x86/addr';
import { Random } from '../random';
import { sinceVersion } from '../mm/kernel-version';
import { layoutFor, type KernelLayout } from '../mm/layout';
import type { KernelConfig } from './config';

const GIB = 1n << 30n;
/** Above all regions that KASLR moves: the CPU entry area, whatever the version. */
const REGIONS_END = 0xfffffe0000000000n;

/**
 * The address-space layout of a configured kernel: with KASLR as `seed` has it. If a stack is to lie where the unmoved regions do not
 * let it, KASLR (CONFIG_RANDOMIZE_MEMORY, since 4.8) has moved the direct map or the vmalloc area so that it
 * can, in steps of 1 GiB; where it can't, the layout stays as it is and the allocation is refused.
 *
 * @throws RangeError for 5 levels before 4.14, and for KASLR before 3.14
 */
export function layoutOf(config: KernelConfig, ramBytes: bigint, seed: number): KernelLayout {
  const { version, levels, stackBase, VMAP_STACK } = config;
  const kaslr = config.kaslr ? new Random(seed) : undefined;
  const layout = layoutFor({ version, levels, kaslr, ramBytes: Number(ramBytes) });
  if (stackBase === null || !sinceVersion(version, '4.8')) return layout;
  const lowest = layoutFor({ version, levels }).PAGE_OFFSET;
  if (stackBase < lowest || stackBase >= REGIONS_END) return layout;
  return VMAP_STACK
    ? withVmalloc(layout, stackBase, ramBytes)
    : withDirectMap(layout, stackBase, ramBytes);
}

function withVmalloc(layout: KernelLayout, base: VirtAddr, ramBytes: bigint): KernelLayout {
  const { PAGE_OFFSET, VMALLOC_START, VMALLOC_END } = layout;
  if (base >= VMALLOC_START && base <= VMALLOC_END) return layout;
  if (base >= PAGE_OFFSET && base < PAGE_OFFSET + ramBytes + GIB) return layout;
  const size = VMALLOC_END - VMALLOC_START + 1n;
  const highest = (REGIONS_END - size) & -GIB;
  const wanted = base & -GIB;
  const start = wanted < highest ? wanted : highest;
  // The direct map comes before the vmalloc area.
  const unmoved = layoutFor({ version: layout.version, levels: layout.levels });
  return moved(layout, {
    PAGE_OFFSET: PAGE_OFFSET + ramBytes <= start ? PAGE_OFFSET : unmoved.PAGE_OFFSET,
    VMALLOC_START: start,
    VMALLOC_END: start + size - 1n,
  });
}

function withDirectMap(layout: KernelLayout, base: VirtAddr, ramBytes: bigint): KernelLayout {
  const { PAGE_OFFSET, VMALLOC_START, VMALLOC_END } = layout;
  if (base >= PAGE_OFFSET && base < PAGE_OFFSET + ramBytes) return layout;
  const start = base & -GIB;
  if (base >= start + ramBytes) return layout;
  const end = ((start + ramBytes) & -GIB) + 2n * GIB;
  if (end <= VMALLOC_START) return moved(layout, { PAGE_OFFSET: start });
  const size = VMALLOC_END - VMALLOC_START + 1n;
  if (end + size > REGIONS_END) return layout;
  return moved(layout, { PAGE_OFFSET: start, VMALLOC_START: end, VMALLOC_END: end + size - 1n });
}

/** The regions keep their order: the array of struct page, which the model does not map, comes last. */
function moved(layout: KernelLayout, bases: Partial<KernelLayout>): KernelLayout {
  const result = { ...layout, ...bases, kaslr: true };
  const end = result.VMALLOC_END + 1n;
  return end <= result.VMEMMAP_START ? result : { ...result, VMEMMAP_START: (end & -GIB) + GIB };
}
