import type { KernelClient, StartOptions } from './client';
import { KernelClient as Client, MAIN } from './client';
import { DEFECTS } from './defects';
import { sharedKernel } from './shared';

/** `bench/kernel-defects.ts` shows the same checks on other kernels. */
describe('Defects of other kernels are not ours', () => {
  let kernel: KernelClient;
  const started: KernelClient[] = [];
  before(async () => {
    kernel = await sharedKernel();
  });

  afterEach(async () => {
    for (const one of started.splice(0)) await one.stop();
  });

  const start = async ({ argv = [], ...rest }: StartOptions = {}) => {
    const one = await Client.start({ ...rest, argv: [...argv, process.execPath, MAIN] });
    started.push(one);
    return one;
  };

  for (const { number, title, check } of DEFECTS) {
    it(`${number}: ${title}`, () =>
      check({ kernel, start, interrupt: (one) => void one.interrupt() }));
  }
});
