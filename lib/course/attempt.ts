import { MIME_BUNDLE, type MimeBundle } from '../figures/figure';
import { answerText } from './answers';
import { Card, type CardKind } from './card';
import type { DefinedExercise, DrawnExercise } from './exercise';

/**
 * What became of an answer. `misconception`: wrong in a way that has a name; `type`: not the kind of value that is
 * asked for; `threw`: a function that threw when it was tried.
 */
export type Outcome = 'not attempted' | 'right' | 'wrong' | 'misconception' | 'type' | 'threw';

const HEADINGS: Readonly<Record<Outcome, readonly [CardKind, string]>> = {
  'not attempted': ['open', 'Not attempted yet'],
  right: ['right', 'Right'],
  wrong: ['wrong', 'Not right'],
  misconception: ['wrong', 'Not right'],
  type: ['wrong', 'Not an answer to this question'],
  threw: ['wrong', 'Your function threw'],
};

/** What `check` says of an answer; shows itself in a notebook. */
export class Verdict {
  readonly outcome: Outcome;
  /** Name of the misconception, if the answer shows one. */
  readonly misconception: string | undefined;
  /** What is said, in Markdown. */
  readonly says: string;

  constructor(outcome: Outcome, says: string, misconception?: string) {
    this.outcome = outcome;
    this.says = says;
    this.misconception = misconception;
  }

  get right(): boolean {
    return this.outcome === 'right';
  }

  /** This verdict, with something more to say below. */
  with(notice: string | undefined): Verdict {
    if (notice === undefined) return this;
    return new Verdict(this.outcome, `${this.says}\n\n${notice}`, this.misconception);
  }

  private card(): Card {
    return new Card(...HEADINGS[this.outcome], this.says);
  }

  [MIME_BUNDLE](): MimeBundle {
    return this.card()[MIME_BUNDLE]();
  }

  toString(): string {
    return this.card().toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** Judges an answer; nothing is recorded. */
export function judge<A>(
  defined: DefinedExercise<string, A>,
  drawn: DrawnExercise<A>,
  given: unknown,
): Verdict {
  if (given === undefined) {
    return new Verdict(
      'not attempted',
      'Put your answer in place of `undefined` and run the cell again.',
    );
  }
  if (!defined.isAnswer(given)) {
    return new Verdict('type', `Expected ${defined.expects}, got ${quote(given)}.`);
  }
  const watch = new Watch();
  try {
    return judgeAnswer(drawn, given, watch.over(given));
  } catch (error) {
    if (typeof given !== 'function') throw error;
    return new Verdict('threw', watch.explain(error));
  }
}

function judgeAnswer<A>(drawn: DrawnExercise<A>, given: A, answer: A): Verdict {
  if (drawn.accepts(answer)) return new Verdict('right', drawn.remark);
  const shown = drawn.misconceptions.find(({ recognises }) => recognises(answer));
  if (shown) return new Verdict('misconception', shown.says, shown.name);
  return new Verdict('wrong', `${wrongText(drawn, given, answer)} \`.hint()\` helps on.`);
}

function wrongText<A>(drawn: DrawnExercise<A>, given: A, answer: A): string {
  if (typeof given !== 'function') return `${quote(given)} is not the answer.`;
  const wrong = drawn.firstWrongCase(answer);
  if (!wrong) return 'Your function does not do what is asked.';
  return `Called with (${listText(wrong.args)}) your function gives ${quote(wrong.result)}, which is not right.`;
}

const quote = (value: unknown) => `\`${answerText(value).replace(/`/g, "'")}\``;

const listText = (args: readonly unknown[]) => args.map(quote).join(', ');

type AnyFunction = (...args: unknown[]) => unknown;

/** Remembers how a learner's function was called, so that what it throws can be told. */
class Watch {
  private call: { readonly args: string; thrown: boolean } | undefined;

  over<A>(given: A): A {
    if (typeof given !== 'function') return given;
    const learners = given as unknown as AnyFunction;
    const watched: AnyFunction = (...args) => {
      const call = { args: listText(args), thrown: true };
      this.call = call;
      const result = learners(...args);
      call.thrown = false;
      return result;
    };
    return watched as unknown as A;
  }

  explain(error: unknown): string {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (!this.call) return quote(what);
    const { args, thrown } = this.call;
    if (thrown) return `Called with (${args}) it threw \`${what.replace(/`/g, "'")}\`.`;
    return `Called with (${args}) it returned something that can't be used here: \`${what.replace(/`/g, "'")}\`.`;
  }
}
