import { hex, type Levels, type PhysAddr, type VirtAddr } from './addr';
import { type AddressRange, listMappings, type Mapping, type TableRoot } from './mappings';
import type { PhysMemory, TableSource } from './phys-memory';
import { type AddressMarker, ptdump } from './ptdump';
import { CR4_LA57, EFER_NXE } from './registers';
import { walk, type WalkResult } from './walk';

const PAGE = 4096;

/** What a dump's index.json says, checked. */
export interface DumpIndex {
  readonly cr3: PhysAddr;
  readonly levels: Levels;
  /** EFER.NXE; true where the index has no EFER. */
  readonly nx: boolean;
  /** Byte offset in tables.bin of each table's page frame. */
  readonly offsetOfPfn: ReadonlyMap<number, number>;
  /** SHA-256 of tables.bin, if the index has it. */
  readonly sha256: string | null;
}

/**
 * Page tables copied out of a machine: pages of 4 KiB, found by page frame number. A table
 * that is not among them is missing, not empty.
 */
export class TableDump implements TableSource, TableRoot {
  readonly cr3: PhysAddr;
  readonly levels: Levels;
  readonly nx: boolean;
  private readonly offsetOfPfn: ReadonlyMap<number, number>;
  private readonly view: DataView;

  /** @throws RangeError unless `tables` is exactly the pages that the index names */
  constructor(index: DumpIndex, tables: Uint8Array) {
    const expected = index.offsetOfPfn.size * PAGE;
    if (tables.length !== expected) {
      throw new RangeError(
        `tables.bin: expected ${expected} bytes (${index.offsetOfPfn.size} tables), ` +
          `got ${tables.length}: truncated, or of another dump`,
      );
    }
    this.cr3 = index.cr3;
    this.levels = index.levels;
    this.nx = index.nx;
    this.offsetOfPfn = index.offsetOfPfn;
    this.view = new DataView(tables.buffer, tables.byteOffset, tables.byteLength);
    const root = Number((index.cr3 >> 12n) & 0xffffffffffn);
    if (!this.hasPage(root)) {
      throw new RangeError(
        `cr3: expected a table of the dump, got page frame 0x${root.toString(16)} (cr3 ${hex(index.cr3, 1)})`,
      );
    }
  }

  hasPage(pfn: number): boolean {
    return this.offsetOfPfn.has(pfn);
  }

  pageWord(pfn: number, index: number): number {
    const offset = this.offsetOfPfn.get(pfn);
    if (offset === undefined) throw new RangeError(`pfn: expected a table of the dump, got ${pfn}`);
    return this.view.getInt32(offset + 4 * index, true);
  }

  /** Looks one address up; see `walk` of walk.ts. */
  walk(va: VirtAddr, maxphyaddr: number = 52): WalkResult {
    return walk(this, { cr3: this.cr3, levels: this.levels, nx: this.nx, maxphyaddr }, va);
  }

  /**
   * Puts the tables where they were in the recorded machine, so that a Cpu can walk them.
   *
   * @throws RangeError if `memory` does not reach that far
   */
  copyTo(memory: PhysMemory): void {
    for (const [pfn, offset] of this.offsetOfPfn) {
      const at = this.view.byteOffset + offset;
      memory.writeBytes(BigInt(pfn) << 12n, new Uint8Array(this.view.buffer, at, PAGE));
    }
  }

  /** All mappings, ascending; neighbours that continue each other with the same bits are one. */
  mappings(range?: AddressRange): Mapping[] {
    return listMappings(this, this, range);
  }

  /** The tables as the kernel prints them. */
  dump(markers?: readonly AddressMarker[]): string {
    return ptdump(this, this, markers);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `TableDump ${this.levels} levels, cr3 ${hex(this.cr3, 1)}, ${this.offsetOfPfn.size} tables`;
  }
}

/**
 * Reads the text of an index.json: `cr3`, `la57` (or `cr4`), `efer` and `tables.offset_of_pfn`.
 *
 * @throws RangeError that names the key, what was expected and what it holds
 */
export function parseDumpIndex(text: string): DumpIndex {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new RangeError('index.json: expected JSON, got something else');
  }
  const index = record(json, 'index.json');
  const cr3 = hexField(index, 'cr3');
  if (cr3 === null) throw new RangeError('index.json: expected a key "cr3", got none');
  const efer = hexField(index, 'efer');
  const tables = record(index.tables, 'index.json: tables');
  return {
    cr3,
    levels: levelsOf(index),
    nx: efer === null || (efer & BigInt(EFER_NXE)) !== 0n,
    offsetOfPfn: offsets(record(tables.offset_of_pfn, 'index.json: tables.offset_of_pfn')),
    sha256: typeof index.sha256_tables_bin === 'string' ? index.sha256_tables_bin : null,
  };
}

function levelsOf(index: Record<string, unknown>): Levels {
  const cr4 = hexField(index, 'cr4');
  const fromCr4 = cr4 === null ? null : (cr4 & BigInt(CR4_LA57)) !== 0n;
  const la57 = index.la57 ?? fromCr4;
  if (typeof la57 !== 'boolean') {
    throw new RangeError(`index.json: la57: expected true or false, got ${show(la57)}`);
  }
  if (fromCr4 !== null && la57 !== fromCr4) {
    throw new RangeError(`index.json: la57: expected ${fromCr4}, as cr4 says, got ${la57}`);
  }
  return la57 ? 5 : 4;
}

/** Offsets of a file that is nothing but tables: multiples of 4096, each once, without a gap. */
function offsets(table: Record<string, unknown>): Map<number, number> {
  const out = new Map<number, number>();
  const keys = Object.keys(table);
  const taken = new Uint8Array(keys.length);
  for (const key of keys) {
    const where = `index.json: tables.offset_of_pfn[${show(key)}]`;
    if (!/^0x[0-9a-f]{1,10}$/i.test(key)) {
      throw new RangeError(`${where}: expected a key such as "0x2a15", got ${show(key)}`);
    }
    const offset = table[key];
    if (typeof offset !== 'number' || !Number.isInteger(offset) || offset < 0 || offset % PAGE) {
      throw new RangeError(`${where}: expected a multiple of 4096, got ${show(offset)}`);
    }
    if (offset / PAGE >= keys.length) {
      const end = keys.length * PAGE;
      throw new RangeError(`${where}: expected less than ${end} (one page a table), got ${offset}`);
    }
    if (taken[offset / PAGE]++ || out.has(Number(key))) {
      throw new RangeError(`${where}: expected each table once, got ${offset} a second time`);
    }
    out.set(Number(key), offset);
  }
  if (out.size === 0) {
    throw new RangeError('index.json: tables.offset_of_pfn: expected tables, got none');
  }
  return out;
}

/** A register: hexadecimal text with or without 0x. Null if the key is missing. */
function hexField(index: Record<string, unknown>, key: string): bigint | null {
  const value = index[key];
  if (value === undefined || value === null) return null;
  const digits = typeof value === 'string' ? /^(?:0x)?([0-9a-f]{1,16})$/i.exec(value) : null;
  if (digits === null) {
    throw new RangeError(`index.json: ${key}: expected "0x…", got ${show(value)}`);
  }
  return BigInt('0x' + digits[1]);
}

function record(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RangeError(`${where}: expected an object, got ${show(value)}`);
  }
  return value as Record<string, unknown>;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
