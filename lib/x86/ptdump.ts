import { hex, type VirtAddr } from './addr';
import { leafFlags, visitEntries, type TableRoot } from './mappings';
import type { TableSource } from './phys-memory';
import {
  _PAGE_GLOBAL,
  _PAGE_NX,
  _PAGE_PAT,
  _PAGE_PAT_LARGE,
  _PAGE_PCD,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_PWT,
  _PAGE_RW,
  _PAGE_USER,
  levelName,
} from './pte';

/** A heading of the dump: printed where the address space reaches `start`. */
export interface AddressMarker {
  start: VirtAddr;
  name: string;
}

const MARKERS: readonly AddressMarker[] = [
  { start: 0n, name: 'User Space' },
  { start: 1n << 63n, name: 'Kernel Space' },
];

/**
 * The page tables as the kernel prints them in /sys/kernel/debug/page_tables/kernel: runs of
 * entries of one level with the same bits, holes too (arch/x86/mm/dump_pagetables.c).
 *
 * @param markers headings, ascending; the first at 0
 */
export function ptdump(
  source: TableSource,
  root: TableRoot,
  markers: readonly AddressMarker[] = MARKERS,
): string {
  const lines: string[] = [`---[ ${markers[0].name} ]---`];
  let marker = 0;
  let run: { start: VirtAddr; level: number; bits: bigint; effective: bigint } | null = null;
  const finish = (end: VirtAddr): void => {
    if (run === null) return;
    const prot = protection(run.bits, run.level, levelName(run.level, root.levels));
    lines.push(`${hex(run.start)}-${hex(end)}   ${sizeColumn(end - run.start)} ${prot}`);
  };
  visitEntries(source, root, ({ va, level, raw, effective }) => {
    const bits = leafFlags(raw, level);
    const atMarker = marker + 1 < markers.length && va >= markers[marker + 1].start;
    const same =
      run !== null && run.level === level && run.bits === bits && run.effective === effective;
    if (same && !atMarker) return;
    finish(va);
    if (atMarker) lines.push(`---[ ${markers[++marker].name} ]---`);
    run = { start: va, level, bits, effective };
  });
  finish(0n);
  return lines.join('\n') + '\n';
}

/** Nine columns and a unit, the largest that divides the size. */
function sizeColumn(bytes: bigint): string {
  let n = BigInt.asUintN(64, bytes);
  let unit = 0;
  while ((n & 1023n) === 0n && unit < 6) {
    n >>= 10n;
    unit++;
  }
  return String(n).padStart(9) + 'BKMGTPE'[unit];
}

function protection(bits: bigint, level: number, name: string): string {
  if (!(bits & _PAGE_PRESENT)) return ' '.repeat(30) + name;
  const column = (on: boolean, text: string): string => (on ? text : '').padEnd(4);
  const pat = level === 1 ? bits & _PAGE_PAT : level <= 3 ? bits & _PAGE_PAT_LARGE : 0n;
  return (
    column((bits & _PAGE_USER) !== 0n, 'USR') +
    (bits & _PAGE_RW ? 'RW ' : 'ro ') +
    column((bits & _PAGE_PWT) !== 0n, 'PWT') +
    column((bits & _PAGE_PCD) !== 0n, 'PCD') +
    column(level > 1 && (bits & _PAGE_PSE) !== 0n, 'PSE') +
    column(pat !== 0n, 'PAT') +
    column((bits & _PAGE_GLOBAL) !== 0n, 'GLB') +
    (bits & _PAGE_NX ? 'NX ' : 'x  ') +
    name
  );
}
