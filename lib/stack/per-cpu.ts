/**
 * Offsets in the per-CPU area, as GS-relative on x86-64 (fixed_percpu_data: the canary is at 40). The last
 * three are of SMP kernels that keep thread_info on the stack: the run queue's lock, the root group's counter
 * of CPU time, the CPU's node.
 */
export const PER_CPU = {
  STACK_CANARY: 40n,
  CURRENT_TASK: 64n,
  RUNQUEUES: 3072n,
  CPUUSAGE: 3584n,
  CPU_TO_NODE: 3648n,
} as const;
