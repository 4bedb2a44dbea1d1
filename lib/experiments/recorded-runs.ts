import data from '../data/recorded-runs.json';
import type { KernelConfig } from '../stack/config';
import type { NeighbourKind } from '../stack/scene';
import type { TrialOptions } from '../stack/trial';
import {
  recordedConfig,
  recordedKernel,
  unknownKernel,
  type RecordedKernel,
} from './recorded-kernels';
import { parseRecordings, type Recordings } from './recordings';

/** How a finite overrun ended: within about a second, later, or not seen at all. */
export const ENDINGS = ['immediate', 'delayed', 'silent'] as const;
export type Ending = (typeof ENDINGS)[number];

/** One recorded overrun of a real kernel, or none at all (`control`). Formats: test/fixtures/README.md. */
export interface RecordedRun {
  readonly kernel: RecordedKernel;
  readonly mode: string;
  /** Class of the page just below the stack; any where the stack is vmalloc’ed, or nothing was overrun. */
  readonly below: NeighbourKind;
  readonly ending: Ending;
}

/** The finite direct-map runs that were recorded, as in test/fixtures/overruns.ndjson. */
export const RECORDED_RUNS: readonly RecordedRun[] = data.runs.map(
  ([kernel, mode, below, ending]) => ({ kernel, mode, below, ending }) as RecordedRun,
);

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
 * `politeN…` recursion to N bytes below the base, with the frames of the recording; `control` no overrun, but a
 * small frame that stays inside.
 *
 * @throws RangeError for a mode that is not known or has no end
 */
export function recordedMode(mode: string, config: KernelConfig): TrialOptions {
  if (mode === 'control') return { alloca: 64 };
  const jump = /^jump(\d+)$/.exec(mode);
  if (jump) return { alloca: config.THREAD_SIZE - 512 + Number(jump[1]) };
  const polite = /^polite(\d+)(dense|sparse)$/.exec(mode);
  if (!polite) {
    throw new RangeError(
      `mode: expected jumpN, politeNdense, politeNsparse or control, got ${JSON.stringify(mode)}`,
    );
  }
  const past = Number(polite[1]);
  if (polite[2] === 'sparse') return { past, frames: 'sparse', frame: 512 };
  return { past, frames: 'dense', frame: past > 2048 ? 256 : 128 };
}

/**
 * Reads recorded runs, one JSON object a line. Left out and counted: runs without a result, endless recursion,
 * and kernels that are not known here.
 *
 * @throws RangeError that names the line and what was expected there
 */
export function parseRecordedRuns(text: string): Recordings<RecordedRun> {
  return parseRecordings(text, readRun);
}

function readRun(raw: Readonly<Record<string, unknown>>): RecordedRun | string {
  const { kernel, mode, below, outcome } = raw;
  if (typeof kernel !== 'string' || typeof mode !== 'string') {
    throw new RangeError(
      `expected the keys kernel and mode, got ${Object.keys(raw).join(', ') || 'none'}`,
    );
  }
  const known = recordedKernel(kernel);
  if (!known) return unknownKernel(kernel);
  if (mode.startsWith('runaway')) return 'endless recursion';
  const config = recordedConfig(known);
  recordedMode(mode, config);
  const ending = ENDINGS.find(
    (name) => typeof outcome === 'string' && outcome.split(':')[0] === name,
  );
  if (!ending) return 'no result';
  if (config.VMAP_STACK || mode === 'control') return { kernel: known, mode, below: 'any', ending };
  const found = /\bclass (\w+)/.exec(typeof below === 'string' ? below : '');
  const neighbour = found ? CLASSES[found[1]] : undefined;
  if (!neighbour) {
    throw new RangeError(
      `below: expected "… class C …" with C one of ${Object.keys(CLASSES).join(', ')}, got ${JSON.stringify(below)}`,
    );
  }
  return { kernel: known, mode, below: neighbour, ending };
}
