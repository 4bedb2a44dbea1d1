import { KernelClient } from './client';

let shared: Promise<KernelClient> | undefined;

/** One kernel for all tests that leave it as good as they found it. */
export function sharedKernel(): Promise<KernelClient> {
  shared ??= KernelClient.start();
  return shared;
}

after(async () => {
  await (await shared)?.stop();
});
