import assert from 'node:assert/strict';
import { answerText } from '../../lib/course/answers';
import { judge } from '../../lib/course/attempt';
import type { DefinedExercise, DrawnExercise } from '../../lib/course/exercise';
import { EXERCISES } from '../../lib/course/exercises';
import { markdownHtml } from '../../lib/course/markdown';
import { effort } from '../support/effort';
import { runSolution } from './run-solution';

/** Learner seeds: that of the stored notebooks and some others. */
const { numRuns } = effort(10);
const SEEDS = Array.from({ length: numRuns }, (_, i) =>
  i === 0 ? 0 : (i * 7919 + i ** 4) % 2 ** 31,
);

/** What no exercise takes for an answer. */
const NO_ANSWERS: readonly unknown[] = [
  null,
  NaN,
  Infinity,
  Symbol('answer'),
  new Map(),
  Promise.resolve(1),
];

function textsOf(
  { title, expects }: DefinedExercise,
  { task, hints, solution, remark, misconceptions }: DrawnExercise<unknown>,
): readonly string[] {
  const said = misconceptions.flatMap(({ name, says }) => [name, says]);
  return [title, expects, task, ...hints, solution, remark, ...said];
}

describe('the exercises', () => {
  it('have ids that occur once, in the order of the course', () => {
    const ids = EXERCISES.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    const notebooks = ids.map((id) => id.slice(0, 2));
    assert.deepEqual(notebooks, [...notebooks].sort());
  });

  for (const defined of EXERCISES) {
    describe(defined.id, function () {
      this.timeout(60_000);
      const learners = new Map<number, DrawnExercise<unknown>>();
      before(() => SEEDS.forEach((seed) => learners.set(seed, defined.drawFor(seed))));
      after(() => learners.clear());
      const drawnFor = (seed: number) => learners.get(seed) as DrawnExercise<unknown>;

      it('takes its own answer, and nothing for "not attempted"', () => {
        for (const seed of SEEDS) {
          const drawn = drawnFor(seed);
          const right = judge(defined, drawn, drawn.answer());
          assert.equal(right.outcome, 'right', `seed ${seed}: ${answerText(drawn.answer())}`);
          assert.equal(judge(defined, drawn, undefined).outcome, 'not attempted');
        }
      });

      it('tells each misconception by its name and never takes it for right', () => {
        for (const seed of SEEDS) {
          const drawn = drawnFor(seed);
          for (const { name, example } of drawn.misconceptions) {
            const given = example();
            if (given === undefined) continue;
            const { outcome, misconception } = judge(defined, drawn, given);
            const which = `seed ${seed}: ${answerText(given)} for "${name}"`;
            assert.equal(outcome, 'misconception', which);
            if (misconception !== name) {
              // Two beliefs may lead to the same answer; then either name will do.
              const other = drawn.misconceptions.find((one) => one.name === misconception);
              assert.ok(other?.recognises(given), which);
            }
          }
          for (const { name } of drawnFor(0).misconceptions) {
            assert.ok(drawn.misconceptions.some((one) => one.name === name));
          }
        }
      });

      it('recognises each misconception as itself for some learner', () => {
        for (const [i, { name }] of drawnFor(0).misconceptions.entries()) {
          const itself = SEEDS.some((seed) => {
            const drawn = drawnFor(seed);
            const given = drawn.misconceptions[i].example();
            return judge(defined, drawn, given).misconception === name;
          });
          assert.ok(itself, `"${name}" is always taken for another`);
        }
      });

      it('says what it expected when it gets another kind of value', () => {
        const drawn = drawnFor(SEEDS[1]);
        for (const given of NO_ANSWERS) {
          const { outcome, says } = judge(defined, drawn, given);
          assert.equal(outcome, 'type', answerText(given));
          assert.equal(says, `Expected ${defined.expects}, got \`${answerText(given)}\`.`);
        }
      });

      it('has texts without holes, which differ between learners', () => {
        for (const seed of SEEDS) {
          for (const text of textsOf(defined, drawnFor(seed))) {
            assert.doesNotMatch(text, /undefined|NaN|\[object|null\b/, `seed ${seed}`);
            assert.doesNotMatch(
              markdownHtml(text),
              /\*\*|```/,
              `seed ${seed}: Markdown that is not shown`,
            );
          }
          for (const text of textsOf(defined, drawnFor(seed)).slice(0, 3))
            assert.notEqual(text.trim(), '');
        }
        const tasks = new Set(SEEDS.map((seed) => drawnFor(seed).task));
        assert.ok(tasks.size > 1, 'every learner gets the same numbers');
      });

      it('has a solution whose code gives a right answer', () => {
        for (const seed of SEEDS.slice(0, Math.ceil(numRuns / 10))) {
          const drawn = drawnFor(seed);
          const verdict = judge(defined, drawn, runSolution(drawn.solution));
          assert.equal(verdict.outcome, 'right', `seed ${seed}: ${verdict}`);
        }
      });
    });
  }
});
