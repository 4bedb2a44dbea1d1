import { PhysMemory } from '../lib/x86/phys-memory';
import { median } from './processes';

const RUNS = 5;

function milliseconds(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** Building large machines, and rolling back to a checkpoint. */
export function benchMemory(): void {
  for (const gib of [1, 4, 64]) {
    const times: number[] = [];
    let resident = 0;
    for (let i = 0; i < RUNS; i++) {
      const before = process.memoryUsage.rss();
      times.push(milliseconds(() => new PhysMemory(gib * 2 ** 30).write64(0n, 1n)));
      resident = Math.max(resident, process.memoryUsage.rss() - before);
    }
    const mebibytes = (resident / 2 ** 20).toFixed(0);
    console.log(
      `  ${`${gib} GiB built, one page written`.padEnd(42)} ${median(times).toFixed(1).padStart(7)} ms   ${mebibytes} MiB resident`,
    );
  }
  const memory = new PhysMemory(2 ** 30);
  for (const pages of [4, 64, 1024]) {
    memory.checkpoint();
    const trial = (): void => {
      for (let i = 0; i < pages; i++) memory.write64(BigInt(i) << 14n, 7n);
      memory.rollback();
    };
    for (let i = 0; i < 200; i++) trial();
    const times = Array.from({ length: 200 }, () => milliseconds(trial));
    console.log(
      `  ${`${pages} pages written and rolled back`.padEnd(42)} ${(1000 * median(times)).toFixed(0).padStart(7)} us`,
    );
  }
}
