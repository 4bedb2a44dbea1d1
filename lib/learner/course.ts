import { isAbsolute, join } from 'node:path';
import type { Card } from '../course/card';
import { Course, type Exercise } from '../course/course';
import { EXERCISES, type Answers } from '../course/exercises';
import { MemoryProgress, type ProgressStore, type ProgressTable } from '../course/progress';
import { locate } from '../setup/project';
import { ProgressFile } from './progress-file';

/**
 * The learner's progress: `GUARDPAGE_PROGRESS=memory` keeps none and has learner seed 0; an absolute path names another
 * file than the one beside the working copies.
 */
export function openProgress(
  place: string | undefined = process.env.GUARDPAGE_PROGRESS,
): ProgressStore {
  if (place === 'memory') return new MemoryProgress();
  if (place === undefined || place === '') {
    return new ProgressFile(join(locate().learner, 'progress.json'));
  }
  if (isAbsolute(place)) return new ProgressFile(place);
  throw new RangeError(
    `GUARDPAGE_PROGRESS: expected memory or an absolute path, got ${JSON.stringify(place)}`,
  );
}

const course = new Course(EXERCISES, () => openProgress());

/**
 * An exercise with your own numbers: `show` it, `check(answer)`, `hint()`, `solution()`.
 *
 * @throws RangeError that lists the ids, for another one
 */
export function exercise<Id extends keyof Answers>(id: Id): Exercise<Answers[Id]>;
export function exercise(id: string): Exercise<unknown>;
export function exercise(id: string): Exercise<unknown> {
  return course.exercise(id);
}

/**
 * Exercises and how far you are, as a table.
 *
 * @param notebook its number, as `00`; all notebooks if left out
 */
export function progress(notebook?: string): ProgressTable {
  return course.progress(notebook);
}

/**
 * Forgets your progress; the file with the old one is kept beside it.
 *
 * @param options `newNumbers: true` gives the exercises other numbers
 */
export function resetProgress({ newNumbers = false }: { newNumbers?: boolean } = {}): Card {
  return course.resetProgress(newNumbers);
}
