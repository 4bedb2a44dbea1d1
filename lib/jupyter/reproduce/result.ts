import type { CellStatus } from '../kernel-session';
import type { Finding } from './finding';
import type { StoredNotebook } from './notebook-file';

export type Outcome = 'passed' | 'failed' | 'skipped';

/** What came of one notebook. */
export interface NotebookResult {
  /** As the user named it. */
  readonly name: string;
  readonly outcome: Outcome;
  /** Why it was skipped. */
  readonly reason?: string;
  readonly findings: readonly Finding[];
  /** The code cells that were run, in their order. */
  readonly cells: readonly CellResult[];
  /** Cells left out after a failure. */
  readonly notRun: readonly number[];
  /** From the start of its kernel to the end, of the first of two runs. */
  readonly ms: number;
  readonly startMs: number;
  /** Whether `--update` wrote it. */
  readonly written: boolean;
  readonly notebook?: StoredNotebook;
}

export interface CellResult {
  readonly index: number;
  readonly status: CellStatus;
  readonly ms: number;
  readonly stderr: string;
}

/** The last line of the report. */
export function countsLine(results: readonly NotebookResult[]): string {
  const count = (wanted: Outcome) => results.filter(({ outcome }) => outcome === wanted).length;
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
}
