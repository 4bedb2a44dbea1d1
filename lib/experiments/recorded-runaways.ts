import data from '../data/recorded-runaways.json';
import { recordedKernel, RECORDED_KERNELS, type RecordedKernel } from './recorded-kernels';
import { parseRecordings, unknown, type Recordings } from './recordings';

/** How a machine ended whose kernel recursed without end: `alive` only if the recursing task died alone. */
export const RUNAWAY_ENDINGS = ['panic', 'reset', 'hang', 'alive'] as const;
export type RunawayEnding = (typeof RUNAWAY_ENDINGS)[number];

/** One recorded endless recursion (formats: test/fixtures/README.md). */
export interface RecordedRunaway {
  readonly kernel: RecordedKernel;
  readonly frames: 'dense' | 'sparse';
  readonly ending: RunawayEnding;
}

/** The endless recursions that were recorded, as in test/fixtures/runaway.ndjson: frames of 256 + 32 bytes. */
export const RECORDED_RUNAWAYS: readonly RecordedRunaway[] = data.runs.map(
  ([kernel, frames, ending]) => ({ kernel, frames, ending }) as RecordedRunaway,
);

/** Where a kernel waits before it reboots: panic() has come to its end. */
const REBOOTS = /^(__const_udelay|delay_)/;

/**
 * Reads recorded endless recursions, one JSON object a line, by the guest's state at the end: still running is
 * `hang`, also in a panic that has not come to its end; stopped by a reset is `panic` if panic() asked for it,
 * else a triple fault. Left out and counted: kernels that are not known here, and ends that contradict themselves or can't be told.
 *
 * @throws RangeError that names the line and what was expected there
 */
export function parseRecordedRunaways(text: string): Recordings<RecordedRunaway> {
  return parseRecordings(text, (raw) => {
    const { kernel, fill } = raw;
    if (typeof kernel !== 'string' || typeof fill !== 'number' || !('qemu_status' in raw)) {
      throw new RangeError(
        `expected the keys kernel, fill and qemu_status, got ${Object.keys(raw).join(', ') || 'none'}`,
      );
    }
    if (!Number.isInteger(fill) || fill < 0) {
      throw new RangeError(
        `fill: expected 0 (few bytes of a frame written) or a whole number from 1 (all), got ${fill}`,
      );
    }
    const end = readEnd(raw);
    const known = recordedKernel(kernel);
    if (!known) return unknown('kernel', kernel, RECORDED_KERNELS);
    const ending = endingOf(end);
    if (typeof ending !== 'string') return ending.untold;
    return { kernel: known, frames: fill === 0 ? 'sparse' : 'dense', ending };
  });
}

/** What was recorded of the end; null where a key is missing. */
interface End {
  readonly state: 'running' | 'shutdown';
  readonly reset: boolean | null;
  readonly symbol: string | null;
  readonly events: readonly string[] | null;
}

function readEnd(raw: Readonly<Record<string, unknown>>): End {
  const { qemu_status: status, rip_symbol: symbol = null, events = null, reset = null } = raw;
  const refuse = (key: string, expected: string) =>
    new RangeError(`${key}: expected ${expected}, got ${JSON.stringify(raw[key])}`);
  const state = /\b(running|shutdown)\b/.exec(typeof status === 'string' ? status : '')?.[1];
  if (!state) throw refuse('qemu_status', '"… running" or "… (shutdown)"');
  if (symbol !== null && typeof symbol !== 'string') {
    throw refuse('rip_symbol', 'the name of a function, or null');
  }
  if (events !== null && !isTexts(events)) throw refuse('events', 'a list of lines');
  if (reset !== null && typeof reset !== 'boolean') throw refuse('reset', 'true or false');
  return { state: state as End['state'], reset, symbol, events };
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

/** How it ended, or why that can't be told. */
function endingOf({ state, reset, symbol, events }: End): RunawayEnding | { untold: string } {
  if (state === 'running') {
    return reset ? { untold: 'still running, but reset' } : 'hang';
  }
  if (reset === false) return { untold: 'shut down, but not reset' };
  const said = events?.some((event) => event.includes('Kernel panic')) ?? false;
  const panicked = said || (symbol !== null && REBOOTS.test(symbol));
  if (panicked) return 'panic';
  if (events !== null || symbol !== null) return 'reset';
  return { untold: 'reset, but neither events nor rip_symbol say by whom' };
}
