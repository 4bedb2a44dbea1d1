import data from '../data/recorded-runs.json';
import { kernelConfig, type Era, type KernelConfig } from '../stack/config';
import type { NeighbourKind } from '../stack/scene';
import type { TrialOptions } from '../stack/trial';

/** How a finite overrun ended: within about a second, later, or not seen at all. */
export const ENDINGS = ['immediate', 'delayed', 'silent'] as const;
export type Ending = (typeof ENDINGS)[number];

/** One recorded overrun of a real kernel in the direct map (formats: test/fixtures/README.md). */
export interface RecordedRun {
  readonly kernel: RecordedKernel;
  readonly mode: string;
  /** Class of the page just below the stack. */
  readonly below: NeighbourKind;
  readonly ending: Ending;
}

export const RECORDED_KERNELS = ['A16', 'A16nc', 'B8', 'B8nc'] as const;
export type RecordedKernel = (typeof RECORDED_KERNELS)[number];

/** The finite direct-map runs that were recorded, as in test/fixtures/overruns.ndjson. */
export const RECORDED_RUNS: readonly RecordedRun[] = data.runs.map(
  ([kernel, mode, below, ending]) => ({ kernel, mode, below, ending }) as RecordedRun,
);

const BUILDS: Readonly<Record<RecordedKernel, { era: Era; stackEndCheck: boolean }>> = {
  A16: { era: '16k', stackEndCheck: true },
  A16nc: { era: '16k', stackEndCheck: false },
  B8: { era: '8k', stackEndCheck: true },
  B8nc: { era: '8k', stackEndCheck: false },
};

/** The kernel as it was built for the recording: 6.1 without VMAP_STACK, stack protector and SMP. */
export function recordedConfig(kernel: RecordedKernel): KernelConfig {
  return kernelConfig(BUILDS[kernel].era, {
    ...BUILDS[kernel],
    kernel: '6.1',
    stackProtector: false,
    smp: false,
  });
}

const CLASSES: Readonly<Record<string, NeighbourKind>> = {
  stack: 'stack',
  slab: 'slab',
  buddy: 'free',
  anon: 'anon',
  file: 'file',
  pgtable: 'pagetable',
  kother: 'other',
};

/**
 * What the probe was told in a recorded mode: `jumpN` is an alloca of THREAD_SIZE − 512 + N bytes;
 * `politeN…` recursion to N bytes below the base, with the frames of the recording.
 *
 * @throws RangeError for a mode that is not known or has no end
 */
export function recordedMode(mode: string, config: KernelConfig): TrialOptions {
  const jump = /^jump(\d+)$/.exec(mode);
  if (jump) return { alloca: config.THREAD_SIZE - 512 + Number(jump[1]) };
  const polite = /^polite(\d+)(dense|sparse)$/.exec(mode);
  if (!polite) {
    throw new RangeError(
      `mode: expected jumpN or politeNdense or politeNsparse, got ${JSON.stringify(mode)}`,
    );
  }
  const past = Number(polite[1]);
  if (polite[2] === 'sparse') return { past, frames: 'sparse', frame: 512 };
  return { past, frames: 'dense', frame: past > 2048 ? 256 : 128 };
}

/**
 * Reads recorded runs, one JSON object a line. Left out: runs without a result, endless recursion, and
 * kernels with VMAP_STACK, where no page lies below the stack.
 *
 * @throws RangeError that names the line and what was expected there
 */
export function parseRecordedRuns(text: string): RecordedRun[] {
  const runs: RecordedRun[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const run = readRun(line, index + 1);
    if (run) runs.push(run);
  });
  return runs;
}

function readRun(line: string, number: number): RecordedRun | null {
  const raw = parseLine(line, number);
  const { kernel, mode, below, outcome } = raw;
  if (typeof kernel !== 'string' || typeof mode !== 'string') {
    throw new RangeError(
      `line ${number}: expected the keys kernel and mode, got ${line.slice(0, 60)}`,
    );
  }
  const known = RECORDED_KERNELS.find((name) => name === kernel);
  const ending = ENDINGS.find(
    (name) => typeof outcome === 'string' && outcome.split(':')[0] === name,
  );
  if (!known || !ending || mode.startsWith('runaway')) return null;
  recordedMode(mode, recordedConfig(known));
  const found = /\bclass (\w+)/.exec(typeof below === 'string' ? below : '');
  const neighbour = found ? CLASSES[found[1]] : undefined;
  if (!neighbour) {
    throw new RangeError(
      `line ${number}: below: expected "… class C …" with C one of ${Object.keys(CLASSES).join(', ')}, got ${JSON.stringify(below)}`,
    );
  }
  return { kernel: known, mode, below: neighbour, ending };
}

/** One line of a recording: a JSON object, or a RangeError that names the line. */
export function parseLine(line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below, with the line's number.
  }
  throw new RangeError(`line ${number}: expected a JSON object, got ${line.slice(0, 60)}`);
}
