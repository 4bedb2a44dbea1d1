import { sanitise } from '../sanitise';
import { isClose, type Rules } from './rules';

export type Path = readonly (string | number)[];

/** One place in which two JSON values differ; `undefined` where one has nothing. */
export interface JsonDifference {
  readonly path: Path;
  readonly stored: unknown;
  readonly fresh: unknown;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Where two JSON values differ, numbers by tolerance, text after the sanitisers. */
export function compareJson(
  stored: unknown,
  fresh: unknown,
  rules: Rules,
  path: Path = [],
): JsonDifference[] {
  if (typeof stored === 'number' && typeof fresh === 'number') {
    return isClose(stored, fresh, rules.tolerance) ? [] : [{ path, stored, fresh }];
  }
  if (typeof stored === 'string' && typeof fresh === 'string') {
    const same =
      stored === fresh || sanitise(stored, rules.sanitisers) === sanitise(fresh, rules.sanitisers);
    return same ? [] : [{ path, stored, fresh }];
  }
  if (Array.isArray(stored) && Array.isArray(fresh)) {
    const out: JsonDifference[] = [];
    for (let i = 0; i < Math.max(stored.length, fresh.length); i += 1) {
      out.push(...compareJson(stored[i], fresh[i], rules, [...path, i]));
    }
    return out;
  }
  if (isObject(stored) && isObject(fresh)) {
    const keys = new Set([...Object.keys(stored), ...Object.keys(fresh)]);
    return [...keys].flatMap((key) => compareJson(stored[key], fresh[key], rules, [...path, key]));
  }
  return stored === fresh ? [] : [{ path, stored, fresh }];
}

/** `layout.xaxis.title` or `cells[3].x`. */
export function pathText(path: Path): string {
  return path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`))
    .join('');
}

/** A value as a message shows it: short, on one line. */
export function shortly(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
