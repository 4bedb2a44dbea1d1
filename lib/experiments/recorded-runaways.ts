import data from '../data/recorded-runaways.json';
import { parseLine, RECORDED_KERNELS, type RecordedKernel } from './recorded-runs';

/** How a machine ended whose kernel recursed without end: `alive` only if the recursing task died alone. */
export const RUNAWAY_ENDINGS = ['panic', 'reset', 'hang', 'alive'] as const;
export type RunawayEnding = (typeof RUNAWAY_ENDINGS)[number];

/** One recorded endless recursion in the direct map (formats: test/fixtures/README.md). */
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
 * (but silent) is `hang`; stopped by a reset is `panic` if panic() asked for it, else a triple fault. Kernels
 * that are not known here are left out.
 *
 * @throws RangeError that names the line and what was expected there
 */
export function parseRecordedRunaways(text: string): RecordedRunaway[] {
  const runs: RecordedRunaway[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const raw = parseLine(line, index + 1);
    const { kernel, fill, qemu_status: status, rip_symbol: symbol, events } = raw;
    if (typeof kernel !== 'string' || typeof status !== 'string' || typeof fill !== 'number') {
      throw new RangeError(
        `line ${index + 1}: expected the keys kernel, fill and qemu_status, got ${line.slice(0, 60)}`,
      );
    }
    const known = RECORDED_KERNELS.find((name) => name === kernel);
    if (!known) return;
    const said =
      Array.isArray(events) && events.some((event) => /Kernel panic/.test(String(event)));
    const panicked = said || (typeof symbol === 'string' && REBOOTS.test(symbol));
    const ending = /running/.test(status) ? 'hang' : panicked ? 'panic' : 'reset';
    runs.push({ kernel: known, frames: fill === 0 ? 'sparse' : 'dense', ending });
  });
  return runs;
}
