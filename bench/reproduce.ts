/**
 * What the runner adds to executing the cells of the course: `node -r ts-node/register bench/reproduce.ts
 * [NOTEBOOK…]`. One notebook at a time, so that nothing overlaps.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { reproduce } from '../lib/jupyter/reproduce/reproduce';
import { countsLine } from '../lib/jupyter/reproduce/result';
import { locate } from '../lib/setup/project';

async function main(): Promise<void> {
  const project = locate();
  const asked = process.argv.slice(2);
  const course = readdirSync(project.notebooks).filter((name) => name.endsWith('.ipynb'));
  const files = asked.length > 0 ? asked : course.map((name) => join(project.notebooks, name));
  const began = new Map<string, number>();
  let notebooks = 0;
  const start = performance.now();
  const results = await reproduce({
    project,
    files,
    cellTimeoutMs: 120_000,
    jobs: 1,
    onProgress: (progress) => {
      if (progress.type === 'started') began.set(progress.name, performance.now());
      if (progress.type !== 'done') return;
      const from = began.get(progress.result.name);
      if (from !== undefined) notebooks += performance.now() - from;
    },
  });
  const all = performance.now() - start;
  const sum = (of: (result: (typeof results)[number]) => number) =>
    results.reduce((total, result) => total + of(result), 0);
  const kernels = sum(({ startMs }) => startMs);
  const cells = sum(({ cells: runs }) => runs.reduce((total, { ms }) => total + ms, 0));
  const rest = notebooks - kernels - cells;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  console.log(`${countsLine(results)}; ${seconds(all)} in all`);
  console.log(`server: ${seconds(all - notebooks)}, kernel starts: ${seconds(kernels)}`);
  console.log(`cells: ${seconds(cells)}`);
  console.log(
    `besides (sending, comparing, ending kernels): ${seconds(rest)}, ${((100 * rest) / cells).toFixed(1)} % of the cells`,
  );
}

void main();
