import type { KernelConfig } from './config';

/**
 * Bytes of a task_struct object: 9792 as recorded on Debian's 6.1; for a small build, as the recorded
 * direct-map kernels were, an estimate.
 */
export function taskStructSize(config: KernelConfig): number {
  return config.STACKPROTECTOR ? 9792 : 3200;
}

/** Offsets in task_struct: thread_info, state and stack as in 6.1, the others chosen here. */
export const TASK = {
  THREAD_INFO: 0n,
  STATE: 24n,
  STACK: 32n,
  USAGE: 40n,
  FLAGS: 44n,
  CPUS_ALLOWED: 904n,
  TASKS_LIST: 1000n,
  SIBLING_LIST: 1072n,
  MM: 1104n,
  EXIT_STATE: 1120n,
  PID: 1200n,
  STACK_CANARY: 1208n,
  COMM: 1216n,
  THREAD_PID: 1240n,
  CRED: 1288n,
  WORKER_PRIVATE: 1304n,
  FILES: 1376n,
  SIGNAL: 1400n,
  SIGHAND: 1408n,
  THREAD_SP: 1800n,
} as const;
