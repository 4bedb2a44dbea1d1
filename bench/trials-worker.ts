/** One process's figure: complete overrun trials a second, in turn on several populated machines. */
import { kernelConfig } from '../lib/stack/config';
import { TrialRunner } from '../lib/stack/trial';

/** Machines differ in what a trial costs: they have 40 to 79 sleeping threads, each of which is woken. */
const MACHINES = 6;

const trials = Number(process.argv[2]);
const config = kernelConfig('16k', { kernel: '6.1', stackEndCheck: false, stackProtector: false });
const runners = Array.from({ length: MACHINES }, (_, i) => new TrialRunner(config, i + 1));
const kind = { past: 512, frames: 'dense', frame: 128, neighbour: 'any' } as const;

let checksum = 0;
const run = (count: number) => {
  for (const runner of runners) {
    for (let seed = 0; seed < count / MACHINES; seed++)
      checksum += runner.run(kind, seed).console.length;
  }
};
run(300); // until the compiler has settled
const start = process.hrtime.bigint();
run(trials);
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
console.log(JSON.stringify({ rate: trials / seconds, checksum }));
