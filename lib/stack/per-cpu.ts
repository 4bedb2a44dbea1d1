/** Offsets in the per-CPU area, as GS-relative on x86-64 (fixed_percpu_data: the canary is at 40). */
export const PER_CPU = { STACK_CANARY: 40n, CURRENT_TASK: 64n } as const;
