import data from '../data/recorded-runs.json';
import type { KernelConfig } from '../stack/config';
import type { NeighbourKind } from '../stack/scene';
import type { TrialOptions } from '../stack/trial';
import {
  recordedConfig,
  recordedKernel,
  RECORDED_KERNELS,
  type RecordedKernel,
} from './recorded-kernels';
import { parseRecordings, unknown, type Recordings } from './recordings';

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

const MODES = ['jumpN', 'politeNdense', 'politeNsparse', 'control'];
/** Bytes, the N of a mode: a quarter of the address space, whose upper half is the kernel's. */
const MOST = 2 ** 46;

/**
 * What the probe was told in a recorded mode: `jumpN` is an alloca of THREAD_SIZE − 512 + N bytes;
 * `politeN…` recursion to N bytes below the base, with the frames of the recording; `control` no overrun, but a
 * small frame that stays inside.
 *
 * @throws RangeError for a mode that is not known or has no end
 */
export function recordedMode(mode: string, config: KernelConfig): TrialOptions {
  const options = optionsOf(mode, config);
  if (options) return options;
  throw new RangeError(
    `mode: expected ${MODES.join(', ')} with N up to ${MOST}, got ${JSON.stringify(mode)}`,
  );
}

function optionsOf(mode: string, config: KernelConfig): TrialOptions | null {
  if (mode === 'control') return { alloca: 64 };
  const [, jump, polite, frames] = /^(?:jump(\d+)|polite(\d+)(dense|sparse))$/.exec(mode) ?? [];
  const below = Number(jump ?? polite);
  if (!(below <= MOST)) return null;
  if (jump !== undefined) return { alloca: config.THREAD_SIZE - 512 + below };
  if (frames === 'sparse') return { past: below, frames: 'sparse', frame: 512 };
  return { past: below, frames: 'dense', frame: below > 2048 ? 256 : 128 };
}

/**
 * Reads recorded runs, one JSON object a line. Left out and counted: kernels, modes and classes of pages that
 * are not known here, endless recursion, and runs without a result.
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
  if (!known) return unknown('kernel', kernel, RECORDED_KERNELS);
  if (mode.startsWith('runaway')) return 'endless recursion';
  const config = recordedConfig(known);
  if (!optionsOf(mode, config)) return unknown('mode', mode, MODES);
  const ending = ENDINGS.find(
    (name) => typeof outcome === 'string' && outcome.split(':')[0] === name,
  );
  if (!ending) return 'no result';
  if (config.VMAP_STACK || mode === 'control') return { kernel: known, mode, below: 'any', ending };
  const name = /\bclass (\w+)/.exec(typeof below === 'string' ? below : '')?.[1];
  if (name === undefined) {
    throw new RangeError(
      `below: expected "… class C …" with C one of ${Object.keys(CLASSES).join(', ')}, got ${JSON.stringify(below)}`,
    );
  }
  if (!Object.hasOwn(CLASSES, name)) return unknown('page below', name, Object.keys(CLASSES));
  return { kernel: known, mode, below: CLASSES[name], ending };
}
