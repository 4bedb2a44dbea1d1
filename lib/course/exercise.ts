import { Random } from '../random';
import { sameAnswer } from './answers';

/** An exercise as its author writes it. `V` are the learner's own numbers, `A` is the answer asked for. */
export interface ExerciseSpec<Id extends string, V, A> {
  /** Number of the notebook, then a word: `03-headroom`. */
  readonly id: Id;
  readonly title: string;
  /** The learner's own numbers. */
  readonly draw: (random: Random) => V;
  /** What is asked, in Markdown (see {@link markdownHtml}). */
  readonly task: (values: V) => string;
  /** Ends the sentence "Expected …": told when the answer has another type. */
  readonly expects: string;
  /** Type and shape; `NaN` and the like are refused. See answers.ts. */
  readonly isAnswer: (given: unknown) => given is A;
  /** Computed, by the simulator where there is something to run. For a function: one that is right. */
  readonly answer: (values: V) => A;
  /** For a function: the argument lists it is called with. Made anew for each function. */
  readonly cases?: (values: V) => readonly (readonly unknown[])[];
  /** Default: equal to `answer`; for a function: equal results in all `cases`. */
  readonly accept?: (given: A, values: V) => boolean;
  /** Tried in this order; at least one. */
  readonly misconceptions: readonly Misconception<V, A>[];
  /** Markdown, from a nudge to nearly the answer; at least two. */
  readonly hints: readonly ((values: V) => string)[];
  /** Said with "Right": why it is so, in a sentence. Markdown. */
  readonly remark?: (values: V) => string;
  /** Markdown: the answer, why, and a ```ts block that computes it as `const answer = …`. */
  readonly solution: (values: V) => string;
}

/** A wrong answer that tells what its giver believes. */
export interface Misconception<V, A> {
  /** "forgets the end marker" */
  readonly name: string;
  /** An answer that somebody with it would give; undefined where it leads to the right one. */
  readonly example: (values: V) => A | undefined;
  /** Default: as `accept`, with `example` in place of the answer. */
  readonly recognises?: (given: A, values: V) => boolean;
  /** Names the misconception and gives nothing away. Markdown. */
  readonly says: (values: V) => string;
}

/** An exercise with one learner's numbers in it. */
export interface DrawnExercise<A> {
  readonly task: string;
  readonly hints: readonly string[];
  readonly solution: string;
  readonly remark: string;
  readonly misconceptions: readonly DrawnMisconception<A>[];
  answer(): A;
  accepts(given: A): boolean;
  /** For a function with `cases`: the first whose result differs from the right one's, if any. */
  firstWrongCase(given: A): WrongCase | undefined;
}

export interface DrawnMisconception<A> {
  readonly name: string;
  readonly says: string;
  example(): A | undefined;
  recognises(given: A): boolean;
}

export interface WrongCase {
  readonly args: readonly unknown[];
  readonly result: unknown;
}

/** What the registry holds: the author's own type of numbers is not seen from outside. */
export interface DefinedExercise<Id extends string = string, A = unknown> {
  readonly id: Id;
  readonly title: string;
  readonly expects: string;
  isAnswer(given: unknown): given is A;
  /** @param learnerSeed whose numbers; each exercise draws its own from it */
  drawFor(learnerSeed: number): DrawnExercise<A>;
}

/** All exercises of a notebook, whose answers have the types that `T` promises. */
export type ExercisesOf<T> = readonly {
  [Id in keyof T & string]: DefinedExercise<Id, T[Id]>;
}[keyof T & string][];

type AnyFunction = (...args: readonly unknown[]) => unknown;

/** @throws TypeError for an exercise that lacks something */
export function defineExercise<const Id extends string, V, A>(
  spec: ExerciseSpec<Id, V, A>,
): DefinedExercise<Id, A> {
  const { id, title, expects, isAnswer } = spec;
  const lacks = (what: string) => new TypeError(`exercise ${id}: expected ${what}`);
  if (!/^\d\d-[a-z0-9-]+$/.test(id)) throw lacks('an id such as 03-headroom');
  if (spec.misconceptions.length === 0) throw lacks('a misconception');
  if (spec.hints.length < 2) throw lacks('two hints or more');
  return { id, title, expects, isAnswer, drawFor: (seed) => drawn(spec, seed) };
}

function drawn<Id extends string, V, A>(
  spec: ExerciseSpec<Id, V, A>,
  learnerSeed: number,
): DrawnExercise<A> {
  const values = spec.draw(new Random(seedFor(spec.id, learnerSeed)));
  const answer = once(() => spec.answer(values));
  const firstWrongCase = (given: A, other: A) => differingCase(spec, values, given, other);
  const same = (given: A, other: A) =>
    spec.cases ? firstWrongCase(given, other) === undefined : sameAnswer(given, other);
  return {
    task: spec.task(values),
    // Read when they are wanted: they may need a machine to be run.
    get hints() {
      return spec.hints.map((hint) => hint(values));
    },
    get solution() {
      return spec.solution(values);
    },
    get remark() {
      return spec.remark?.(values) ?? '';
    },
    misconceptions: spec.misconceptions.map((spoken) => {
      const example = once(() => spoken.example(values));
      return {
        name: spoken.name,
        get says() {
          return spoken.says(values);
        },
        example,
        recognises: (given) => {
          if (spoken.recognises) return spoken.recognises(given, values);
          const believed = example();
          return believed !== undefined && same(given, believed);
        },
      };
    }),
    answer,
    accepts: (given) => spec.accept?.(given, values) ?? same(given, answer()),
    firstWrongCase: (given) =>
      spec.cases && !spec.accept ? firstWrongCase(given, answer()) : undefined,
  };
}

/** Computes when asked first: that may run a machine. */
function once<T>(compute: () => T): () => T {
  let computed: { readonly value: T } | undefined;
  return () => (computed ??= { value: compute() }).value;
}

function differingCase<Id extends string, V, A>(
  { cases }: ExerciseSpec<Id, V, A>,
  values: V,
  given: A,
  other: A,
): WrongCase | undefined {
  const ours = cases?.(values) ?? [];
  const theirs = cases?.(values) ?? [];
  for (const [i, args] of theirs.entries()) {
    const result = (given as AnyFunction)(...args);
    if (!sameAnswer(result, (other as AnyFunction)(...ours[i]))) {
      return { args: cases?.(values)[i] ?? args, result };
    }
  }
  return undefined;
}

/** One learner's seed for one exercise: new exercises leave the numbers of the others as they are. */
function seedFor(id: string, learnerSeed: number): number {
  let hash = 0x811c9dc5 ^ learnerSeed; // FNV-1a
  for (const char of id) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash & 0x7fffffff;
}
