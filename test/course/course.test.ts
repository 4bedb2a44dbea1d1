import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { isFunction, isNumber, answerText, sameAnswer } from '../../lib/course/answers';
import { Course, type Exercise } from '../../lib/course/course';
import { defineExercise } from '../../lib/course/exercise';
import { MemoryProgress, UNTOUCHED } from '../../lib/course/progress';
import { MIME_BUNDLE } from '../../lib/figures/figure';

const double = defineExercise({
  id: '07-double',
  title: 'Twice as much',
  draw: (random) => 2 + random.below(1000),
  task: (n) => `What is twice ${n}?`,
  expects: 'a number',
  isAnswer: isNumber,
  answer: (n) => 2 * n,
  misconceptions: [
    { name: 'squares', example: (n) => n ** 2, says: () => 'You have *squared* it.' },
  ],
  hints: [() => 'Add.', (n) => `${n} + ${n}`],
  remark: (n) => `${n} + ${n}.`,
  solution: (n) => `\`\`\`ts\nconst answer = 2 * ${n};\n\`\`\``,
});

const last = defineExercise({
  id: '08-last',
  title: 'The last one',
  draw: (random) => [random.below(9), 10 + random.below(9)],
  task: () => 'Write a function that gives the last of some numbers.',
  expects: 'a function',
  isAnswer: isFunction<(list: readonly number[]) => number>,
  cases: (list) => [[[...list]], [[5]]],
  answer: () => (list) => list[list.length - 1],
  misconceptions: [
    { name: 'takes the first', example: () => (list) => list[0], says: () => 'That is the first.' },
  ],
  hints: [() => 'length', () => 'length - 1'],
  solution: () => '```ts\nconst answer = (list: number[]) => list[list.length - 1];\n```',
});

function open() {
  const store = new MemoryProgress();
  const course = new Course([double, last], () => store);
  return {
    course,
    store,
    double: course.exercise('07-double') as Exercise<number>,
    last: course.exercise('08-last') as Exercise<(list: readonly number[]) => unknown>,
  };
}

const number = (exercise: Exercise<number>) => Number(/\d+/.exec(exercise.task));

describe('an exercise', () => {
  it('tells nothing, another kind, wrong, a misconception and right apart', () => {
    const { double } = open();
    const n = number(double);
    const outcomes = [undefined, '12' as never, NaN, 1, n ** 2, 2 * n].map((given) =>
      String(double.check(given)),
    );
    assert.deepEqual(outcomes, [
      '○ Not attempted yet\nPut your answer in place of `undefined` and run the cell again.',
      '✘ Not an answer to this question\nExpected a number, got `"12"`.',
      '✘ Not an answer to this question\nExpected a number, got `NaN`.',
      '✘ Not right\n`1` is not the answer. `.hint()` helps on.',
      '✘ Not right\nYou have *squared* it.',
      `✔ Right\n${n} + ${n}.`,
    ]);
  });

  it('notes attempts up to the first right one, hints and the solution', () => {
    const { double, store } = open();
    const entry = () => store.entries()['07-double'];
    double.check(undefined);
    double.check(NaN);
    assert.equal(entry(), undefined);
    double.check(1);
    double.hint();
    assert.deepEqual(entry(), { ...UNTOUCHED, state: 'tried', attempts: 1, hints: 1 });
    double.check(2 * number(double));
    double.check(1);
    double.solution();
    assert.deepEqual(entry(), { state: 'solved', attempts: 2, hints: 1, solution: false });
  });

  it('gives its hints one below the other, and says when there are no more', () => {
    const { double } = open();
    const n = number(double);
    assert.deepEqual(
      [1, 2, 3].map(() => double.hint().toString()),
      [
        '➜ Hint 1 of 2\nAdd.\n\n*Run this cell again for the next one.*',
        ...[2, 3].map(
          () =>
            `➜ Hint 2 of 2\n**1.** Add.\n\n**2.** ${n} + ${n}\n\n*That was the last one; \`.solution()\` shows the solution.*`,
        ),
      ],
    );
  });

  it('tries a function on its cases and tells which one is wrong', () => {
    const { last } = open();
    assert.equal(last.check((list) => list.at(-1)).outcome, 'right');
    assert.equal(last.check((list) => list[0]).misconception, 'takes the first');
    assert.match(
      last.check(() => 5).says,
      /^Called with \(`\[\d, 1\d\]`\) your function gives `5`, which is not right\. /,
    );
  });

  it('tells how a function was called that threw, whatever it threw', () => {
    const { last } = open();
    const says = (given: (list: readonly number[]) => unknown) => {
      const { outcome, says } = last.check(given);
      assert.equal(outcome, 'threw');
      return says.replace(/`\[.*?\]`/, 'LIST');
    };
    assert.equal(
      says(() => {
        throw new RangeError('no `such` thing');
      }),
      "Called with (LIST) it threw `RangeError: no 'such' thing`.",
    );
    assert.equal(
      says(() => {
        throw 'up';
      }),
      'Called with (LIST) it threw `up`.',
    );
    assert.match(
      says(function again(list): unknown {
        return again(list);
      }),
      /it threw `RangeError: Maximum call stack size exceeded`/,
    );
  });

  it('hands each function arguments of its own', () => {
    const { last } = open();
    const spoiling = (list: readonly number[]) => (list as number[]).pop();
    assert.equal(last.check(spoiling).outcome, 'right');
  });

  it('shows itself as HTML in which nothing given is markup', () => {
    const { double } = open();
    const bundle = double.check('<img src=x>' as never)[MIME_BUNDLE]();
    assert.deepEqual(Object.keys(bundle), ['text/html', 'text/plain']);
    assert.match(String(bundle['text/html']), /<code>&quot;&lt;img src=x&gt;&quot;<\/code>/);
    assert.equal(inspect(double), `Twice as much\n${double.task}`);
  });

  it('has the same numbers for the same learner, other numbers for others', () => {
    const tasks = (seed: number) => [double, last].map((one) => one.drawFor(seed).task);
    assert.deepEqual(tasks(5), tasks(5));
    assert.notEqual(tasks(5)[0], tasks(6)[0]);
  });
});

describe('a course', () => {
  it('lists its exercises when it is asked for another one', () => {
    assert.throws(() => open().course.exercise('nope'), {
      name: 'RangeError',
      message: 'exercise: expected one of 07-double, 08-last; got "nope"',
    });
    assert.throws(() => open().course.progress('7'), {
      message: 'notebook: expected one of 07, 08; got "7"',
    });
  });

  it('shows progress as a table, of one notebook or all, and can be reset', () => {
    const { course, double } = open();
    double.hint();
    double.check(1);
    double.check(2 * number(double));
    assert.equal(
      String(course.progress()),
      '1 of 2 exercises solved\n' +
        'notebook  exercise       id         state     attempts  hints seen  solution seen\n' +
        '07        Twice as much  07-double  ✔ solved  2         1           no\n' +
        '08        The last one   08-last    ○ open    0         0           no',
    );
    assert.equal(course.progress('08').table.rows.length, 1);
    assert.match(String(course.resetProgress(false)), /^○ Progress is reset\n.*same as before\.$/);
    assert.equal(course.progress().solved, 0);
  });

  it('says once what is wrong with its store, wherever it is heard first', () => {
    const store = new MemoryProgress();
    const notices = ['The disk is full.'];
    store.takeNotice = () => notices.shift() as undefined;
    const course = new Course([double], () => store);
    assert.match(String(course.exercise('07-double').check(1)), /\n\nThe disk is full\.$/);
    assert.doesNotMatch(String(course.progress()), /disk/);
  });

  it('refuses exercises that lack something', () => {
    const spec = { ...specOf(), hints: [() => 'one'] };
    assert.throws(() => defineExercise(spec), /exercise 07-x: expected two hints or more/);
    assert.throws(() => defineExercise({ ...specOf(), misconceptions: [] }), /a misconception/);
    assert.throws(() => defineExercise({ ...specOf(), id: 'x' }), /an id such as 03-headroom/);
  });
});

const specOf = () => ({
  id: '07-x',
  title: '',
  draw: () => 1,
  task: () => '',
  expects: '',
  isAnswer: isNumber,
  answer: () => 1,
  misconceptions: [{ name: '', example: () => 2, says: () => '' }],
  hints: [() => '', () => ''],
  solution: () => '',
});

describe('answers', () => {
  it('are the same member by member; a number is no bigint', () => {
    assert.ok(sameAnswer({ a: [1, 2n], b: undefined }, { a: [1, 2n] }));
    assert.ok(sameAnswer([NaN], [NaN]));
    for (const [one, other] of [
      [1, 1n],
      [[1], { 0: 1 }],
      [[1, 2], [1]],
      [null, {}],
      [{ a: 1 }, { b: 1 }],
    ]) {
      assert.equal(sameAnswer(one, other), false, answerText([one, other]));
    }
  });

  it('are told as one would write them, on one line of bounded length', () => {
    const round: Record<string, unknown> = { a: [1, 'x', 2n, 0xffffc90000000000n] };
    round.self = round;
    assert.equal(
      answerText(round),
      '{ a: [1, "x", 2n, 0xffffc90000000000n], self: { a: [1, "x", 2n, 0xffffc90000000000n], self: { a: [1, "x", 2n, 0xffffc90…',
    );
    assert.equal(answerText(Array(1000).fill(7)).length, 72);
  });
});
