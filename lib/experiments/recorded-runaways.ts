import data from '../data/recorded-runaways.json';
import { recordedKernel, unknownKernel, type RecordedKernel } from './recorded-kernels';
import { parseRecordings, type Recordings } from './recordings';

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
 * Reads recorded endless recursions, one JSON object a line, by the guest's state at the end: still running
 * (but silent) is `hang`; stopped by a reset is `panic` if panic() asked for it, else a triple fault. Left out
 * and counted: kernels that are not known here.
 *
 * @throws RangeError that names the line and what was expected there
 */
export function parseRecordedRunaways(text: string): Recordings<RecordedRunaway> {
  return parseRecordings(text, (raw) => {
    const { kernel, fill, qemu_status: status, rip_symbol: symbol, events } = raw;
    if (typeof kernel !== 'string' || typeof status !== 'string' || typeof fill !== 'number') {
      throw new RangeError(
        `expected the keys kernel, fill and qemu_status, got ${Object.keys(raw).join(', ') || 'none'}`,
      );
    }
    const state = /\b(running|shutdown)\b/.exec(status)?.[1];
    if (!state) {
      throw new RangeError(
        `qemu_status: expected "… running" or "… (shutdown)", got ${JSON.stringify(status)}`,
      );
    }
    const known = recordedKernel(kernel);
    if (!known) return unknownKernel(kernel);
    const said =
      Array.isArray(events) && events.some((event) => /Kernel panic/.test(String(event)));
    const panicked = said || (typeof symbol === 'string' && REBOOTS.test(symbol));
    const ending = state === 'running' ? 'hang' : panicked ? 'panic' : 'reset';
    return { kernel: known, frames: fill === 0 ? 'sparse' : 'dense', ending };
  });
}
