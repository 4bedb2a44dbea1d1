import { textOf } from '../../run-notebook';
import { diffLines } from '../diff';
import type { FindingKind } from '../finding';
import { compareFigures } from './figure';
import { compareImages } from './image';
import { compareJson, pathText, shortly } from './json';
import { canonicalMarkup, isSameWithNumbers, markupLines } from './markup';
import type { Rules } from './rules';
import { compareTables } from './table';
import { diffText } from './text';

/** How one MIME type of an output differs. */
export interface Change {
  readonly kind: FindingKind;
  readonly mime: string;
  readonly details: readonly string[];
}

type Compare = (stored: unknown, fresh: unknown, rules: Rules) => Omit<Change, 'mime'> | undefined;

type Content = string | readonly string[];

/** Content of a MIME bundle that is text: one string, or its lines. */
const text = (content: unknown): string =>
  typeof content === 'string' || Array.isArray(content)
    ? textOf(content as Content)
    : JSON.stringify(content);

const some = (kind: FindingKind, details: readonly string[]) =>
  details.length === 0 ? undefined : { kind, details };

/** More places than these are counted, not shown. */
const SHOWN = 6;

const figure: Compare = (stored, fresh, rules) =>
  some('changed-figure', compareFigures(stored, fresh, rules));

/** Widgets live in a running kernel; the id of the model is another one each time. */
const widget: Compare = (stored, fresh, rules) => {
  const idless = (content: unknown) => ({ ...(content as object), model_id: undefined });
  return json(idless(stored), idless(fresh), rules);
};

const json: Compare = (stored, fresh, rules) => {
  const lines = compareJson(stored, fresh, rules).map(
    ({ path, stored: a, fresh: b }) =>
      `${pathText(path) || 'value'}: stored ${shortly(a)}, got ${shortly(b)}`,
  );
  const more = lines.length > SHOWN ? [`… and ${lines.length - SHOWN} more differences`] : [];
  return some('changed-data', [...lines.slice(0, SHOWN), ...more]);
};

const markup: Compare = (stored, fresh, rules) => {
  const [before, after] = [stored, fresh].map((content) => canonicalMarkup(text(content), rules));
  const tables = compareTables(before, after, rules);
  if (tables) return some('changed-table', tables);
  return some('changed-markup', diffLines(markupLines(before), markupLines(after)));
};

/** Coordinates of a drawing are numbers: within the tolerance they are the same. */
const svg: Compare = (stored, fresh, rules) => {
  const [before, after] = [stored, fresh].map((content) => canonicalMarkup(text(content), rules));
  const close = after.map((token, i) => {
    const old = before[i];
    return old !== undefined && isSameWithNumbers(old.text, token.text, rules) ? old : token;
  });
  return some('changed-markup', diffLines(markupLines(before), markupLines(close)));
};

const image: Compare = (stored, fresh, rules) => {
  const difference = compareImages(text(stored), text(fresh), rules);
  return difference === undefined ? undefined : some('changed-image', [difference]);
};

const plain: Compare = (stored, fresh, rules) =>
  some('changed-text', diffText(text(stored), text(fresh), rules));

/** The first pattern that fits a MIME type tells how it is compared. */
const COMPARISONS: readonly (readonly [RegExp, Compare])[] = [
  [/^application\/vnd\.plotly\.v\d+\+json$/, figure],
  [/^application\/vnd\.jupyter\.widget-view\+json$/, widget],
  [/^image\/svg\+xml$/, svg],
  [/^image\//, image],
  [/^(?:text\/html|application\/xhtml\+xml|text\/xml|application\/xml)$/, markup],
  [/(?:^application\/|\+)json$/, json],
  [/^/, plain],
];

/** Of several changes of one output the first of these is told. */
const TELLING: readonly FindingKind[] = [
  'changed-figure',
  'changed-table',
  'changed-data',
  'changed-image',
  'changed-markup',
  'changed-text',
];

/** How two MIME bundles differ, most telling first; empty if they mean the same. */
export function compareBundles(
  stored: Readonly<Record<string, unknown>>,
  fresh: Readonly<Record<string, unknown>>,
  rules: Rules,
): Change[] {
  const mimes = [...new Set([...Object.keys(stored), ...Object.keys(fresh)])];
  const changes = mimes.flatMap((mime): Change[] => {
    if (!(mime in stored)) {
      return [{ kind: 'changed-data', mime, details: [`${mime} came, which is not stored`] }];
    }
    if (!(mime in fresh)) {
      return [{ kind: 'changed-data', mime, details: [`${mime} is stored and did not come`] }];
    }
    const [, compare] = COMPARISONS.find(([pattern]) => pattern.test(mime)) ?? COMPARISONS[0];
    const change = compare(stored[mime], fresh[mime], rules);
    return change ? [{ mime, ...change }] : [];
  });
  return changes.sort((a, b) => TELLING.indexOf(a.kind) - TELLING.indexOf(b.kind));
}
