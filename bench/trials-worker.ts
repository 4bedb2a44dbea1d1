/** One process's figure: complete overrun trials a second on one populated machine. */
import { kernelConfig } from '../lib/stack/config';
import { TrialRunner } from '../lib/stack/trial';

const trials = Number(process.argv[2]);
const config = kernelConfig('16k', { kernel: '6.1', stackEndCheck: false, stackProtector: false });
const runner = new TrialRunner(config, 1);
const kind = { past: 512, frames: 'dense', frame: 128, neighbour: 'any' } as const;

let checksum = 0;
const run = (count: number) => {
  for (let seed = 0; seed < count; seed++) checksum += runner.run(kind, seed).console.length;
};
run(200); // until the compiler has settled
const start = process.hrtime.bigint();
run(trials);
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
console.log(JSON.stringify({ rate: trials / seconds, checksum }));
