import { randomUUID } from 'node:crypto';
import { types } from 'node:util';
import { isConnected, report } from '../runner/bridge';
import { asJson, encodeBundle, isMimeBundle, present } from '../runner/format';
import type { Bundle } from '../runner/protocol';
import { currentRun, lastRun } from '../runner/runs';
import { DISPLAY, SHOW } from './symbol';

/** How to show something. */
export interface DisplayOptions {
  /** Names the display; what is shown under the same name later takes its place. */
  id?: string;
  /** By MIME type, as front ends understand it: `{ 'image/png': { width: 320 } }`. */
  metadata?: Record<string, unknown>;
  /** Take `value` for a MIME bundle as it is. Objects whose keys are all MIME types are anyway. */
  raw?: boolean;
}

/** Something shown that can be changed in place. */
export interface DisplayHandle {
  readonly id: string;
  /** Shows `value` in its place, wherever it is shown. */
  update(value: unknown, options?: Omit<DisplayOptions, 'id'>): void;
}

/**
 * Shows a value below the cell: an object with `[Symbol.for('Jupyter.display')]()` as it wants
 * to be shown, a MIME bundle as it is, anything else as text.
 *
 * @returns a handle to update it with
 * @throws Error outside a notebook kernel
 */
export function display(value: unknown, options: DisplayOptions = {}): DisplayHandle {
  const id = options.id ?? randomUUID();
  show(value, options, id, false);
  const handle = {
    id,
    update: (next: unknown, more: Omit<DisplayOptions, 'id'> = {}) => show(next, more, id, true),
  };
  // As a cell's last value it would be shown beside what it stands for.
  return Object.defineProperty(handle, DISPLAY, { value: () => null });
}

/** Takes what the cell has shown away; with `wait`, when the next output comes. */
export function clearOutput({ wait = false }: { wait?: boolean } = {}): void {
  send((run) => report({ type: 'clear', run, wait }));
}

function show(value: unknown, options: DisplayOptions, id: string, update: boolean): void {
  const raw = options.raw === true || isMimeBundle(value);
  const bundle = raw
    ? { data: encodeBundle(value as Record<string, unknown>), metadata: {} }
    : present(value);
  const finish = (shown: Bundle | null) => {
    if (shown) publish(shown, options.metadata, id, update);
  };
  if (types.isPromise(bundle)) void bundle.then(finish);
  else finish(bundle);
}

function publish(
  { data, metadata }: Bundle,
  more: Record<string, unknown> | undefined,
  id: string,
  update: boolean,
): void {
  const bundle = { data, metadata: asJson({ ...metadata, ...more }, 'metadata') };
  send((run) => report({ type: 'display', run, bundle, id, update, buffers: [] }));
}

/** Reports in the name of the cell that runs. */
export function send(tell: (run: number) => void): void {
  if (!isConnected()) throw new Error('there is no notebook to show this in');
  const run = currentRun() ?? lastRun();
  if (!run.dead) tell(run.id);
}

/** Offers `display` to libraries that do not know this kernel. */
export function ownShow(): void {
  const value = (bundle: Record<string, unknown>) => void display(bundle, { raw: true });
  Object.defineProperty(globalThis, SHOW, { value, configurable: true });
}
