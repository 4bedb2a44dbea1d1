import { inspect, types } from 'node:util';
import { DISPLAY, MIME_BUNDLE } from '../api/symbol';
import type { Bundle } from './protocol';

/** Longer texts are cut, with their size named. */
const TEXT_LIMIT = 100_000;
const KEYS_LIMIT = 100;
const DEPTH = 4;

const OPTIONS = { depth: DEPTH, maxArrayLength: 100, maxStringLength: 10_000, breakLength: 80 };

/** Null: nothing. */
export type Shown = Bundle | null;

/** Whether `value` is a MIME bundle: every key is a MIME type. */
export function isMimeBundle(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => /^[\w.+-]+\/[\w.+-]+(;.*)?$/.test(key));
}

/**
 * A value as front ends show it: what its own `[Symbol.for('Jupyter.display')]()` says, always
 * with `text/plain` beside it. A method that returns nothing wants nothing shown.
 */
export function present(value: unknown): Shown | Promise<Shown> {
  const method = displayMethod(value);
  if (method === undefined) return plain(value);
  const shown: unknown = method.call(value);
  if (types.isPromise(shown)) return shown.then((bundle) => complete(bundle, value));
  return complete(shown, value);
}

function displayMethod(value: unknown): ((this: unknown) => unknown) | undefined {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function'))
    return undefined;
  // A proxy's traps are the cell's code: asking one may do anything.
  if (types.isProxy(value)) return undefined;
  const methods = value as Record<symbol, unknown>;
  const method = methods[DISPLAY] ?? methods[MIME_BUNDLE];
  return typeof method === 'function' ? (method as () => unknown) : undefined;
}

function complete(shown: unknown, value: unknown): Shown {
  if (shown === undefined || shown === null) return null;
  const wrapped = shown as { data?: unknown; metadata?: unknown };
  const full = isMimeBundle(shown)
    ? { data: shown, metadata: {} }
    : isMimeBundle(wrapped.data)
      ? { data: wrapped.data, metadata: (wrapped.metadata ?? {}) as Record<string, unknown> }
      : undefined;
  if (full === undefined) {
    throw new TypeError(
      `[Symbol.for('Jupyter.display')](): expected a MIME bundle such as { 'text/html': '…' }, ` +
        `got ${inspect(shown, { depth: 1, maxStringLength: 100 })}`,
    );
  }
  const data = encodeBundle(full.data);
  if (!('text/plain' in data)) data['text/plain'] = text(value);
  return { data, metadata: asJson(full.metadata, 'metadata') };
}

export function plain(value: unknown): Bundle {
  return { data: { 'text/plain': text(value) }, metadata: {} };
}

/** Bytes become base64, and what JSON cannot hold (a bigint, say) is refused by name. */
export function encodeBundle(bundle: Record<string, unknown>): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const [mime, value] of Object.entries(bundle)) {
    if (value instanceof Uint8Array) data[mime] = Buffer.from(value).toString('base64');
    else data[mime] = typeof value === 'string' ? value : asJson(value, mime);
  }
  return data;
}

/**
 * What JSON makes of a value: it can be sent.
 *
 * @throws TypeError that names `what`
 */
export function asJson<T>(value: T, what: string): T {
  try {
    return JSON.parse(JSON.stringify(value ?? null)) as T;
  } catch (error) {
    throw new TypeError(`${what}: cannot be written as JSON: ${(error as Error).message}`);
  }
}

/** A value as text: complete where it is small, cut where it is large, the size named. */
export function text(value: unknown): string {
  let shown: string;
  try {
    shown = inspect(abridge(value, DEPTH), OPTIONS);
  } catch (error) {
    const plainly = inspect(value, { ...OPTIONS, customInspect: false });
    shown = `${plainly}\n(its own inspect method failed: ${String(error)})`;
  }
  if (shown.length <= TEXT_LIMIT) return shown;
  const end = shown.lastIndexOf('\n', TEXT_LIMIT);
  const head = shown.slice(0, end > TEXT_LIMIT / 2 ? end : TEXT_LIMIT);
  return `${head}\n… cut: ${shown.length.toLocaleString('en')} characters in all`;
}

/** `inspect` cuts arrays, maps, sets and strings, but writes out every key of an object. */
function abridge(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || types.isProxy(value) || depth < 0)
    return value;
  if (Array.isArray(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const keys = Object.keys(value);
  const short = keys.length > KEYS_LIMIT ? keys.slice(0, KEYS_LIMIT) : keys;
  let changed = short !== keys;
  const copy = Object.create(prototype as object | null) as Record<PropertyKey, unknown>;
  for (const key of short) {
    const property = Object.getOwnPropertyDescriptor(value, key)!;
    if ('value' in property) {
      const inner = abridge(property.value, depth - 1);
      changed ||= inner !== property.value;
      property.value = inner;
    }
    Object.defineProperty(copy, key, property);
  }
  if (!changed) return value;
  const more = keys.length - short.length;
  if (more > 0) {
    const note = { [inspect.custom]: () => `${more.toLocaleString('en')} more keys` };
    Object.defineProperty(copy, '…', { value: note, enumerable: true });
  }
  return copy;
}
