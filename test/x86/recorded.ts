import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const FIXTURES = join(__dirname, '..', 'fixtures');

/** The folders of recorded page tables. */
export const DUMPS: readonly string[] = readdirSync(FIXTURES)
  .filter((name) => name.startsWith('pt_'))
  .map((name) => join(FIXTURES, name));

export function recordedLines(dir: string, file: string): string[] {
  return gunzipSync(readFileSync(join(dir, file)))
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
}

/** One answer of QEMU's gva2gpa. */
export interface Pair {
  va: string;
  pa: string | null;
}

export function recordedPairs(dir: string): Pair[] {
  return recordedLines(dir, 'gva2gpa.ndjson.gz').map((line) => JSON.parse(line) as Pair);
}
