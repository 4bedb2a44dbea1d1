import { kernelConfig, type Era, type KernelConfig, type KernelOptions } from '../stack/config';

/** The small kernels of the recordings, as test/fixtures/README.md names them. */
export const RECORDED_KERNELS = ['A16', 'A16nc', 'A16c', 'B8', 'B8nc', 'C16v'] as const;
export type RecordedKernel = (typeof RECORDED_KERNELS)[number];

const BUILDS: Readonly<Record<RecordedKernel, KernelOptions & { readonly era: Era }>> = {
  A16: { era: '16k', stackEndCheck: true },
  A16nc: { era: '16k', stackEndCheck: false },
  A16c: { era: '16k', stackEndCheck: true, compaction: true },
  B8: { era: '8k', stackEndCheck: true },
  B8nc: { era: '8k', stackEndCheck: false },
  C16v: { era: 'vmap', stackEndCheck: true },
};

/** The kernel as it was built for the recording: 6.1 without stack protector and SMP. */
export function recordedConfig(kernel: RecordedKernel): KernelConfig {
  const { era, ...options } = BUILDS[kernel];
  return kernelConfig(era, { ...options, kernel: '6.1', stackProtector: false, smp: false });
}

/** What a file of recordings holds: the runs that can be simulated, and what was left out. */
export interface Recordings<T> {
  readonly runs: readonly T[];
  readonly leftOut: readonly LeftOut[];
}

export interface LeftOut {
  readonly why: string;
  readonly lines: number;
}

/**
 * Reads recordings, one JSON object a line.
 *
 * @param read a run, or why that line is left out
 * @throws RangeError that names the line and what was expected there
 */
export function parseRecordings<T extends object>(
  text: string,
  read: (raw: Readonly<Record<string, unknown>>) => T | string,
): Recordings<T> {
  const runs: T[] = [];
  const leftOut = new Map<string, number>();
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const where = `line ${index + 1}`;
    let run: T | string;
    try {
      run = read(parseObject(line));
    } catch (error) {
      if (error instanceof RangeError) throw new RangeError(`${where}: ${error.message}`);
      throw error;
    }
    if (typeof run === 'string') leftOut.set(run, (leftOut.get(run) ?? 0) + 1);
    else runs.push(run);
  });
  return { runs, leftOut: [...leftOut].map(([why, lines]) => ({ why, lines })) };
}

function parseObject(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  throw new RangeError(`expected a JSON object, got ${line.slice(0, 60)}`);
}

/** The kernel of that name; otherwise why it is left out. */
export function recordedKernel(name: string): RecordedKernel | null {
  return RECORDED_KERNELS.find((known) => known === name) ?? null;
}

/** For a line whose kernel nobody here knows how to build. */
export const unknownKernel = (name: string): string =>
  `kernel ${name}, not one of ${RECORDED_KERNELS.join(', ')}`;
