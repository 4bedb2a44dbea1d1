/** Types of answers, for `isAnswer`; how an answer is compared and how it is told. */

type Guard<A> = (given: unknown) => given is A;

/** A finite number. */
export const isNumber: Guard<number> = (given): given is number => Number.isFinite(given);

export const isWhole: Guard<number> = (given): given is number => Number.isSafeInteger(given);

export const isBigint: Guard<bigint> = (given): given is bigint => typeof given === 'bigint';

export const isBoolean: Guard<boolean> = (given): given is boolean => typeof given === 'boolean';

export const isText: Guard<string> = (given): given is string => typeof given === 'string';

export function isOneOf<const A extends string | number | bigint>(
  ...words: readonly A[]
): Guard<A> {
  return (given): given is A => words.some((word) => word === given);
}

export function isListOf<A>(isItem: Guard<A>): Guard<readonly A[]> {
  return (given): given is readonly A[] => Array.isArray(given) && given.every(isItem);
}

/** Any function: what it takes and gives shows when it is called. */
export function isFunction<A extends (...args: never[]) => unknown>(given: unknown): given is A {
  return typeof given === 'function';
}

/** Whether two answers are the same value, member by member. A number is never a bigint. */
export function sameAnswer(one: unknown, other: unknown): boolean {
  if (one === other || (Number.isNaN(one) && Number.isNaN(other))) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return false;
  }
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const [mine, theirs] = [membersOf(one), membersOf(other)];
  return (
    mine.size === theirs.size &&
    [...mine].every(([key, value]) => theirs.has(key) && sameAnswer(value, theirs.get(key)))
  );
}

/** Members that are not undefined: leaving one out is saying nothing. */
const membersOf = (value: object) =>
  new Map(Object.entries(value).filter(([, member]) => member !== undefined));

const LONGEST = 120;

/** A value as one would write it in TypeScript, cut to a line. */
export function answerText(value: unknown): string {
  const text = literal(value, 0);
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}

/** How deep and how far a value is told: an answer may hold itself. */
const DEEPEST = 4;
const MOST = 24;

function literal(value: unknown, depth: number): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return value > 0xffffn ? `0x${value.toString(16)}n` : `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (depth === DEEPEST) return '…';
  if (value instanceof Promise) return 'a Promise';
  const members = Object.entries(value).slice(0, MOST);
  const list = Array.isArray(value);
  const inside = members
    .map(([key, member]) => `${list ? '' : `${key}: `}${literal(member, depth + 1)}`)
    .join(', ');
  return list ? `[${inside}]` : `{ ${inside} }`;
}
