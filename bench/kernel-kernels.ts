import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { StartOptions } from '../test/jupyter/kernel/client';
import { KernelClient, MAIN, ROOT } from '../test/jupyter/kernel/client';

/** A kernel to measure. */
export interface Candidate {
  name: string;
  start: StartOptions;
}

const tslab = join(ROOT, 'node_modules/tslab/bin/tslab');

/** Ours, stock tslab, and deno's if the environment variable DENO names a binary of it. */
export function candidates(): Candidate[] {
  const { DENO } = process.env;
  const all: Candidate[] = [
    { name: 'guardpage', start: { argv: [process.execPath, MAIN] } },
    {
      name: 'tslab',
      start: { argv: [process.execPath, tslab, 'kernel', '--config-path'], lenient: true },
    },
  ];
  if (DENO !== undefined && existsSync(DENO)) {
    all.push({
      name: 'deno',
      start: { argv: [DENO, 'jupyter', '--kernel', '--conn'], lenient: true },
    });
  }
  return all;
}

/** Starts a kernel, hands it over, and ends it whatever happens. */
export async function withKernel<T>(
  { start }: Candidate,
  use: (kernel: KernelClient) => Promise<T>,
): Promise<T> {
  const kernel = await KernelClient.start(start);
  try {
    return await use(kernel);
  } finally {
    kernel.process.kill('SIGKILL');
    await kernel.exited();
    kernel.close();
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
