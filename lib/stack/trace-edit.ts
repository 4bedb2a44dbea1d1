import { publishedTrace } from './published-traces';
import type { StackTrace, TraceEntry } from './trace';

/** Frames in the order of a trace, innermost first, with depths that follow from their sizes. */
function withFrames(trace: StackTrace, frames: readonly TraceEntry[]): StackTrace {
  let depth = 0;
  const entries = [...frames]
    .reverse()
    .map((frame) => ({ ...frame, depth: (depth += frame.size) }))
    .reverse()
    .map((frame, i) => ({ ...frame, i }));
  return { ...trace, entries, maxDepth: depth, totalEntries: entries.length };
}

function mustBeWhole({ partial }: StackTrace): void {
  if (partial) throw new RangeError('trace: expected a whole one, got a part of a trace');
}

/**
 * The same calls with no frame larger than `cap` bytes, return address included, as if what was above it had
 * been moved to the heap.
 *
 * @param cap a multiple of 8; the outermost frame, which holds pt_regs, is left as it is
 * @throws RangeError for a cap below 16 or no multiple of 8, and for a part of a trace
 */
export function capFrames(trace: StackTrace, cap: number): StackTrace {
  mustBeWhole(trace);
  if (!Number.isInteger(cap) || cap < 16 || cap % 8 !== 0)
    throw new RangeError(`cap: expected a multiple of 8 from 16 on, got ${cap}`);
  const { entries } = trace;
  const capped = entries.map((entry, i) =>
    i === entries.length - 1 ? entry : { ...entry, size: Math.min(entry.size, cap) },
  );
  return withFrames(trace, capped);
}

/** What a worker has on its stack before it calls its work function, as trace 01 has it (3.14): 672 bytes. */
const WORKER = ['process_one_work', 'worker_thread', 'kthread', 'ret_from_fork'];
/** What it takes to wait until the work is done, as trace 11 has it (2011): 480 bytes. */
const WAIT = ['schedule', 'schedule_timeout', 'wait_for_common', 'wait_for_completion'];

let frames: {
  readonly worker: readonly TraceEntry[];
  readonly wait: readonly TraceEntry[];
} | null = null;

/** Read from their traces once. */
function recordedFrames() {
  const of = (id: string, fns: readonly string[]) => {
    const { entries } = publishedTrace(id);
    return fns.flatMap((fn) => entries.find((entry) => entry.fn === fn) ?? []);
  };
  frames ??= { worker: of('01', WORKER), wait: of('11', WAIT) };
  return frames;
}

/**
 * Cuts a chain in two, as a work queue does: a worker thread calls `fn` on its own stack, and the caller
 * waits. The frames of worker and wait are those of published traces.
 *
 * @param fn the function that becomes the work; its outermost call if it occurs more than once
 * @throws RangeError for a function that is not in the trace, and for a part of a trace
 */
export function moveToWorkqueue(
  trace: StackTrace,
  fn: string,
): { readonly caller: StackTrace; readonly worker: StackTrace } {
  mustBeWhole(trace);
  const { entries } = trace;
  const at = entries.map((entry) => entry.fn).lastIndexOf(fn);
  if (at < 0)
    throw new RangeError(`fn: expected a function of the trace, got ${JSON.stringify(fn)}`);
  const { worker, wait } = recordedFrames();
  return {
    caller: withFrames(trace, [...wait, ...entries.slice(at + 1)]),
    worker: withFrames(trace, [...entries.slice(0, at + 1), ...worker]),
  };
}
