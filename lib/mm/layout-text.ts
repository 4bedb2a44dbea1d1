import type { KernelLayout } from './layout';

interface Row {
  start: bigint;
  end: bigint;
  what: string;
}

/**
 * The layout as a table in the form of Documentation/arch/x86/x86_64/mm.rst, regions only, lowest
 * address first.
 */
export function layoutText(layout: KernelLayout): string {
  const TIB = 1n << 40n;
  const half = layout.levels === 5 ? 56n : 47n;
  const rows: Row[] = [
    { start: 0n, end: (1n << half) - 1n, what: 'user-space virtual memory, different per mm' },
    {
      start: layout.PAGE_OFFSET,
      end: layout.DIRECT_MAP_END,
      what: 'direct mapping of all physical memory (page_offset_base)',
    },
    {
      start: layout.VMALLOC_START,
      end: layout.VMALLOC_END,
      what: 'vmalloc/ioremap space (vmalloc_base)',
    },
    {
      start: layout.VMEMMAP_START,
      end: layout.VMEMMAP_START + (layout.levels === 5 ? 512n : 1n) * TIB - 1n,
      what: 'virtual memory map (vmemmap_base)',
    },
    { start: layout.ESPFIX_BASE_ADDR, end: 0xffffff7fffffffffn, what: '%esp fixup stacks' },
    {
      start: layout.__START_KERNEL_map,
      end: layout.MODULES_VADDR - 1n,
      what: 'kernel text mapping, mapped to physical address 0',
    },
    { start: layout.MODULES_VADDR, end: layout.MODULES_END, what: 'module mapping space' },
    {
      start: layout.VSYSCALL_ADDR,
      end: layout.VSYSCALL_ADDR + 0xfffn,
      what: 'legacy vsyscall ABI',
    },
  ];
  if (layout.CPU_ENTRY_AREA !== null) {
    const start = layout.CPU_ENTRY_AREA;
    rows.push({ start, end: start + TIB / 2n - 1n, what: 'cpu_entry_area mapping' });
  }
  if (layout.LDT_BASE_ADDR !== null) {
    const start = layout.LDT_BASE_ADDR;
    rows.push({ start, end: start + TIB / 2n - 1n, what: 'LDT remap for PTI' });
  }
  rows.sort((a, b) => (a.start < b.start ? -1 : 1));
  const head = '    Start addr    |     End addr     |   Size   | VM area description';
  const lines = rows.map(
    ({ start, end, what }) =>
      ` ${digits(start)} | ${digits(end)} | ${sizeText(end - start + 1n).padStart(8)} | ${what}`,
  );
  return [head, ...lines].join('\n');
}

function digits(address: bigint): string {
  return address.toString(16).padStart(16, '0');
}

function sizeText(bytes: bigint): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024n && value % 1024n === 0n && unit < units.length - 1) {
    value /= 1024n;
    unit++;
  }
  return `${value} ${units[unit]}`;
}
