import type { Output } from '../outputs';

/** The classes of failure, as reports name them, with what each means. */
export const FINDINGS = {
  unreadable: 'the file cannot be read',
  'invalid-notebook': 'the file is no notebook of format 4',
  'no-kernel': 'the notebook names no kernel, or one that is not installed',
  'kernel-start': 'the kernel did not start',
  'kernel-died': 'the kernel ended while a cell ran',
  'server-died': 'the Jupyter server ended',
  error: 'a cell threw',
  'type-error': 'a cell was refused by the type checker',
  timeout: 'a cell did not end in time',
  'broken-off': 'the run was stopped from outside',
  deadline: 'the time for the whole run was over',
  aborted: 'the kernel passed over a cell without running it',
  order: 'the stored execution counts are not 1, 2, 3, …',
  stale: 'a cell was changed after its outputs were stored',
  'changed-text': 'text came out differently',
  'changed-figure': 'a figure came out differently',
  'changed-table': 'a table came out differently',
  'changed-markup': 'HTML or SVG came out differently',
  'changed-image': 'an image came out differently',
  'changed-data': 'other data came out differently',
  'changed-error': 'another error was thrown than is stored',
  'missing-output': 'a stored output did not come',
  'extra-output': 'an output came that is not stored',
  'not-deterministic': 'two runs in fresh kernels gave different bytes',
  'not-written': 'the new outputs could not be stored',
} as const;

export type FindingKind = keyof typeof FINDINGS;

/** One thing that is wrong with a notebook. */
export interface Finding {
  readonly kind: FindingKind;
  /** What was expected, what came: one line. */
  readonly message: string;
  /** The cell, counted from 0 over all cells; none if it is about the notebook. */
  readonly cell?: number;
  /** A diff, a traceback: shown below the message. */
  readonly details?: readonly string[];
  /** The outputs that differ, for a report that draws them. */
  readonly stored?: Output;
  readonly fresh?: Output;
}
