import { layoutFor } from '../lib/mm/layout';
import { DirectMap } from '../lib/mm/direct-map';
import { PageAllocator } from '../lib/mm/page-allocator';
import { Vmalloc } from '../lib/mm/vmalloc';
import { Cpu } from '../lib/x86/cpu';
import { PageTable } from '../lib/x86/page-table';
import { PhysMemory } from '../lib/x86/phys-memory';
import { median } from './processes';

function build(bytes: number) {
  const version = '6.1';
  const memory = new PhysMemory(bytes);
  const pageAllocator = new PageAllocator(memory, { version });
  const layout = layoutFor({ version, levels: 4 });
  const allocTable = () => pageAllocator.allocPages(0, { class: 'pagetable' });
  const pageTable = new PageTable(memory, { levels: 4, allocTable });
  const directMap = new DirectMap({ memory, pageTable, layout });
  const cpu = new Cpu(memory, { levels: 4 });
  cpu.setCr3(pageTable.cr3);
  const vmalloc = new Vmalloc({ layout, pageTable, pageAllocator, version, onlineCpus: 1, cpu });
  return { memory, pageAllocator, directMap, vmalloc, cpu };
}

function milliseconds(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** Setting up memory management, and going back to a snapshot after a trial. */
export function benchMemoryManagement(): void {
  for (const [name, bytes] of [
    ['64 MiB', 2 ** 26],
    ['64 GiB', 2 ** 36],
  ] as const) {
    const before = process.memoryUsage.rss();
    let resident = 0;
    const times = Array.from({ length: 5 }, () => {
      const time = milliseconds(() => build(bytes));
      resident = Math.max(resident, process.memoryUsage.rss() - before);
      return time;
    });
    const mebibytes = (resident / 2 ** 20).toFixed(0);
    console.log(
      `  ${`${name}: allocator, direct map, vmalloc`.padEnd(46)} ${median(times).toFixed(1).padStart(7)} ms   ${mebibytes} MiB resident`,
    );
  }
  const machine = build(2 ** 26);
  const parts = [machine.pageAllocator, machine.vmalloc, machine.directMap];
  machine.memory.checkpoint();
  for (const part of parts) part.snapshot();
  for (const stacks of [1, 10, 100]) {
    const trial = () => {
      for (let i = 0; i < stacks; i++) machine.vmalloc.vmalloc(16384, { align: 16384 });
      machine.memory.rollback();
      for (const part of parts) part.restore();
    };
    for (let i = 0; i < 300; i++) trial();
    const times = Array.from({ length: 300 }, () => milliseconds(trial));
    console.log(
      `  ${`${stacks} stacks allocated, snapshot restored`.padEnd(46)} ${(1000 * median(times)).toFixed(0).padStart(7)} us`,
    );
  }
}
