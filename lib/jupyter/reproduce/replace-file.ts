import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Replaces a file's text at once: whoever reads it, or looks after a crash, finds the old text or the new one
 * whole. Owner's rights stay; a link stays a link.
 *
 * @param before the text that it is expected to hold
 * @throws Error if it holds another one by now; errors of the file system. The file is then as it was.
 */
export function replaceFile(file: string, before: string, after: string): void {
  const path = realpathSync(file);
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const descriptor = openSync(temporary, 'wx', statSync(path).mode & 0o777);
    try {
      writeSync(descriptor, after);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (readFileSync(path, 'utf8') !== before) throw new Error('it was changed meanwhile');
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
