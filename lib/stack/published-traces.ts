import t01 from '../data/traces/01-minchan-2014-ext4-swap-virtio.json';
import t02 from '../data/traces/02-minchan-2014-blkmq-plug-partial.json';
import t03 from '../data/traces/03-minchan-2014-after-virtio-diet.json';
import t04 from '../data/traces/04-berthels-2010-sendfile-xfs-sata.json';
import t05 from '../data/traces/05-berthels-2010-write-xfs-btree.json';
import t06 from '../data/traces/06-berthels-2010-reclaim-partial.json';
import t07 from '../data/traces/07-chinner-2010-select-partial.json';
import t08 from '../data/traces/08-chinner-2010-radix-partial.json';
import t09 from '../data/traces/09-chinner-2010-inlining-partial.json';
import t10 from '../data/traces/10-gorman-2010-xfs-scsi.json';
import t11 from '../data/traces/11-chinner-2011-xfs-flusher.json';
import t12 from '../data/traces/12-rostedt-2025-ext4-writeback.json';
import t13 from '../data/traces/13-overstreet-2025-bcachefs.json';
import t14 from '../data/traces/14-valkeinen-arm32-i2c-probe.json';
import t15 from '../data/traces/15-ftrace-doc-select.json';
import { traceFromObject, type StackTrace } from './trace';

const FILES: Readonly<Record<string, unknown>> = {
  '01': t01,
  '02': t02,
  '03': t03,
  '04': t04,
  '05': t05,
  '06': t06,
  '07': t07,
  '08': t08,
  '09': t09,
  '10': t10,
  '11': t11,
  '12': t12,
  '13': t13,
  '14': t14,
  '15': t15,
};

/** Numbers of the published traces, `01` to `15`. */
export const PUBLISHED_TRACES: readonly string[] = Object.keys(FILES).sort();

/**
 * A published stack trace; where it was published stands in its `source`.
 *
 * @param id `01` to `15`: 01 is Minchan Kim's of 2014, the one behind the step to 16 KB
 * @throws RangeError for any other id
 */
export function publishedTrace(id: string): StackTrace {
  const file = FILES[id];
  if (file === undefined) {
    throw new RangeError(
      `id: expected one of ${PUBLISHED_TRACES.join(', ')}, got ${JSON.stringify(id)}`,
    );
  }
  return traceFromObject(file);
}

/**
 * The same trace with one frame larger by `bytes`: everything that it calls lies deeper.
 *
 * @param fn the function; its outermost call if it occurs more than once
 * @throws RangeError if no entry has that name, or `bytes` is no multiple of 8
 */
export function widenFrame(trace: StackTrace, fn: string, bytes: number): StackTrace {
  const entries = [...trace.entries];
  const at = entries.map((entry) => entry.fn).lastIndexOf(fn);
  if (at < 0)
    throw new RangeError(`fn: expected a function of the trace, got ${JSON.stringify(fn)}`);
  if (!Number.isInteger(bytes) || bytes % 8 !== 0 || entries[at].size + bytes < 8) {
    throw new RangeError(
      `bytes: expected a multiple of 8 that leaves ${fn} a frame of at least 8 bytes, got ${bytes}`,
    );
  }
  const wider = entries.map((entry, i) => ({
    ...entry,
    size: i === at ? entry.size + bytes : entry.size,
    depth: i <= at ? entry.depth + bytes : entry.depth,
  }));
  return { ...trace, entries: wider, maxDepth: trace.maxDepth + bytes };
}
