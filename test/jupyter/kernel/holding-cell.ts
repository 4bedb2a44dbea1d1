import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../support/until';
import type { Execution, KernelClient } from './client';

/** A cell that runs: what there is of it so far. */
export type Running = ReturnType<KernelClient['begin']>;

/** Waits until something that a cell printed is here, so that it surely runs. */
export const printedBy = ({ outputs }: Running) =>
  until('the output of a cell that still runs', () =>
    outputs.some(({ type }) => type === 'stream'),
  );

/**
 * Keeps a kernel busy with a cell that never awaits, for as long as `work` takes.
 *
 * @param inLoop what the cell does meanwhile, again and again
 */
export async function whileCellHolds(
  kernel: KernelClient,
  work: (cell: Running) => Promise<void>,
  inLoop = '',
): Promise<Execution> {
  const folder = mkdtempSync(join(tmpdir(), 'kernel-holds-'));
  const cell = kernel.begin(
    `{ const { existsSync } = process.getBuiltinModule('node:fs');
       console.log('it holds');
       while (existsSync(${JSON.stringify(folder)})) { ${inLoop} } }`,
  );
  try {
    await printedBy(cell);
    await work(cell);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return cell.done;
}
