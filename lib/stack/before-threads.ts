import { TEXT_PHYS, TEXT_SIZE } from './boot';
import type { Machine } from './machine';

/** Text of the probe, as its functions' lengths say, and its data: 6000 pointers, a copy of a page. */
export const PROBE_TEXT_PAGES = 2;
const PROBE_DATA_PAGES = 14;
/** Where its data are mapped: above all modules' text. */
const PROBE_DATA = 0x40000n;

/**
 * What ran before: every cache has some objects in use and some free ones in between, so that no two
 * machines start their threads from the same slabs.
 *
 * @param bootPages so many single pages were taken, and half of them given back, here and there: the pages of
 *   the first programs and of the module lie where the boot's were
 */
export function leaveHistory(m: Machine, bootPages: number): void {
  const pages = Array.from({ length: bootPages }, () =>
    m.pageAllocator.allocPages(0, { class: 'kernel' }),
  );
  for (const pfn of m.random.shuffle(pages).slice(0, bootPages / 2)) {
    if (pfn !== null) m.pageAllocator.freePages(pfn, 0);
  }
  for (const [name, cache] of m.caches) {
    const { objectsPerSlab } = cache.layout;
    const objects = Array.from({ length: m.random.below(2 * objectsPerSlab) }, () =>
      m.allocObject(name),
    );
    for (const object of objects) {
      if (object !== null && m.random.chance(0.3)) m.freeObject(name, object);
    }
  }
}

/**
 * mark_rodata_ro() and free_initmem(), just before the first program starts: text read-only, in the direct map
 * too; what follows the text not executable; the memory of the init sections ordinary again. Text and init
 * sections end inside 2 MiB pages of the image's mapping. These are split, and the tables that takes are pages
 * of the allocator: they lie where the first programs' pages lie.
 */
export function markRodataRo(m: Machine): void {
  const { directMap, pageTable, layout } = m;
  const alias = directMap.physToVirt(TEXT_PHYS);
  directMap.setMemory(alias, Number(TEXT_SIZE >> 12n), { writable: false }).flush.discharge(m.cpu);
  for (const va of [layout._text + TEXT_SIZE - 4096n, layout._text + TEXT_SIZE]) {
    const flush = pageTable.split(va);
    if (typeof flush === 'string')
      throw new RangeError(`text: expected to split its pages, got ${flush}`);
    flush.discharge(m.cpu);
  }
}

/**
 * load_module() of the probe: single pages wherever the allocator has them, mapped one after the other. Since
 * 4.11 its text is made read-only (STRICT_MODULE_RWX, always on for x86), and the direct map's view of those
 * pages with it: the 2 MiB pages that they lie in are split, and the table of each new 4 KiB mapping is a page
 * of the allocator, like any other. Left out: what the data pages hold, struct module among it.
 *
 * @throws RangeError if memory runs out
 */
export function loadProbeModule(m: Machine): void {
  const { config, layout, pageAllocator, pageTable, directMap } = m;
  if (m.probeModuleLoaded) return;
  m.probeModuleLoaded = true;
  const load = (at: bigint, pages: number, executable: boolean): number[] =>
    Array.from({ length: pages }, (_, i) => {
      const pfn = pageAllocator.allocPages(0, { class: 'kernel' });
      if (pfn === null) throw new RangeError('module: expected more memory: it ran out');
      m.memory.clearPage(pfn);
      const bits = { writable: !executable, executable, global: true };
      pageTable.map(at + BigInt(i * 4096), BigInt(pfn) << 12n, 4096, bits);
      return pfn;
    });
  const text = load(layout.MODULES_VADDR, PROBE_TEXT_PAGES, true);
  load(layout.MODULES_VADDR + PROBE_DATA, PROBE_DATA_PAGES, false);
  if (!config.protectsModuleText) return;
  for (const pfn of text) {
    const alias = directMap.physToVirt(BigInt(pfn) << 12n);
    directMap.setMemory(alias, 1, { writable: false }).flush.discharge(m.cpu);
  }
}
