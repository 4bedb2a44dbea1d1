import { kernelConfig } from '../../stack/config';
import { publishedTrace } from '../../stack/published-traces';
import type { StackTrace } from '../../stack/trace';
import { moveToWorkqueue } from '../../stack/trace-edit';
import { isFunction, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

export interface Answers06 {
  '06-trim': number;
  '06-levels': number;
  '06-work': number;
  '06-largest': (trace: StackTrace, n: number) => number;
  '06-best-cut': (trace: StackTrace) => string;
}

const USABLE = kernelConfig('8k').usable;
const STACK = 8192;

const upTo8 = (bytes: number) => 8 * Math.ceil(bytes / 8);

const DEEP = ['04', '05', '12'] as const;

const trim = defineExercise({
  id: '06-trim',
  title: 'How much must go',
  draw: (random) => ({ id: random.pick(DEEP), reserve: 168 + 8 * (1 + random.below(60)) }),
  task: ({ id, reserve }) =>
    `Trace ${id} is ${publishedTrace(id).maxDepth} bytes deep. It is to fit into the 8 KB stack of 3.14 and leave ${reserve} bytes for an interrupt and for luck. ` +
    'Frames shrink by multiples of 8 bytes. How many bytes must its frames lose together, at least?',
  expects: 'a whole number of bytes',
  isAnswer: isWhole,
  answer: ({ id, reserve }) => upTo8(publishedTrace(id).maxDepth + reserve - USABLE),
  misconceptions: [
    {
      name: 'takes the whole 8192 bytes for usable',
      example: ({ id, reserve }) => upTo8(publishedTrace(id).maxDepth + reserve - STACK),
      says: () => 'You count on all 8192 bytes. `thread_info` and the end magic lie at the bottom.',
    },
    {
      name: 'leaves nothing for an interrupt',
      example: ({ id }) => upTo8(publishedTrace(id).maxDepth - USABLE),
      says: () => 'Then it fits exactly, and nothing else does. A reserve was asked for.',
    },
    {
      name: 'adds the reserve to the stack',
      example: ({ id, reserve }) => upTo8(publishedTrace(id).maxDepth - reserve - USABLE),
      says: () =>
        'You took the reserve off the wrong side: it makes the stack smaller, not the chain.',
    },
  ],
  hints: [
    () =>
      'Of 8192 bytes 8080 are usable. How many of them may the chain take if a reserve is kept?',
    ({ id, reserve }) =>
      `${publishedTrace(id).maxDepth} + ${reserve} − 8080, rounded up to a multiple of 8.`,
  ],
  solution: ({ id, reserve }) =>
    'The chain may take 8080 bytes less the reserve:\n\n' +
    '```ts\n' +
    'import { kernelConfig, publishedTrace } from "guardpage";\n\n' +
    `const tooMuch = publishedTrace("${id}").maxDepth + ${reserve} - kernelConfig("8k").usable;\n` +
    'const answer = 8 * Math.ceil(tooMuch / 8);\n' +
    '```',
});

const levels = defineExercise({
  id: '06-levels',
  title: 'How many levels',
  draw: (random) => {
    const frame = 16 * (6 + random.below(60));
    // So much in use that the last level would fit into 8192 bytes, but not into 8080.
    const most = Math.floor((USABLE - 1200) / frame) - 1;
    const used = USABLE - frame * most - (frame - 8 * (1 + random.below(6)));
    return { frame, used };
  },
  task: ({ frame, used }) =>
    `A function calls itself once for each layer of a stack of devices. Its frame takes ${frame} bytes, return address included; its callers have used ${used} bytes of an 8 KB stack of 3.14. ` +
    'How many calls of it fit?',
  expects: 'a whole number of calls',
  isAnswer: isWhole,
  answer: ({ frame, used }) => Math.floor((USABLE - used) / frame),
  misconceptions: [
    {
      name: 'takes the whole 8192 bytes for usable',
      example: ({ frame, used }) => Math.floor((STACK - used) / frame),
      says: () => 'The last of these calls would write over what lies at the bottom of the stack.',
    },
    {
      name: 'forgets what the callers use',
      example: ({ frame }) => Math.floor(USABLE / frame),
      says: () => 'You have the whole stack for this function. Its callers were there before.',
    },
    {
      name: 'counts bytes',
      example: ({ used }) => USABLE - used,
      says: () => 'That is how many bytes are left. How many frames is it?',
    },
  ],
  hints: [
    () => 'What is left of 8080 bytes when the callers have taken theirs?',
    ({ frame, used }) =>
      `${USABLE - used} bytes are left; a frame takes ${frame}. Only whole frames count.`,
  ],
  solution: ({ frame, used }) =>
    'What is left, in whole frames:\n\n' +
    '```ts\n' +
    'import { kernelConfig } from "guardpage";\n\n' +
    `const answer = Math.floor((kernelConfig("8k").usable - ${used}) / ${frame});\n` +
    '```\n\n' +
    'The number of layers is not decided in this function. It is decided by whoever stacks the devices.',
});

const CUTS: readonly (readonly [id: string, fns: readonly string[]])[] = [
  ['04', ['xfs_alloc_vextent', 'shrink_zone', 'submit_bio']],
  ['05', ['xfs_alloc_vextent', 'xfs_bmapi', 'shrink_zone']],
  ['10', ['xfs_iomap_write_allocate', 'submit_bio']],
  ['12', ['blk_mq_submit_bio', 'ext4_do_writepages']],
];

const WAIT = 480;

const entryOf = (id: string, fn: string) =>
  [...publishedTrace(id).entries].reverse().find((entry) => entry.fn === fn)!;

const work = defineExercise({
  id: '06-work',
  title: 'Another stack',
  draw: (random) => {
    const [id, fns] = random.pick(CUTS);
    return { id, fn: random.pick(fns) };
  },
  task: ({ id, fn }) => {
    const { depth, size } = entryOf(id, fn);
    return (
      `In trace ${id} (${publishedTrace(id).maxDepth} bytes deep) \`${fn}()\` is moved to a work queue: a worker thread calls it, and the caller waits, which takes ${WAIT} bytes. ` +
      `The entry of that function has depth ${depth} and size ${size}. How deep is the *caller's* stack now?`
    );
  },
  expects: 'a whole number of bytes',
  isAnswer: isWhole,
  answer: ({ id, fn }) => moveToWorkqueue(publishedTrace(id), fn).caller.maxDepth,
  misconceptions: [
    {
      name: 'forgets that waiting takes stack',
      example: ({ id, fn }) => entryOf(id, fn).depth - entryOf(id, fn).size,
      says: () => 'The caller waits until the work is done, and to wait it calls the scheduler.',
    },
    {
      name: 'leaves the frame with the caller',
      example: ({ id, fn }) => entryOf(id, fn).depth + WAIT,
      says: () =>
        'You left the frame of the function itself on the caller’s stack. It is the worker that calls it.',
    },
    {
      name: 'answers for the worker',
      example: ({ id, fn }) => moveToWorkqueue(publishedTrace(id), fn).worker.maxDepth,
      says: () => 'That is how deep the worker’s stack becomes.',
    },
  ],
  hints: [
    () =>
      'Which frames stay? Those of all callers of that function. Its entry tells how deep they are.',
    () => 'Depth minus size is where its caller’s frames end. Add what waiting takes.',
  ],
  solution: ({ id, fn }) =>
    'Depth minus size of that entry, and the frames of the wait below:\n\n' +
    '```ts\n' +
    'import { moveToWorkqueue, publishedTrace } from "guardpage";\n\n' +
    `const { caller } = moveToWorkqueue(publishedTrace("${id}"), "${fn}");\n` +
    'const answer = caller.maxDepth;\n' +
    '```',
});

type Largest = (trace: StackTrace, n: number) => number;
const sumOf = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + size, 0);

const largest = defineExercise({
  id: '06-largest',
  title: 'Where to look first',
  draw: (random) => ({ counts: [2 + random.below(3), 6 + random.below(5), 12 + random.below(8)] }),
  task: ({ counts }) =>
    'Write a function that takes a trace and a number n and says how many bytes the n largest frames take together. ' +
    `It will be tried with n = ${counts.join(', ')} on traces 01, 05 and 12.`,
  expects: 'a function from a trace and a number to a number of bytes',
  isAnswer: isFunction<Largest>,
  cases: ({ counts }) => ['01', '05', '12'].map((id, i) => [publishedTrace(id), counts[i]]),
  answer: (): Largest => (trace, n) =>
    sumOf(
      trace.entries
        .map(({ size }) => size)
        .sort((a, b) => b - a)
        .slice(0, n),
    ),
  misconceptions: [
    {
      name: 'takes the innermost frames',
      example: (): Largest => (trace, n) =>
        sumOf(trace.entries.slice(0, n).map(({ size }) => size)),
      says: () => 'Your function takes the first entries, which are the innermost calls.',
    },
    {
      name: 'takes the smallest frames',
      example: (): Largest => (trace, n) =>
        sumOf(
          trace.entries
            .map(({ size }) => size)
            .sort((a, b) => a - b)
            .slice(0, n),
        ),
      says: () => 'Your function sorts the wrong way round.',
    },
    {
      name: 'sorts numbers as text',
      example: (): Largest => (trace, n) =>
        sumOf(
          trace.entries
            .map(({ size }) => size)
            .sort()
            .reverse()
            .slice(0, n),
        ),
      says: () => '`sort()` without a comparison sorts numbers as text: 96 comes after 392.',
    },
  ],
  hints: [
    () => '`trace.entries.map((entry) => entry.size)` are the sizes. Sort them, largest first.',
    () => '`.sort((a, b) => b - a).slice(0, n)`, then add them up with `reduce`.',
  ],
  solution: () =>
    'Sort, take n, add:\n\n' +
    '```ts\n' +
    'import { type StackTrace } from "guardpage";\n\n' +
    'const answer = (trace: StackTrace, n: number) =>\n' +
    '  trace.entries\n' +
    '    .map((entry) => entry.size)\n' +
    '    .sort((a, b) => b - a)\n' +
    '    .slice(0, n)\n' +
    '    .reduce((sum, size) => sum + size, 0);\n' +
    '```',
});

type Cut = (trace: StackTrace) => string;

/** Depth of the deeper one of the two stacks. */
function deeperOf(trace: StackTrace, fn: string): number {
  const { caller, worker } = moveToWorkqueue(trace, fn);
  return Math.max(caller.maxDepth, worker.maxDepth);
}

/** The function of a trace for which something is least. */
function least(trace: StackTrace, cost: (fn: string) => number): string {
  const fns = [...new Set(trace.entries.map(({ fn }) => fn))];
  const costs = fns.map(cost);
  return fns[costs.indexOf(Math.min(...costs))];
}

const bestCut = defineExercise({
  id: '06-best-cut',
  title: 'Where to cut',
  draw: (random) => ({ ids: random.shuffle(['04', '05', '10', '12', '13']).slice(0, 3) }),
  task: ({ ids }) =>
    'Write a small experiment: a function that takes a trace and finds the function to move to a work queue, so that the deeper one of the two stacks (caller and worker) becomes as shallow as it can. ' +
    `It gives the name. It will be tried on traces ${ids.join(', ')}; \`moveToWorkqueue(trace, fn)\` gives \`{ caller, worker }\`, both of them traces.`,
  expects: 'a function from a trace to the name of a function in it',
  isAnswer: isFunction<Cut>,
  cases: ({ ids }) => ids.map((id) => [publishedTrace(id)]),
  answer: (): Cut => (trace) => least(trace, (fn) => deeperOf(trace, fn)),
  accept: (given, { ids }) =>
    ids.map(publishedTrace).every((trace) => {
      const best = least(trace, (fn) => deeperOf(trace, fn));
      return deeperOf(trace, given(trace)) === deeperOf(trace, best);
    }),
  misconceptions: [
    {
      name: 'looks at the caller alone',
      example: (): Cut => (trace) =>
        least(trace, (fn) => moveToWorkqueue(trace, fn).caller.maxDepth),
      recognises: (given, { ids }) =>
        ids.map(publishedTrace).every((trace) => {
          const shallowest = least(trace, (fn) => moveToWorkqueue(trace, fn).caller.maxDepth);
          return given(trace) === shallowest;
        }),
      says: () =>
        'Your cut makes the caller’s stack as shallow as it can. All the rest is on the worker’s then, and that can overflow too.',
    },
    {
      name: 'looks at the worker alone',
      example: (): Cut => (trace) =>
        least(trace, (fn) => moveToWorkqueue(trace, fn).worker.maxDepth),
      recognises: (given, { ids }) =>
        ids.map(publishedTrace).every((trace) => {
          const shallowest = least(trace, (fn) => moveToWorkqueue(trace, fn).worker.maxDepth);
          return given(trace) === shallowest;
        }),
      says: () =>
        'Your cut makes the worker’s stack as shallow as it can, and leaves the caller’s as deep as it was.',
    },
    {
      name: 'moves the function with the largest frame',
      example: (): Cut => (trace) => least(trace, (fn) => -Math.max(...sizesOf(trace, fn))),
      recognises: (given, { ids }) =>
        ids.map(publishedTrace).every((trace) => {
          const widest = least(trace, (fn) => -Math.max(...sizesOf(trace, fn)));
          return given(trace) === widest;
        }),
      says: () =>
        'Your function moves the one with the largest frame. What counts is how much lies below a function, not how wide it is.',
    },
  ],
  hints: [
    () =>
      'Try every function: `for (const { fn } of trace.entries)`. For each, how deep are the two stacks?',
    () =>
      'The deeper one: `Math.max(caller.maxDepth, worker.maxDepth)`. Keep the function for which it is least.',
  ],
  solution: () =>
    'Try them all and keep the best:\n\n' +
    '```ts\n' +
    'import { moveToWorkqueue, type StackTrace } from "guardpage";\n\n' +
    'const answer = (trace: StackTrace) => {\n' +
    '  let best = { fn: "", deeper: Infinity };\n' +
    '  for (const { fn } of trace.entries) {\n' +
    '    const { caller, worker } = moveToWorkqueue(trace, fn);\n' +
    '    const deeper = Math.max(caller.maxDepth, worker.maxDepth);\n' +
    '    if (deeper < best.deeper) best = { fn, deeper };\n' +
    '  }\n' +
    '  return best.fn;\n' +
    '};\n' +
    '```\n\n' +
    'Whether that function *can* be moved is another question: somebody would have to see to its locks.',
});

const sizesOf = (trace: StackTrace, name: string) =>
  trace.entries.filter(({ fn }) => fn === name).map(({ size }) => size);

export const EXERCISES_06: ExercisesOf<Answers06> = [trim, levels, work, largest, bestCut];
