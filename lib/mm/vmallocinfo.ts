import type { VmFlag, VmStruct } from './vm-struct';

/** One line of /proc/vmallocinfo as data. */
export interface VmallocinfoEntry {
  readonly addr: bigint;
  /** Bytes from first to last address, guard page included. */
  readonly size: number;
  /** Null for a line without one: unpurged, vm_map_ram. */
  readonly caller: string | null;
  readonly pages: number;
  readonly physAddr: bigint | null;
  readonly flags: readonly VmFlag[];
  readonly vpages: boolean;
  /** Pages by NUMA node; empty when the line names none. */
  readonly nodes: readonly (readonly [node: number, pages: number])[];
  /** What stands in place of a caller. */
  readonly note: 'unpurged vm_area' | 'vm_map_ram' | null;
}

const FLAG_ORDER: readonly VmFlag[] = ['ioremap', 'vmalloc', 'vmap', 'user', 'dma-coherent'];

/** `0x…-0x…   20480 kernel_clone+0xbf/0x430 pages=4 vmalloc N0=4`: s_show() of mm/vmalloc.c. */
export function vmallocinfoLine(area: VmStruct): string {
  const pages = area.nrPages;
  return entryText({
    addr: area.addr,
    size: area.size,
    caller: area.caller || null,
    pages,
    physAddr: area.physAddr,
    flags: area.flags,
    vpages: area.vpages,
    nodes: pages > 0 ? [[0, pages]] : [],
    note: null,
  });
}

/** The line of a range that was freed and waits for the purge. */
export function unpurgedLine(addr: bigint, size: number): string {
  return `${rangeText(addr, size)} unpurged vm_area`;
}

/** One entry as its line, without the line end. */
export function entryText(entry: VmallocinfoEntry): string {
  const words = [rangeText(entry.addr, entry.size)];
  if (entry.note) words.push(entry.note);
  if (entry.caller) words.push(entry.caller);
  if (entry.pages) words.push(`pages=${entry.pages}`);
  if (entry.physAddr !== null) words.push(`phys=0x${digits(entry.physAddr)}`);
  for (const flag of FLAG_ORDER) if (entry.flags.includes(flag)) words.push(flag);
  if (entry.vpages) words.push('vpages');
  for (const [node, pages] of entry.nodes) words.push(`N${node}=${pages}`);
  return words.join(' ');
}

function rangeText(addr: bigint, size: number): string {
  return `0x${digits(addr)}-0x${digits(addr + BigInt(size))} ${String(size).padStart(7)}`;
}

function digits(address: bigint): string {
  return address.toString(16).padStart(16, '0');
}

const LINE = /^0x([0-9a-f]{16})-0x([0-9a-f]{16})\s+(\d+)(?: (.*))?$/;

/**
 * Reads a listing of /proc/vmallocinfo; blank lines are skipped.
 *
 * @throws RangeError for a line that is none of its
 */
export function parseVmallocinfo(text: string): VmallocinfoEntry[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseLine);
}

/** The listing as text, each line with its end. */
export function vmallocinfoText(entries: readonly VmallocinfoEntry[]): string {
  return entries.map((entry) => `${entryText(entry)}\n`).join('');
}

function parseLine(line: string): VmallocinfoEntry {
  const match = LINE.exec(line.trimEnd());
  if (!match) {
    throw new RangeError(
      `vmallocinfo: expected '0xSTART-0xEND SIZE caller …', got '${line.slice(0, 80)}'`,
    );
  }
  const rest = match[4] ?? '';
  const note = rest === 'unpurged vm_area' || rest === 'vm_map_ram' ? rest : null;
  const words = note || rest === '' ? [] : rest.split(' ');
  const flags = FLAG_ORDER.filter((flag) => words.includes(flag));
  const value = (key: string) =>
    words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const isAttribute = (word: string) =>
    /^(pages|phys|N\d+)=/.test(word) || word === 'vpages' || flags.includes(word as VmFlag);
  const phys = value('phys');
  // A caller in a module is two words: `symbol+0x1/0x2 [module]`.
  const callerWords = words.slice(0, words.findIndex(isAttribute) >>> 0);
  return {
    addr: BigInt(`0x${match[1]}`),
    size: Number(match[3]),
    caller: callerWords.length > 0 ? callerWords.join(' ') : null,
    pages: Number(value('pages') ?? 0),
    physAddr: phys === undefined ? null : BigInt(phys),
    flags,
    vpages: words.includes('vpages'),
    nodes: words.flatMap((word): [number, number][] => {
      const found = /^N(\d+)=(\d+)$/.exec(word);
      return found ? [[Number(found[1]), Number(found[2])]] : [];
    }),
    note,
  };
}
