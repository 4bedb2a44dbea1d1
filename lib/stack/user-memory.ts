import { PageTable } from '../x86/page-table';
import { walk } from '../x86/walk';
import type { VirtAddr } from '../x86/addr';
import type { Machine } from './machine';
import { pgdAlloc } from './mm-context';

const PAGE = 4096;
const HEAP = 0x10000000n;
const PMD_SIZE = 0x200000n;

/** A page of a user program that its owner looks at now and then. */
interface UserPage {
  readonly va: VirtAddr;
  readonly pfn: number;
  /** Every byte of it, as its owner wrote it. */
  readonly byte: number;
  readonly class: 'anon' | 'file';
  readonly read: boolean;
}

/**
 * The memory of the program that fills the machine: anonymous pages and files, mapped by page tables in
 * simulated memory, which it reads again and compares. Some pages nobody ever reads again.
 */
export class UserMemory {
  private readonly pageTable: PageTable;
  private readonly pages: UserPage[] = [];
  /** Page-table page → pages that are translated through it. */
  private readonly byTable = new Map<number, UserPage[]>();
  private readonly byPfn = new Map<number, UserPage>();
  private nextVa = HEAP;
  /** The page that is read: one array for all. */
  private readonly bytes = new Uint8Array(PAGE);
  private readonly words = new Int32Array(this.bytes.buffer);
  /** Page frames that the next page tables are to lie in. */
  private readonly tablePfns: number[] = [];

  constructor(private readonly m: Machine) {
    const allocTable = () =>
      this.tablePfns.shift() ?? m.pageAllocator.allocPages(0, { class: 'pagetable' });
    const root = pgdAlloc(m);
    if (root === null) throw new RangeError('user memory: expected a page for its first table');
    this.pageTable = new PageTable(m.memory, { levels: m.layout.levels, allocTable, root });
  }

  /** Pages given out so far. */
  get size(): number {
    return this.pages.length;
  }

  /** Maps a page frame that the caller allocated, and fills it. `read`: its owner looks at it again. */
  add(pfn: number, kind: 'anon' | 'file', read: boolean): void {
    const { m } = this;
    const va = this.nextVa;
    this.nextVa += BigInt(PAGE);
    const byte = 1 + (this.pages.length % 250);
    const mapped = this.pageTable.map(va, BigInt(pfn) << 12n, PAGE, { user: true, writable: true });
    if (typeof mapped === 'string')
      throw new RangeError(`user page: expected to map it, got ${mapped}`);
    mapped.ignore(); // Not present before: nothing can be cached.
    m.memory.fill(BigInt(pfn) << 12n, PAGE, byte);
    const page: UserPage = { va, pfn, byte, class: kind, read };
    this.pages.push(page);
    this.byPfn.set(pfn, page);
    for (const table of this.tablesOf(va)) {
      const through = this.byTable.get(table) ?? [];
      through.push(page);
      this.byTable.set(table, through);
    }
  }

  /**
   * Has the page frame `table`, allocated by the caller, hold the entries of the pages in `pfns`, spread
   * evenly over its 512 entries.
   */
  addTable(table: number, pfns: readonly number[]): void {
    const start = (this.nextVa + PMD_SIZE - 1n) & -PMD_SIZE;
    const step = PMD_SIZE / BigInt(pfns.length);
    this.tablePfns.push(table);
    pfns.forEach((pfn, i) => {
      this.nextVa = start + BigInt(i) * step;
      this.add(pfn, 'anon', true);
    });
    this.nextVa = start + PMD_SIZE;
  }

  /**
   * The program reads its pages through its page tables and says which are not as it left them. Pages that
   * nothing wrote to since the snapshot, through tables that nothing wrote to, are what they were; they
   * are not read.
   */
  verify(): void {
    const { m } = this;
    const suspects = this.suspects();
    if (suspects.length === 0) return;
    const corrupt = { anon: 0, file: 0 };
    const { cpu } = m;
    const { cr3 } = cpu;
    cpu.setCr3(BigInt(this.pageTable.root) << 12n);
    cpu.cpl = 3;
    for (const page of suspects) if (!this.isIntact(page)) corrupt[page.class]++;
    cpu.cpl = 0;
    cpu.setCr3(cr3);
    if (corrupt.anon > 0) m.printk(`HOG ANON CORRUPT ${corrupt.anon} pages`);
    if (corrupt.file > 0) m.printk(`HOG FILE CORRUPT ${corrupt.file} files`);
  }

  private suspects(): readonly UserPage[] {
    if (!this.m.hasSnapshot) return this.pages.filter(({ read }) => read);
    const suspects = new Set<UserPage>();
    const { byPfn, byTable } = this;
    const known = (pfn: number) => byPfn.has(pfn) || byTable.has(pfn);
    for (const pfn of this.m.memory.writtenPfns.filter(known).sort((a, b) => a - b)) {
      const page = byPfn.get(pfn);
      if (page?.read) suspects.add(page);
      for (const through of byTable.get(pfn) ?? []) if (through.read) suspects.add(through);
    }
    return [...suspects];
  }

  /** A user-mode read of the whole page. A missing page would be filled with zeroes by the kernel. */
  private isIntact({ va, byte }: UserPage): boolean {
    const fault = this.m.cpu.loadInto(this.bytes, va);
    if (fault?.reason === 'reserved-bit') this.m.raiseAndLeave(fault);
    if (fault !== null) return false;
    const word = Math.imul(byte, 0x01010101);
    for (const read of this.words) if (read !== word) return false;
    return true;
  }

  private tablesOf(va: VirtAddr): number[] {
    const { levels, mmu } = this.m.cpu;
    const cr3 = BigInt(this.pageTable.root) << 12n;
    const { entries } = walk(this.m.memory, { cr3, levels, maxphyaddr: mmu.maxphyaddr }, va);
    return entries.map(({ address }) => Number(address >> 12n));
  }
}
