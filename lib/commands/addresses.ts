import { parseAddress, type VirtAddr } from '../x86/addr';

/**
 * Reads addresses, one a line: hexadecimal, or an NDJSON object with a string `va`.
 * Empty lines are skipped.
 *
 * @param name what the text is called in an error
 * @throws RangeError that names the line, what was expected and what it holds
 */
export function parseAddresses(text: string, name: string): VirtAddr[] {
  const out: VirtAddr[] = [];
  let number = 0;
  for (const line of text.split('\n')) {
    number++;
    const trimmed = line.trim();
    if (trimmed === '') continue;
    try {
      out.push(parseAddress(trimmed.startsWith('{') ? vaOf(trimmed) : trimmed));
    } catch (error) {
      throw new RangeError(`${name}:${number}: ${(error as Error).message}`);
    }
  }
  return out;
}

function vaOf(line: string): string {
  let va: unknown;
  try {
    va = (JSON.parse(line) as { va?: unknown }).va;
  } catch {
    throw new RangeError('expected a hexadecimal address or a JSON object with "va", got neither');
  }
  if (typeof va !== 'string') {
    const got = va === undefined ? 'none' : JSON.stringify(va).slice(0, 40);
    throw new RangeError(`expected "va" to be a string such as "0xffff888000001000", got ${got}`);
  }
  return va;
}
