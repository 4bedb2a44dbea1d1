/** What a file of recordings holds: the runs that can be simulated, and what was left out. */
export interface Recordings<T> {
  readonly runs: readonly T[];
  readonly leftOut: readonly LeftOut[];
}

export interface LeftOut {
  readonly why: string;
  readonly lines: number;
  /** Number of the first of these lines, from 1. */
  readonly first: number;
}

/**
 * Reads recordings, one JSON object a line. A line that is not in the format is refused. One that is, but of
 * something that is not known here (a kernel, a mode, a class of page), without a result, or with one that
 * contradicts itself, is left out and counted.
 *
 * @param read a run, or why that line is left out; throws RangeError where it is not in the format
 * @throws RangeError that names the line and what was expected there
 */
export function parseRecordings<T extends object>(
  text: string,
  read: (raw: Readonly<Record<string, unknown>>) => T | string,
): Recordings<T> {
  const runs: T[] = [];
  const leftOut = new Map<string, LeftOut>();
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    let run: T | string;
    try {
      run = read(parseObject(line));
    } catch (error) {
      if (error instanceof RangeError) throw new RangeError(`line ${index + 1}: ${error.message}`);
      throw error;
    }
    if (typeof run !== 'string') {
      runs.push(run);
      return;
    }
    const { lines, first } = leftOut.get(run) ?? { lines: 0, first: index + 1 };
    leftOut.set(run, { why: run, lines: lines + 1, first });
  });
  return { runs, leftOut: [...leftOut.values()] };
}

/** `kernel Z99, not one of A16, …`: why a line is left out that names something not known here. */
export const unknown = (what: string, name: string, known: readonly string[]): string =>
  `${what} ${name.length > 40 ? `${name.slice(0, 40)}…` : name}, not one of ${known.join(', ')}`;

function parseObject(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  throw new RangeError(`expected a JSON object, got ${line.slice(0, 60)}`);
}
