import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const FIXTURES = join(__dirname, '..', 'fixtures');

/** One phase of the recorded guest: the text of files in /proc. */
export interface RecordedPhase {
  vmallocinfo: string;
  meminfo: string;
  buddyinfo: string;
  pagetypeinfo: string;
}

/** The recorded memory states by phase, without the line end that the recorder put in front. */
export function recordedMemory(name = 'memstate_nokaslr'): Record<string, RecordedPhase> {
  const text = gunzipSync(readFileSync(join(FIXTURES, `${name}.json.gz`))).toString();
  const phases = JSON.parse(text) as Record<string, Record<string, string>>;
  return Object.fromEntries(
    Object.entries(phases).map(([phase, files]) => [
      phase,
      Object.fromEntries(
        Object.entries(files).map(([file, content]) => [file, content.replace(/^\n/, '')]),
      ) as unknown as RecordedPhase,
    ]),
  );
}

/** A recorded console log, time stamps removed. */
export function recordedConsole(name: string): string[] {
  return readFileSync(join(FIXTURES, 'console', name), 'utf8')
    .split('\n')
    .map((line) => line.replace(/^\[ *\d+\.\d+\] /, ''));
}
