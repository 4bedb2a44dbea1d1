import type { DefinedExercise } from '../exercise';
import { EXERCISES_00, type Answers00 } from './00-start-here';
import { EXERCISES_01, type Answers01 } from './01-an-address';
import { EXERCISES_02, type Answers02 } from './02-direct-map';
import { EXERCISES_03, type Answers03 } from './03-8-kb-stack';
import { EXERCISES_04, type Answers04 } from './04-the-overrun';
import { EXERCISES_05, type Answers05 } from './05-noticing-afterwards';
import { EXERCISES_09, type Answers09 } from './09-the-guard-page';

/** Type of the answer to each exercise, by its id. One line a notebook, here and below. */
export type Answers = Answers00 &
  Answers01 &
  Answers02 &
  Answers03 &
  Answers04 &
  Answers05 &
  Answers09;

/** All exercises, in the order of the course. */
export const EXERCISES: readonly DefinedExercise[] = [
  ...EXERCISES_00,
  ...EXERCISES_01,
  ...EXERCISES_02,
  ...EXERCISES_03,
  ...EXERCISES_04,
  ...EXERCISES_05,
  ...EXERCISES_09,
];
