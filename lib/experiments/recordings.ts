/** What a file of recordings holds: the runs that can be simulated, and what was left out. */
export interface Recordings<T> {
  readonly runs: readonly T[];
  readonly leftOut: readonly LeftOut[];
}

export interface LeftOut {
  readonly why: string;
  readonly lines: number;
}

/**
 * Reads recordings, one JSON object a line.
 *
 * @param read a run, or why that line is left out
 * @throws RangeError that names the line and what was expected there
 */
export function parseRecordings<T extends object>(
  text: string,
  read: (raw: Readonly<Record<string, unknown>>) => T | string,
): Recordings<T> {
  const runs: T[] = [];
  const leftOut = new Map<string, number>();
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const where = `line ${index + 1}`;
    let run: T | string;
    try {
      run = read(parseObject(line));
    } catch (error) {
      if (error instanceof RangeError) throw new RangeError(`${where}: ${error.message}`);
      throw error;
    }
    if (typeof run === 'string') leftOut.set(run, (leftOut.get(run) ?? 0) + 1);
    else runs.push(run);
  });
  return { runs, leftOut: [...leftOut].map(([why, lines]) => ({ why, lines })) };
}

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
