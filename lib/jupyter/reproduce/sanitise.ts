/** Replaces what may differ from run to run. */
export interface Sanitiser {
  readonly name: string;
  readonly pattern: RegExp;
  readonly replacement: string;
}

const named = (name: string, pattern: RegExp, replacement: string = `<${name}>`): Sanitiser => ({
  name,
  pattern,
  replacement,
});

/** The sanitisers that a notebook, a cell or `--sanitise` may name. None is applied unless it is. */
export const SANITISERS: readonly Sanitiser[] = [
  named('duration', /\b\d+(?:\.\d+)?\s?(?:ns|[µμ]s|us|ms|s|min|seconds?|minutes?)(?!\w)/g),
  named(
    'date',
    /\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\w)/g,
  ),
  named('time', /\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?!\w)/g),
  named('address', /\b0x[0-9a-fA-F]{6,16}\b/g),
  named('uuid', /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi),
  named('path', /(?<![\w.<])(?:\/[\w.@+-]+){2,}\/?/g),
];

/**
 * Reads a declaration: the name of one of {@link SANITISERS}, or `{"pattern": REGEXP, "replacement": TEXT}`.
 *
 * @throws RangeError that says what was expected
 */
export function readSanitiser(declared: unknown): Sanitiser {
  if (typeof declared === 'string') {
    const known = SANITISERS.find(({ name }) => name === declared);
    if (known) return known;
    const names = SANITISERS.map(({ name }) => name).join(', ');
    throw new RangeError(`sanitise: expected ${names}, got ${JSON.stringify(declared)}`);
  }
  const { pattern, replacement = '<…>' } = (declared ?? {}) as Record<string, unknown>;
  if (typeof pattern !== 'string' || typeof replacement !== 'string') {
    throw new RangeError(
      `sanitise: expected a name or {"pattern", "replacement"}, got ${JSON.stringify(declared)}`,
    );
  }
  try {
    return { name: pattern, pattern: new RegExp(pattern, 'gm'), replacement };
  } catch (error) {
    throw new RangeError(`sanitise: ${(error as Error).message}`);
  }
}

export function sanitise(text: string, sanitisers: readonly Sanitiser[]): string {
  return sanitisers.reduce(
    (result, { pattern, replacement }) => result.replace(pattern, replacement),
    text,
  );
}
