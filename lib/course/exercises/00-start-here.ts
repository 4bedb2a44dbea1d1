import { kernelConfig } from '../../stack/config';
import { overrun } from '../../stack/overrun';
import { publishedTrace } from '../../stack/published-traces';
import { isFunction, isOneOf, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

type Fate = 'alive' | 'panic' | 'reset';
type Reach = 'fits' | 'end marker' | 'thread_info' | 'next page';

export interface Answers00 {
  '00-wider-call': number;
  '00-which-kernel': Fate;
  '00-how-far': (depth: number) => Reach;
  '00-sixteen': number;
}

const MINCHAN_DEPTH = publishedTrace('01').maxDepth;
const END_MARKER = 8;
const THREAD_INFO = 104;

const widerCall = defineExercise({
  id: '00-wider-call',
  title: 'One wider call',
  draw: (random) => ({
    extra: 8 * (random.chance(0.5) ? 5 + random.below(38) : 65 + random.below(60)),
  }),
  task: ({ extra }) =>
    `Give \`ext4_writepages\` in Minchan's trace ${extra} bytes more of locals and run it on the 8 KB stack of 3.14. ` +
    'How many bytes are left? If there are too few, answer with a negative number. Predict before you run it.',
  expects: 'a whole number of bytes',
  isAnswer: isWhole,
  answer: ({ extra }) => kernelConfig('8k').usable - (MINCHAN_DEPTH + extra),
  misconceptions: [
    {
      name: 'takes the whole 8192 bytes for usable',
      example: ({ extra }) => 8192 - (MINCHAN_DEPTH + extra),
      says: () =>
        'You count on all 8192 bytes. Two things lie at the bottom of this stack, and a frame that reaches them overwrites them.',
    },
    {
      name: 'forgets the end marker',
      example: ({ extra }) => 8192 - THREAD_INFO - (MINCHAN_DEPTH + extra),
      says: () =>
        'You left room for `thread_info`, but it is not alone: one more word lies at the bottom of the stack.',
    },
    {
      name: 'forgets thread_info',
      example: ({ extra }) => 8192 - END_MARKER - (MINCHAN_DEPTH + extra),
      says: () =>
        'You left room for the end marker, but not for the structure that lies below it on a kernel of this era.',
    },
    {
      name: 'answers with the depth',
      example: ({ extra }) => MINCHAN_DEPTH + extra,
      says: () => 'That is how deep the calls go. What is left of the stack then?',
    },
    {
      name: 'has the sign the wrong way round',
      example: ({ extra }) => MINCHAN_DEPTH + extra - kernelConfig('8k').usable,
      says: () =>
        'The size is right, the sign is not: positive means bytes left, negative means bytes too deep.',
    },
  ],
  hints: [
    () =>
      'The trace is 7696 bytes deep. A larger frame moves everything that it calls down by as much.',
    () =>
      'The 8192 bytes of the stack hold `thread_info` (104 bytes) and the end marker (8 bytes) too.',
    ({ extra }) => `8192 − 104 − 8 is what calls can use. They need 7696 + ${extra}.`,
  ],
  remark: ({ extra }) => `8192 − 104 − 8 − (7696 + ${extra}).`,
  solution: ({ extra }) =>
    `Usable are 8192 − 104 − 8 = 8080 bytes; the calls need 7696 + ${extra} = ${MINCHAN_DEPTH + extra}. ` +
    'The machine says the same:\n\n' +
    '```ts\n' +
    'import { publishedTrace, replay, widenFrame } from "guardpage";\n\n' +
    `const wider = widenFrame(publishedTrace("01"), "ext4_writepages", ${extra});\n` +
    'const answer = replay(wider, { era: "8k" }).headroom;\n' +
    '```',
});

const VERSIONS = ['4.9', '4.14', '5.3', '5.7', '5.8', '5.17', '6.8', '6.19'] as const;

/** Each version's machine is run once: the same for every learner. */
const fates = new Map<string, Fate>();

function fateOn(kernel: string): Fate {
  let fate = fates.get(kernel);
  if (fate === undefined) {
    fate = overrun({ era: 'vmap', kernel }).machine as Fate;
    fates.set(kernel, fate);
  }
  return fate;
}

const whichKernel = defineExercise({
  id: '00-which-kernel',
  title: 'Who goes on',
  draw: (random) => ({ kernel: random.pick(VERSIONS) }),
  task: ({ kernel }) =>
    `A function calls itself for ever on Linux ${kernel}, with a vmalloc'ed stack. What becomes of the *machine*: ` +
    '`"alive"`, `"panic"` or `"reset"`?',
  expects: '"alive", "panic" or "reset"',
  isAnswer: isOneOf<Fate>('alive', 'panic', 'reset'),
  answer: ({ kernel }) => fateOn(kernel),
  misconceptions: [
    {
      name: 'takes the guard page for something that always kills the task alone',
      example: ({ kernel }) => (fateOn(kernel) === 'alive' ? undefined : 'alive'),
      says: ({ kernel }) =>
        `That is what the guard page was made for, and what it did at first. Where does ${kernel} lie in the notebook's list of versions?`,
    },
    {
      name: 'takes the panic for older than it is',
      example: ({ kernel }) => (fateOn(kernel) === 'panic' ? undefined : 'panic'),
      says: ({ kernel }) =>
        `Not every kernel with a guard page panics on a hit. Where does ${kernel} lie in the notebook's list of versions?`,
    },
    {
      name: 'forgets that #DF has a stack of its own',
      example: (): Fate => 'reset',
      says: () =>
        'A reset is a triple fault: a double fault that cannot be delivered. Here it has a stack of its own, named in the IST.',
    },
  ],
  hints: [
    () =>
      'The store faults, the page fault cannot be pushed, the double fault can. So the machine can still speak.',
    () =>
      'In 5.8 the double-fault handler began to run like a non-maskable interrupt. An oops in such a context is fatal to more than the task.',
  ],
  solution: ({ kernel }) =>
    (fateOn(kernel) === 'alive'
      ? `${kernel} lies between 4.9 and 5.7: only the task is killed.`
      : `${kernel} is 5.8 or later: the oops happens in an NMI-like context, and the machine panics.`) +
    '\n\n```ts\n' +
    'import { overrun } from "guardpage";\n\n' +
    `const answer = overrun({ era: "vmap", kernel: "${kernel}" }).machine;\n` +
    '```',
});

/** What a chain of calls of this depth has reached, if what lies lowest is `lowest` bytes and the next `next`. */
const reach =
  (first: Reach, firstBytes: number, second: Reach, secondBytes: number) =>
  (depth: number): Reach => {
    if (depth > 8192) return 'next page';
    if (depth > 8192 - secondBytes) return second;
    return depth > 8192 - secondBytes - firstBytes ? first : 'fits';
  };

const howFar = defineExercise({
  id: '00-how-far',
  title: 'How far down',
  draw: (random) => ({
    depths: [100, 8000 + random.below(80), 8088 + 1 + random.below(100), 8193 + random.below(4000)],
  }),
  task: ({ depths }) =>
    'Write a function that takes the depth of a chain of calls on the 8 KB stack of 3.14, in bytes, and says how far down it has come: ' +
    '`"fits"`, `"end marker"`, `"thread_info"` or `"next page"`. Each is reached from its first byte on; say the lowest that is reached. ' +
    `It will be tried with ${depths.slice(1).join(', ')} and with depths at the edges.`,
  expects: 'a function from a number of bytes to one of the four words',
  isAnswer: isFunction<(depth: number) => Reach>,
  cases: ({ depths }) => [...depths, 8080, 8081, 8088, 8089, 8192, 8193].map((depth) => [depth]),
  answer: () => reach('end marker', END_MARKER, 'thread_info', THREAD_INFO),
  misconceptions: [
    {
      name: 'puts the end marker at the very bottom',
      example: () => reach('thread_info', THREAD_INFO, 'end marker', END_MARKER),
      says: () =>
        'Your function has the end marker at the very bottom. On this kernel something lies below it: the marker is the first thing that an overrun destroys.',
    },
    {
      name: 'takes the whole 8192 bytes for usable',
      example: () => (depth) => (depth > 8192 ? 'next page' : 'fits'),
      says: () => 'Your function has nothing inside the stack that could be overwritten.',
    },
    {
      name: 'is off by one at the edges',
      example: () => (depth) =>
        reach('end marker', END_MARKER, 'thread_info', THREAD_INFO)(depth + 1),
      says: () =>
        'Close: look at the edges. A chain of exactly 8192 bytes uses the lowest byte of the stack and none below it.',
    },
  ],
  hints: [
    () =>
      'A stack grows downwards. Draw its 8192 bytes with the calls coming from above. What do they meet first?',
    () =>
      'From top to bottom: 8080 bytes for calls, 8 bytes end marker, 104 bytes `thread_info`, then the next page.',
    () => 'Compare the depth with 8192, with 8192 − 104 and with 8192 − 104 − 8, in this order.',
  ],
  solution: () =>
    'From the top: 8080 bytes for calls, the end marker (8), `thread_info` (104). So the marker goes first.\n\n' +
    '```ts\n' +
    'const answer = (depth: number) => {\n' +
    '  if (depth > 8192) return "next page";\n' +
    '  if (depth > 8192 - 104) return "thread_info";\n' +
    '  return depth > 8192 - 104 - 8 ? "end marker" : "fits";\n' +
    '};\n' +
    '```',
});

const TRACES = [
  { trace: '01', fn: 'ext4_writepages', what: 'Minchan\'s trace (`publishedTrace("01")`)' },
  {
    trace: '04',
    fn: '__generic_file_splice_read',
    what: 'Berthels\' trace of a `sendfile` (`publishedTrace("04")`)',
  },
  {
    trace: '05',
    fn: 'xfs_iomap_write_allocate',
    what: 'Berthels\' trace of a `write` (`publishedTrace("05")`)',
  },
] as const;

const spareOn16k = (trace: string) => kernelConfig('16k').usable - publishedTrace(trace).maxDepth;

const sixteen = defineExercise({
  id: '00-sixteen',
  title: 'The larger stack gives way too',
  draw: (random) => random.pick(TRACES),
  task: ({ fn, what }) =>
    `Take ${what} and give \`${fn}\` more bytes of locals, 8 at a time. What is the smallest number of bytes more ` +
    'at which the 16 KB stack of 3.15 is overrun? Write a loop with `widenFrame` and `replay`, or think.',
  expects: 'a whole number of bytes',
  isAnswer: isWhole,
  answer: ({ trace }) => 8 * (Math.floor(spareOn16k(trace) / 8) + 1),
  misconceptions: [
    {
      name: 'stops where the stack is full',
      example: ({ trace }) => 8 * Math.floor(spareOn16k(trace) / 8),
      says: () =>
        'With so many bytes more the calls still fit. The stack is full then, not overrun.',
    },
    {
      name: 'takes the whole 16384 bytes for usable',
      example: ({ trace }) => 8 * (Math.floor((16384 - publishedTrace(trace).maxDepth) / 8) + 1),
      recognises: (given, { trace }) => {
        const over = given - (16384 - publishedTrace(trace).maxDepth);
        return over >= 0 && over <= 8;
      },
      says: () =>
        'You count on all 16384 bytes. `thread_info` and the end marker still lie at the bottom in 3.15.',
    },
    {
      name: 'takes the size of the 8 KB stack',
      example: ({ trace }) =>
        8 * (Math.floor((kernelConfig('8k').usable - publishedTrace(trace).maxDepth) / 8) + 1),
      says: () => 'That is where the 8 KB stack gives way.',
    },
  ],
  hints: [
    () =>
      '`replay(trace, { era: "16k" }).headroom` says how many bytes are left without any change.',
    () =>
      'One wider frame takes as many bytes from what is left as it grows. Exactly none left is still no overrun.',
  ],
  solution: ({ trace, fn }) =>
    'A frame that is 8 bytes wider takes 8 bytes of what is left. The loop only looks at the last few steps:\n\n' +
    '```ts\n' +
    'import { publishedTrace, replay, widenFrame } from "guardpage";\n\n' +
    `const trace = publishedTrace("${trace}");\n` +
    'let answer = replay(trace, { era: "16k" }).headroom - 16;\n' +
    `while (replay(widenFrame(trace, "${fn}", answer), { era: "16k" }).headroom >= 0) answer += 8;\n` +
    '```',
});

export const EXERCISES_00: ExercisesOf<Answers00> = [widerCall, whichKernel, howFar, sixteen];
