import type { TrialOptions } from '../stack/trial';

/** A way to overrun a stack, and its name in the recordings if it was recorded. */
export interface OverrunKind {
  readonly label: string;
  readonly options: TrialOptions;
  readonly modes: readonly string[];
}

/** Recursion without an end: it ploughs through memory, so that one trial takes as long as a hundred others. */
export const ENDLESS: OverrunKind = {
  label: 'endless recursion',
  options: {},
  modes: ['runaway_dense', 'runaway_sparse'],
};

/** The overruns that come back, as the recorded module made them. */
export const RECORDED_KINDS: readonly OverrunKind[] = [
  {
    label: 'recursion 512 B past, every byte written',
    options: { past: 512, frames: 'dense', frame: 128 },
    modes: ['polite512dense'],
  },
  {
    label: 'recursion 4096 B past, every byte written',
    options: { past: 4096, frames: 'dense', frame: 256 },
    modes: ['polite4096dense'],
  },
  {
    label: 'recursion 512 B past, few bytes written',
    options: { past: 512, frames: 'sparse', frame: 512 },
    modes: ['polite512sparse'],
  },
  { label: 'one frame, lands 1024 B below', options: { jump: 1024 }, modes: ['jump1200'] },
  { label: 'one frame, lands 2824 B below', options: { jump: 2824 }, modes: ['jump3000'] },
];

/** Over a guard page and the alignment hole below it, into the next lower stack: as far as one recorded boot. */
export const OVER_THE_GUARD: OverrunKind = {
  label: 'one frame, lands 16752 B below',
  options: { jump: 16_752 },
  modes: [],
};

export const ONE_STORE: OverrunKind = {
  label: 'one store, 64 B below',
  options: { poke: 64 },
  modes: [],
};
