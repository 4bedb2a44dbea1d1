/** `npm run bench`: every benchmark, each figure with the machine it was taken on. */
import { benchMemory } from './memory';
import { benchMemoryManagement } from './mm-machine';
import { benchStacks } from './mm-stacks';
import { machine, PROCESSES } from './processes';
import { benchTranslate } from './translate';
import { benchTrials } from './trials';

const BENCHES: readonly (readonly [string, () => void | Promise<void>])[] = [
  [`Translation (median of ${PROCESSES} processes)`, benchTranslate],
  ['Physical memory (median in one process)', benchMemory],
  ['Memory management (median in one process)', benchMemoryManagement],
  ['One more kernel stack, by the number alive (median of batches of 500)', benchStacks],
  [`Overrun trials (median of ${PROCESSES} processes)`, benchTrials],
];

async function main(): Promise<void> {
  console.log(machine());
  for (const [title, run] of BENCHES) {
    console.log(`\n${title}`);
    await run();
  }
}

void main();
