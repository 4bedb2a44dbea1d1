/** A kernel version as [major, minor]; the stable level (6.1.192) is kept only in `text`. */
export interface KernelVersion {
  readonly text: string;
  readonly major: number;
  readonly minor: number;
}

const PATTERN = /^(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?$/;

/**
 * Reads '3.14', '6.1.192', '4.7.0-rc4' or '2.6.32'. The 2.6 series counts its third number as the
 * minor one, so 2.6.32 < 2.6.39 < 3.0.
 *
 * @throws RangeError when the text is not a version
 */
export function parseKernelVersion(text: string): KernelVersion {
  const match = PATTERN.exec(text);
  if (!match) {
    throw new RangeError(`version: expected a kernel version such as '3.14', got '${text}'`);
  }
  const major = Number(match[1]);
  const minor = Number(match[2]);
  if (major === 2) return { text, major, minor: minor * 1000 + Number(match[3] ?? 0) };
  return { text, major, minor };
}

/** Below 0 when `a` is the older version, 0 when both are the same release, above 0 otherwise. */
export function compareKernelVersions(a: string, b: string): number {
  const left = parseKernelVersion(a);
  const right = parseKernelVersion(b);
  return left.major - right.major || left.minor - right.minor;
}

/** True when `version` is `release` or later. */
export function sinceVersion(version: string, release: string): boolean {
  return compareKernelVersions(version, release) >= 0;
}

/**
 * From a table of [first version, value], oldest first: the value that holds for `version`, that
 * is the last entry that is not newer.
 *
 * @throws RangeError when `version` is older than the first entry
 */
export function byVersion<T>(version: string, table: readonly (readonly [string, T])[]): T {
  for (let i = table.length - 1; i >= 0; i--) {
    if (sinceVersion(version, table[i][0])) return table[i][1];
  }
  throw new RangeError(`version: expected ${table[0][0]} or later, got ${version}`);
}
