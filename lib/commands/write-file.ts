import { realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from './usage-error';

/** What is at a path: something to replace, a device or pipe to write into, or nothing yet. */
interface Target {
  readonly path: string;
  readonly replace: boolean;
}

/**
 * Makes sure that `file` can be written, before the work whose result it is to hold.
 *
 * @param option the option that names the file, for the message
 * @returns a function that writes the text: whole or not at all
 * @throws UsageError that says what is in the way
 */
export function prepareWrite(option: string, file: string): (text: string) => void {
  const { path, replace } = targetOf(option, file);
  if (!replace) return (text) => attempt(option, file, () => writeFileSync(path, text));
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  attempt(option, file, () => {
    writeFileSync(temporary, '');
    rmSync(temporary);
  });
  return (text) =>
    attempt(option, file, () => {
      try {
        writeFileSync(temporary, text);
        renameSync(temporary, path);
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      }
    });
}

function targetOf(option: string, file: string): Target {
  if (file === '') throw new UsageError(`--${option}: expected the name of a file, got nothing`);
  const path = resolve(file);
  const stats = attempt(option, file, () => statSync(path, { throwIfNoEntry: false }));
  if (!stats) return { path, replace: true };
  if (stats.isDirectory()) {
    throw new UsageError(`--${option}: expected a file, but ${file} is a folder`);
  }
  // A link stays a link: what it points to is replaced.
  return stats.isFile() ? { path: realpathSync(path), replace: true } : { path, replace: false };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'part of the path is a file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left',
  ENAMETOOLONG: 'the name is too long',
};

function attempt<T>(option: string, file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UsageError(`--${option}: can't write ${file}: ${REASONS[code] ?? code}`);
  }
}
