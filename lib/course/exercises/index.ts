import type { DefinedExercise } from '../exercise';
import { EXERCISES_00, type Answers00 } from './00-start-here';
import { EXERCISES_01, type Answers01 } from './01-an-address';
import { EXERCISES_02, type Answers02 } from './02-direct-map';
import { EXERCISES_03, type Answers03 } from './03-8-kb-stack';
import { EXERCISES_04, type Answers04 } from './04-the-overrun';
import { EXERCISES_05, type Answers05 } from './05-noticing-afterwards';
import { EXERCISES_06, type Answers06 } from './06-small-stack';
import { EXERCISES_07, type Answers07 } from './07-sixteen-kilobytes';
import { EXERCISES_08, type Answers08 } from './08-vmalloc';
import { EXERCISES_09, type Answers09 } from './09-the-guard-page';
import { EXERCISES_10, type Answers10 } from './10-the-price';
import { EXERCISES_11, type Answers11 } from './11-what-it-does-not-stop';
import { EXERCISES_12, type Answers12 } from './12-since-then';

/** Type of the answer to each exercise, by its id. One line a notebook, here and below. */
export type Answers = Answers00 &
  Answers01 &
  Answers02 &
  Answers03 &
  Answers04 &
  Answers05 &
  Answers06 &
  Answers07 &
  Answers08 &
  Answers09 &
  Answers10 &
  Answers11 &
  Answers12;

/** All exercises, in the order of the course. */
export const EXERCISES: readonly DefinedExercise[] = [
  ...EXERCISES_00,
  ...EXERCISES_01,
  ...EXERCISES_02,
  ...EXERCISES_03,
  ...EXERCISES_04,
  ...EXERCISES_05,
  ...EXERCISES_06,
  ...EXERCISES_07,
  ...EXERCISES_08,
  ...EXERCISES_09,
  ...EXERCISES_10,
  ...EXERCISES_11,
  ...EXERCISES_12,
];
