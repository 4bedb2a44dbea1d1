import { kernelConfig, type Era, type KernelConfig, type KernelOptions } from '../stack/config';

/** The small kernels of the recordings, as test/fixtures/README.md names them. */
export const RECORDED_KERNELS = ['A16', 'A16nc', 'A16c', 'B8', 'B8nc', 'C16v'] as const;
export type RecordedKernel = (typeof RECORDED_KERNELS)[number];

const BUILDS: Readonly<Record<RecordedKernel, KernelOptions & { readonly era: Era }>> = {
  A16: { era: '16k', stackEndCheck: true },
  A16nc: { era: '16k', stackEndCheck: false },
  A16c: { era: '16k', stackEndCheck: true, compaction: true },
  B8: { era: '8k', stackEndCheck: true },
  B8nc: { era: '8k', stackEndCheck: false },
  C16v: { era: 'vmap', stackEndCheck: true },
};

/** The kernel as it was built for the recording: 6.1 without stack protector and SMP. */
export function recordedConfig(kernel: RecordedKernel): KernelConfig {
  const { era, ...options } = BUILDS[kernel];
  return kernelConfig(era, { ...options, kernel: '6.1', stackProtector: false, smp: false });
}

/** The recorded kernel of that name; null for any other. */
export function recordedKernel(name: string): RecordedKernel | null {
  return RECORDED_KERNELS.find((known) => known === name) ?? null;
}
