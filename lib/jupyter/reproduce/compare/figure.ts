import { compareJson, pathText, shortly, type JsonDifference } from './json';
import type { Rules } from './rules';
import { decodeTypedArrays } from './typed-arrays';

/** More differences than these are counted, not shown. */
const SHOWN = 6;

/** What plotly or its Python library make up anew each time, and what is not drawn. */
const MADE_UP = new Set(['uid', 'uirevision', 'plotlyServerURL']);

type Trace = Record<string, unknown>;

/**
 * How two plotly figures differ as data: one line for each place, which names the trace and the point.
 * Empty if they are the same figure.
 */
export function compareFigures(stored: unknown, fresh: unknown, rules: Rules): string[] {
  const [before, after] = [decodeTypedArrays(stored), decodeTypedArrays(fresh)] as Trace[];
  const traces = (figure: Trace) => (Array.isArray(figure?.data) ? (figure.data as Trace[]) : []);
  const [old, now] = [traces(before), traces(after)];
  const lines: string[] = [];
  if (old.length !== now.length) lines.push(`stored ${count(old)}, got ${count(now)}`);
  for (const index of old.keys()) {
    if (index < now.length) lines.push(...traceLines(index, old[index], now[index], rules));
  }
  const rest = (figure: Trace) => ({ ...figure, data: undefined });
  for (const difference of compareJson(rest(before), rest(after), rules)) {
    if (isDrawn(difference)) lines.push(`${pathText(difference.path)}: ${change(difference)}`);
  }
  if (lines.length <= SHOWN) return lines;
  return [...lines.slice(0, SHOWN), `… and ${lines.length - SHOWN} more differences`];
}

const count = (traces: readonly Trace[]) =>
  `${traces.length} ${traces.length === 1 ? 'trace' : 'traces'}`;

function isDrawn({ path }: JsonDifference): boolean {
  return !path.some((key) => MADE_UP.has(String(key)));
}

/** The differences of one trace; lists of another length are told as such, with the first other point. */
function traceLines(index: number, stored: Trace, fresh: Trace, rules: Rules): string[] {
  const name = traceName(index, fresh ?? stored);
  const lengths = new Map<string, string>();
  for (const key of Object.keys(stored ?? {})) {
    const [a, b] = [stored[key], fresh?.[key]];
    if (Array.isArray(a) && Array.isArray(b) && a.length !== b.length) {
      lengths.set(key, `${name}: ${key} has ${a.length} points stored, ${b.length} new`);
    }
  }
  const told = new Set<string>();
  const lines: string[] = [];
  for (const difference of compareJson(stored, fresh, rules)) {
    const key = String(difference.path[0]);
    if (!isDrawn(difference)) continue;
    const length = lengths.get(key);
    if (length !== undefined) {
      if (told.has(key)) continue;
      told.add(key);
      lines.push(length);
    }
    lines.push(`${name}${place(difference, fresh)}: ${change(difference)}`);
  }
  return lines;
}

function traceName(index: number, { name, type }: Trace): string {
  const kind = typeof type === 'string' ? type : 'scatter';
  return typeof name === 'string'
    ? `trace ${index} "${name}" (${kind})`
    : `trace ${index} (${kind})`;
}

/** `, point 17 (x 51), y`; `, z[3][4]`; `, marker.color`. */
function place({ path }: JsonDifference, trace: Trace): string {
  const at = path.findIndex((key) => typeof key === 'number');
  if (at < 0 || path.filter((key) => typeof key === 'number').length > 1) {
    return path.length === 0 ? '' : `, ${pathText(path)}`;
  }
  const point = path[at] as number;
  const field = [...path.slice(0, at), ...path.slice(at + 1)];
  const x = Array.isArray(trace?.x) ? (trace.x as unknown[])[point] : undefined;
  const where = path[0] === 'y' && x !== undefined ? ` (x ${shortly(x)})` : '';
  return `, point ${point}${where}, ${pathText(field)}`;
}

function change({ stored, fresh }: JsonDifference): string {
  const told = `stored ${shortly(stored)}, got ${shortly(fresh)}`;
  if (typeof stored !== 'number' || typeof fresh !== 'number') return told;
  return `${told} (difference ${Number((fresh - stored).toPrecision(4))})`;
}
