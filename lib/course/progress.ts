import { escapeHtml, MIME_BUNDLE, type MimeBundle, type Table } from '../figures/figure';
import type { DefinedExercise } from './exercise';
import { tableOf } from './markdown';

/** `open`: never answered; `tried`: answered, never rightly; `solved`: answered rightly once. */
export type ExerciseState = 'open' | 'tried' | 'solved';

/** What is kept of one exercise. */
export interface ProgressEntry {
  readonly state: ExerciseState;
  /** Answers of the right type, up to the first right one. */
  readonly attempts: number;
  /** How many of the hints have been seen. */
  readonly hints: number;
  /** Whether the solution was seen before the exercise was solved. */
  readonly solution: boolean;
}

export const UNTOUCHED: ProgressEntry = { state: 'open', attempts: 0, hints: 0, solution: false };

/** Where progress is kept: handed in from outside, since this layer knows no files. */
export interface ProgressStore {
  /** The learner's: all numbers of all exercises follow from it. */
  readonly seed: number;
  /** All entries by the exercise's id. */
  entries(): Readonly<Record<string, ProgressEntry>>;
  /** Changes one entry and leaves all others as they are, whoever else writes. */
  update(id: string, change: (entry: ProgressEntry) => ProgressEntry): void;
  /** Forgets all entries and, if asked, draws another seed. Says what was kept of the old ones. */
  reset(newNumbers: boolean): string;
  /** What the learner should be told about the store, once: a damaged file, a full disk. */
  takeNotice(): string | undefined;
}

/** Progress that ends with the kernel; learner seed 0, as in the stored notebooks. */
export class MemoryProgress implements ProgressStore {
  readonly seed: number = 0;
  private readonly kept = new Map<string, ProgressEntry>();

  entries(): Readonly<Record<string, ProgressEntry>> {
    return Object.fromEntries(this.kept);
  }

  update(id: string, change: (entry: ProgressEntry) => ProgressEntry): void {
    this.kept.set(id, change(this.kept.get(id) ?? UNTOUCHED));
  }

  reset(): string {
    this.kept.clear();
    return 'Progress is kept in memory here and was cleared.';
  }

  takeNotice(): undefined {}
}

const STATES: Readonly<Record<ExerciseState, string>> = {
  open: '○ open',
  tried: '✘ tried',
  solved: '✔ solved',
};

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** All exercises of the course and how far the learner is; shows itself in a notebook. */
export class ProgressTable {
  readonly table: Table;
  readonly solved: number;
  readonly notice: string;

  constructor(
    exercises: readonly DefinedExercise[],
    entries: Readonly<Record<string, ProgressEntry>>,
    notice: string = '',
  ) {
    const entryOf = ({ id }: DefinedExercise) => entries[id] ?? UNTOUCHED;
    this.solved = exercises.filter((one) => entryOf(one).state === 'solved').length;
    this.notice = notice;
    this.table = {
      columns: ['notebook', 'exercise', 'id', 'state', 'attempts', 'hints seen', 'solution seen'],
      rows: exercises.map((one) => {
        const { state, attempts, hints, solution } = entryOf(one);
        const seen = solution ? 'yes' : 'no';
        return [one.id.slice(0, 2), one.title, one.id, STATES[state], attempts, hints, seen];
      }),
    };
  }

  private get headline(): string {
    return `${this.solved} of ${this.table.rows.length} exercises solved`;
  }

  [MIME_BUNDLE](): MimeBundle {
    const { columns, rows } = this.table;
    const cells = rows.map((row) => row.map((cell) => escapeHtml(String(cell))));
    const notice = this.notice && `<p>${escapeHtml(this.notice)}</p>`;
    return {
      'text/html': `<p><strong>${this.headline}</strong></p>${tableOf(columns, cells)}${notice}`,
      'text/plain': this.toString(),
    };
  }

  toString(): string {
    const cells = [this.table.columns, ...this.table.rows].map((row) => row.map(String));
    const widths = this.table.columns.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
    const lines = cells.map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    );
    return [this.headline, ...lines, ...(this.notice ? [this.notice] : [])].join('\n');
  }

  [INSPECT](): string {
    return this.toString();
  }
}
