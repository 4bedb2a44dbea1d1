import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseDumpIndex, TableDump } from '../x86/table-dump';
import { UsageError } from './usage-error';

/**
 * Reads a page-table dump: DIR/index.json and DIR/tables.bin, or tables.bin.gz.
 *
 * @throws UsageError for whatever is missing, truncated, or does not belong together
 */
export function readTableDump(dir: string): TableDump {
  try {
    const index = parseDumpIndex(readFile(join(dir, 'index.json')).toString('utf8'));
    const plain = join(dir, 'tables.bin');
    const size = index.offsetOfPfn.size * 4096;
    const tables = existsSync(plain) ? readFile(plain) : unzip(`${plain}.gz`, size);
    const dump = new TableDump(index, tables);
    if (index.sha256 !== null) {
      const got = createHash('sha256').update(tables).digest('hex');
      if (got !== index.sha256.toLowerCase()) {
        throw new RangeError(
          `tables.bin: expected SHA-256 ${index.sha256.slice(0, 64)}, as index.json says, got ${got}`,
        );
      }
    }
    return dump;
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--tables ${dir}: ${error.message}`);
    throw error;
  }
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path}: expected a readable file, got ${reason(error)}`);
  }
}

/** Unpacks at most a page more than expected: a foreign file may be of any size. */
function unzip(path: string, size: number): Buffer {
  const packed = readFile(path);
  try {
    return gunzipSync(packed, { maxOutputLength: size + 4096 });
  } catch (error) {
    throw new UsageError(`${path}: expected ${size} bytes of gzipped tables, got ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EISDIR') return 'a directory';
  if (code === 'ENOTDIR') return 'a path through a file';
  if (code === 'ERR_BUFFER_TOO_LARGE') return 'more';
  return message;
}
