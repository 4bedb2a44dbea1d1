import { closeSync, openSync, readSync } from 'node:fs';
import { MOST_CHARACTERS } from '../experiments/own-machine/log-text';
import { UsageError } from './usage-error';

const CHUNK = 2 ** 20;

/**
 * The text of a file; `-` is standard input. A file without end (/dev/zero) is not read any further than
 * a text can be long.
 *
 * @param name of the command or option, for messages
 * @throws UsageError for a file that can't be read or is too long
 */
export function readTextFile(name: string, file: string): string {
  try {
    return readAtMost(file, MOST_CHARACTERS).toString('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      error instanceof TooLongError
        ? error.message
        : (REASONS[code ?? ''] ?? code ?? String(error));
    throw new UsageError(`${name}: can't read ${file}: ${reason}`);
  }
}

class TooLongError extends Error {}

function readAtMost(file: string, most: number): Buffer {
  const descriptor = file === '-' ? 0 : openSync(file, 'r');
  const chunks: Buffer[] = [];
  const chunk = Buffer.alloc(CHUNK);
  try {
    for (let length = 0; ;) {
      const read = readSync(descriptor, chunk);
      if (read === 0) return Buffer.concat(chunks);
      length += read;
      chunks.push(Buffer.from(chunk.subarray(0, read)));
      if (length > most) {
        throw new TooLongError(
          `expected at most ${most / 2 ** 20} MiB of text, got more; cut the part out that is to be read`,
        );
      }
    }
  } finally {
    if (descriptor !== 0) closeSync(descriptor);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'part of the path is a file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied; /proc/vmallocinfo and the tracer’s files are for root',
  EPERM: 'permission denied; /proc/vmallocinfo and the tracer’s files are for root',
};
