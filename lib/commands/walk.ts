import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hex, type VirtAddr } from '../x86/addr';
import type { WalkResult } from '../x86/walk';
import { parseAddresses } from './addresses';
import type { Register } from '.';
import { address, refusing, wholeNumber } from './options';
import { readTableDump } from './read-table-dump';
import { UsageError } from './usage-error';

interface Flags {
  readonly tables: string;
  readonly va?: VirtAddr[];
  readonly addresses?: string;
  readonly maxphyaddr: number;
  readonly explain?: boolean;
}

/** Lines written at once. */
const BATCH = 4096;

/** `guardpage walk`: translates addresses with the page tables of a recorded machine. */
export const register: Register = (program) => {
  const oneAddress = address('va');
  program
    .command('walk')
    .description("translate addresses with a machine's recorded page tables")
    .requiredOption(
      '--tables <dir>',
      'page-table dump: index.json with tables.bin or tables.bin.gz',
    )
    .option(
      '--va <hex>',
      'an address; may be repeated',
      (text: string, before: VirtAddr[] = []) => [...before, oneAddress(text)],
    )
    .option('--addresses <file>', 'addresses, one a line: hex, or NDJSON with "va" (- for stdin)')
    .option('--maxphyaddr <n>', 'bits of a physical address', wholeNumber('maxphyaddr', 32), 52)
    .option('--explain', 'in words, table by table, with the effective rights')
    .action(async (flags: Flags) => {
      const addresses = [...(flags.va ?? [])];
      if (flags.addresses !== undefined) {
        const text = await readText(flags.addresses);
        const name = flags.addresses === '-' ? 'stdin' : flags.addresses;
        for (const va of refusing(() => parseAddresses(text, name))) addresses.push(va);
      }
      if (flags.va === undefined && flags.addresses === undefined) {
        throw new UsageError('walk: expected --va HEX or --addresses FILE, got neither');
      }
      if (flags.maxphyaddr > 52) {
        throw new UsageError(`--maxphyaddr: expected 32 to 52, got ${flags.maxphyaddr}`);
      }
      const dump = readTableDump(flags.tables);
      const line = flags.explain ? (r: WalkResult) => `${r.explain()}\n` : jsonLine;
      for (let i = 0; i < addresses.length; i += BATCH) {
        const batch = addresses.slice(i, i + BATCH);
        process.stdout.write(
          batch.map((va) => `${line(dump.walk(va, flags.maxphyaddr))}\n`).join(''),
        );
        await nextTurn();
      }
    });
};

function jsonLine(result: WalkResult): string {
  const { va, pa, level, pageSize, flags, fault } = result;
  return JSON.stringify({
    va: hex(va),
    pa: pa === null ? null : hex(pa, 1),
    level,
    pageSize,
    flags,
    fault,
  });
}

async function readText(file: string): Promise<string> {
  try {
    if (file !== '-') return readFileSync(file, 'utf8');
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const got = code === 'ENOENT' ? 'no such file' : message;
    throw new UsageError(`--addresses ${file}: expected a readable file, got ${got}`);
  }
}
