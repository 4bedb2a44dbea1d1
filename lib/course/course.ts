import { MIME_BUNDLE, type MimeBundle } from '../figures/figure';
import { judge, type Verdict } from './attempt';
import { Card } from './card';
import type { DefinedExercise, DrawnExercise } from './exercise';
import { ProgressTable, type ProgressEntry, type ProgressStore } from './progress';

/** One exercise with the learner's own numbers. Shows its task in a notebook. */
export class Exercise<A> {
  readonly id: string;
  readonly title: string;
  private readonly defined: DefinedExercise<string, A>;
  private readonly drawn: DrawnExercise<A>;
  private readonly store: ProgressStore;
  private hintsShown = 0;

  constructor(defined: DefinedExercise<string, A>, store: ProgressStore) {
    this.id = defined.id;
    this.title = defined.title;
    this.defined = defined;
    this.drawn = defined.drawFor(store.seed);
    this.store = store;
  }

  /** What is asked, in Markdown. */
  get task(): string {
    return this.drawn.task;
  }

  /** Judges an answer and notes it; `undefined` is no attempt. */
  check(given: A | undefined): Verdict {
    const verdict = judge(this.defined, this.drawn, given);
    const { outcome, right } = verdict;
    if (right || outcome === 'wrong' || outcome === 'misconception') {
      this.note((entry) =>
        entry.state === 'solved'
          ? entry
          : { ...entry, attempts: entry.attempts + 1, state: right ? 'solved' : 'tried' },
      );
    }
    return verdict.with(this.store.takeNotice());
  }

  /** The first hint; called again, the next one below it. */
  hint(): Card {
    const { hints } = this.drawn;
    const shown = Math.min(this.hintsShown + 1, hints.length);
    this.hintsShown = shown;
    this.note((entry) => ({ ...entry, hints: Math.max(entry.hints, shown) }));
    const more =
      shown < hints.length
        ? 'Run this cell again for the next one.'
        : 'That was the last one; `.solution()` shows the solution.';
    const list = hints
      .slice(0, shown)
      .map((hint, i) => (shown > 1 ? `**${i + 1}.** ${hint}` : hint));
    return this.card('hint', `Hint ${shown} of ${hints.length}`, [...list, `*${more}*`]);
  }

  /** The answer, why, and the code that computes it. */
  solution(): Card {
    this.note((entry) => (entry.state === 'solved' ? entry : { ...entry, solution: true }));
    return this.card('solution', `Solution: ${this.title}`, [this.drawn.solution]);
  }

  private note(change: (entry: ProgressEntry) => ProgressEntry): void {
    this.store.update(this.id, change);
  }

  private card(
    kind: 'task' | 'hint' | 'solution',
    heading: string,
    parts: readonly string[],
  ): Card {
    const notice = this.store.takeNotice();
    return new Card(kind, heading, [...parts, ...(notice ? [notice] : [])].join('\n\n'));
  }

  [MIME_BUNDLE](): MimeBundle {
    return this.card('task', this.title, [this.task])[MIME_BUNDLE]();
  }

  toString(): string {
    return `${this.title}\n${this.task}`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** The exercises of a course and one learner's progress through them. */
export class Course {
  private readonly exercises: readonly DefinedExercise[];
  private readonly openStore: () => ProgressStore;
  private opened: ProgressStore | undefined;

  /** @param openStore called when something of it is first needed */
  constructor(exercises: readonly DefinedExercise[], openStore: () => ProgressStore) {
    this.exercises = exercises;
    this.openStore = openStore;
  }

  private get store(): ProgressStore {
    this.opened ??= this.openStore();
    return this.opened;
  }

  /** @throws RangeError that lists the ids, for another one */
  exercise(id: string): Exercise<unknown> {
    const defined = this.exercises.find((one) => one.id === id);
    if (!defined) {
      const ids = this.exercises.map((one) => one.id).join(', ');
      throw new RangeError(`exercise: expected one of ${ids}; got ${JSON.stringify(id)}`);
    }
    return new Exercise(defined, this.store);
  }

  /**
   * @param notebook its number, as `00`; all if left out
   * @throws RangeError that lists the numbers, for another one
   */
  progress(notebook?: string): ProgressTable {
    const numbers = [...new Set(this.exercises.map(({ id }) => id.slice(0, 2)))];
    if (notebook !== undefined && !numbers.includes(notebook)) {
      throw new RangeError(
        `notebook: expected one of ${numbers.join(', ')}; got ${JSON.stringify(notebook)}`,
      );
    }
    const shown = this.exercises.filter(({ id }) => id.startsWith(notebook ?? ''));
    const entries = this.store.entries();
    return new ProgressTable(shown, entries, this.store.takeNotice());
  }

  /** @param newNumbers whether the exercises get other numbers too */
  resetProgress(newNumbers: boolean): Card {
    const said = this.store.reset(newNumbers);
    const numbers = newNumbers
      ? 'The exercises have other numbers now: run the notebook from the top.'
      : 'The numbers of the exercises are the same as before.';
    return new Card('open', 'Progress is reset', `${said} ${numbers}`);
  }
}
