/**
 * Which kernels have which of the defects that this kernel was made to be free of:
 *
 *     npm run build
 *     DENO=/path/to/deno node -r ts-node/register bench/kernel-defects.ts [NAME…]
 *
 * Prints a Markdown table; the reasons go to stderr.
 */
import type { StartOptions } from '../test/jupyter/kernel/client';
import { KernelClient } from '../test/jupyter/kernel/client';
import type { Defect } from '../test/jupyter/kernel/defects';
import { DEFECTS } from '../test/jupyter/kernel/defects';
import type { Candidate } from './kernel-kernels';
import { candidates } from './kernel-kernels';

/** Every check in a fresh kernel: after one defect, little can be said of the next. */
async function isFree(candidate: Candidate, defect: Defect): Promise<boolean> {
  const started: KernelClient[] = [];
  const start = async ({ argv = [], ...rest }: StartOptions = {}) => {
    const own = candidate.start;
    const one = await KernelClient.start({ ...own, ...rest, argv: [...argv, ...own.argv!] });
    started.push(one);
    return one;
  };
  const byMessage = candidate.name === 'guardpage';
  try {
    const kernel = await start();
    await kernel.execute('1', { timeout: 30_000 });
    const interrupt = (one: KernelClient) =>
      byMessage ? void one.interrupt() : void one.process.kill('SIGINT');
    await defect.check({ kernel, start, interrupt });
    return true;
  } catch (error) {
    const [first] = (error as Error).message.split('\n');
    process.stderr.write(`${candidate.name} ${defect.number}: ${first}\n`);
    return false;
  } finally {
    for (const one of started) {
      one.process.kill('SIGKILL');
      await one.exited();
      one.close();
    }
  }
}

async function main(): Promise<void> {
  const names = process.argv.slice(2);
  const chosen = candidates().filter(({ name }) => names.length === 0 || names.includes(name));
  console.log(`| | what should be | ${chosen.map(({ name }) => name).join(' | ')} |`);
  console.log(`|---|---|${chosen.map(() => '---|').join('')}`);
  for (const defect of DEFECTS) {
    const cells: string[] = [];
    for (const candidate of chosen) cells.push((await isFree(candidate, defect)) ? 'yes' : 'no');
    console.log(`| ${defect.number} | ${defect.title} | ${cells.join(' | ')} |`);
  }
  process.exit();
}

void main();
