import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';

/** What one process measured. */
export interface Sample {
  rate: number;
  checksum: number;
}

/** How many processes a figure is the median of. */
export const PROCESSES = 5;

/** Runs a program that prints one line of JSON. */
export function sample(command: string, args: readonly string[]): Sample {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return JSON.parse(stdout) as Sample;
}

/** Runs a TypeScript file of this folder in a process of its own. */
export function sampleScript(file: string, ...args: string[]): Sample {
  return sample(process.execPath, ['-r', 'ts-node/register', file, ...args]);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Processor, cores, Node and V8: what a figure must be read with. */
export function machine(): string {
  const list = cpus();
  const { node, v8 } = process.versions;
  return `${list[0]?.model.trim() ?? 'unknown CPU'}, ${list.length} cores, Node ${node} (V8 ${v8})`;
}
