import { main } from '../../lib/cli';

/** What a command wrote, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `guardpage …` in this process. */
export async function guardpage(...argv: string[]): Promise<Ran> {
  const written = { out: '', err: '' };
  const originals = [process.stdout.write, process.stderr.write] as const;
  const capture = (into: 'out' | 'err') =>
    ((text: string | Uint8Array) => {
      written[into] += String(text);
      return true;
    }) as typeof process.stdout.write;
  process.stdout.write = capture('out');
  process.stderr.write = capture('err');
  try {
    return { code: await main(argv), ...written };
  } finally {
    [process.stdout.write, process.stderr.write] = originals;
  }
}
