import { kernelConfig, PT_REGS_SIZE, type Era } from '../../stack/config';
import { detectorMatrix } from '../../experiments/detector-matrix';
import type { Row } from '../../experiments/table';
import { DETECTORS } from '../../stack/detectors/comparison';
import { isFunction, isListOf, isOneOf, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

export interface Answers05 {
  '05-who-speaks': readonly string[];
  '05-first-warning': number;
  '05-not-used': (words: readonly bigint[]) => number;
  '05-guard-block': number;
}

const CHECKS = DETECTORS.filter(({ says, vmap }) => says !== null && !vmap).map(({ name }) => name);
type Check = string;

/** Overruns of a 16 KB stack of 4.9 as the experiment names them, and how each is told. */
const OVERRUNS: readonly { readonly kind: string; readonly what: string }[] = [
  {
    kind: 'recursion, every byte',
    what: 'a recursion whose frames write every byte comes down to 512 bytes below the base and returns',
  },
  {
    kind: 'recursion, few bytes',
    what: 'a recursion with frames of 512 bytes, of which each writes one byte and its saved registers, comes down to 512 bytes below the base and returns',
  },
  {
    kind: 'one wide frame',
    what: 'one function has a local array so large that its frame ends 1024 bytes below the base; it writes to the lowest bytes of it and returns',
  },
  {
    kind: 'one store, RSP inside',
    what: 'a wrong index lets a function store 8 bytes 64 bytes below the base, RSP still inside the stack',
  },
  {
    kind: 'interrupt, 64 bytes left',
    what: 'a device interrupts while 64 bytes are left of the stack',
  },
];

let matrix: readonly Row[] | undefined;

/** The checks that say something themselves; the machines are run once, for every learner alike. */
function speaking(which: number): readonly Check[] {
  matrix ??= detectorMatrix.run({ trials: 1 }, 1).table.rows;
  const found = matrix.filter(
    ({ kind, noticed }) => kind === OVERRUNS[which].kind && noticed === 1,
  );
  return CHECKS.filter((name) => found.some(({ detector }) => detector === name));
}

const sameSet = (one: readonly Check[], other: readonly Check[]) =>
  new Set(one).size === new Set(other).size && one.every((name) => other.includes(name));

/** The right answer with one check more; none if it is right already. */
const withCheck = (which: number, check: Check) =>
  speaking(which).includes(check) ? (undefined as never) : [...speaking(which), check];

const addsCheck =
  (check: Check) =>
  (given: readonly Check[], { which }: { which: number }) =>
    given.includes(check) && !speaking(which).includes(check);

const whoSpeaks = defineExercise({
  id: '05-who-speaks',
  title: 'Who says something',
  draw: (random) => ({ which: random.below(OVERRUNS.length) }),
  task: ({ which }) =>
    `On a 4.9 kernel with 16 KB stacks in the direct map: ${OVERRUNS[which].what}. ` +
    `Each of ${CHECKS.map((name) => `\`"${name}"\``).join(', ')} is tried alone, on a machine of its own. ` +
    'Which of them ever say something themselves? Answer with a list of names; `[]` if none does.',
  expects: `a list of names out of ${CHECKS.join(', ')}`,
  isAnswer: isListOf(isOneOf(...CHECKS)),
  answer: ({ which }): readonly string[] => speaking(which),
  accept: (given, { which }) => sameSet(given, speaking(which)),
  misconceptions: [
    {
      name: 'lets the stack protector watch the end of the stack',
      example: ({ which }) => withCheck(which, 'STACKPROTECTOR'),
      recognises: addsCheck('STACKPROTECTOR'),
      says: () =>
        'The stack protector’s canary lies between the locals of a frame and its return address. Neither is near the end of this stack.',
    },
    {
      name: 'lets the end magic see every overrun',
      example: ({ which }) => withCheck(which, 'SCHED_STACK_END_CHECK'),
      recognises: addsCheck('SCHED_STACK_END_CHECK'),
      says: () =>
        'The end check looks at one word. It says nothing as long as that word is as it was.',
    },
    {
      name: 'forgets that DEBUG_STACKOVERFLOW needs an interrupt',
      example: ({ which }) => withCheck(which, 'DEBUG_STACKOVERFLOW'),
      recognises: addsCheck('DEBUG_STACKOVERFLOW'),
      says: () =>
        'DEBUG_STACKOVERFLOW looks at RSP when a device interrupts. When does one interrupt here?',
    },
    {
      name: 'lets DEBUG_STACK_USAGE see what was skipped',
      example: ({ which }) => withCheck(which, 'DEBUG_STACK_USAGE'),
      recognises: addsCheck('DEBUG_STACK_USAGE'),
      says: () =>
        'DEBUG_STACK_USAGE counts zero words above the end magic. What does it count if these frames wrote almost nothing there?',
    },
  ],
  hints: [
    () =>
      'For each check ask: which bytes does it look at, and when? Then: has anybody changed them by then?',
    () =>
      'The end check and the usage count look at words just above the base; DEBUG_STACKOVERFLOW at RSP of interrupted code; the stack protector at words inside frames.',
  ],
  solution: ({ which }) =>
    `${speaking(which).join(' and ') || 'None of them'}. The experiment behind the figure runs it:\n\n` +
    '```ts\n' +
    'import { experiment } from "guardpage";\n\n' +
    'const { rows } = experiment("detector-matrix").run({ trials: 1 }, 1).table;\n' +
    `const noticed = rows.filter((row) => row.kind === "${OVERRUNS[which].kind}" && row.noticed === 1);\n` +
    'const answer = noticed.map((row) => String(row.detector)).filter((name) => name !== "guard page");\n' +
    '```',
});

const BUILDS = [
  { kernel: '2.6.32', era: '8k' },
  { kernel: '3.14', era: '8k' },
  { kernel: '3.15', era: '16k' },
  { kernel: '4.4', era: '16k' },
  { kernel: '4.9', era: '16k' },
] as const satisfies readonly { kernel: string; era: Era }[];

const STACK_TOP_MARGIN = 128;

/** Bytes in use from which on an interrupt warns, RSP being a multiple of 8. */
function firstWarning(build: (typeof BUILDS)[number], margin: number): number {
  return kernelConfig(build.era, { kernel: build.kernel }).THREAD_SIZE - margin + 8;
}

const sizeOf = (build: (typeof BUILDS)[number]) =>
  kernelConfig(build.era, { kernel: build.kernel }).threadInfo.size;

const firstWarningExercise = defineExercise({
  id: '05-first-warning',
  title: 'The first warning at an interrupt',
  draw: (random) => random.pick(BUILDS),
  task: ({ kernel, era }) =>
    `DEBUG_STACKOVERFLOW on ${kernel} (${era === '8k' ? 8 : 16} KB stacks, \`thread_info\` of ${sizeOf({ kernel, era } as (typeof BUILDS)[number])} bytes): ` +
    'an interrupt warns if RSP of the interrupted code is *below* base + sizeof(`thread_info`) + sizeof(`pt_regs`) + 128. ' +
    'RSP is a multiple of 8. How many bytes of the stack are in use, from its top down to RSP, when it can warn for the first time?',
  expects: 'a whole number of bytes',
  isAnswer: isWhole,
  answer: (build) => firstWarning(build, sizeOf(build) + PT_REGS_SIZE + STACK_TOP_MARGIN),
  misconceptions: [
    {
      name: 'warns at the limit already',
      example: (build) => firstWarning(build, sizeOf(build) + PT_REGS_SIZE + STACK_TOP_MARGIN) - 8,
      says: () =>
        'That is the limit itself. The check warns *below* it; how much is RSP then, at least?',
    },
    {
      name: 'forgets pt_regs',
      example: (build) => firstWarning(build, sizeOf(build) + STACK_TOP_MARGIN),
      says: () => 'You left out the room that the check keeps for the registers of an interrupt.',
    },
    {
      name: 'forgets the margin of 128 bytes',
      example: (build) => firstWarning(build, sizeOf(build) + PT_REGS_SIZE),
      says: () => 'You left out one of the three parts of the limit.',
    },
    {
      name: 'counts from the base',
      example: (build) => sizeOf(build) + PT_REGS_SIZE + STACK_TOP_MARGIN - 8,
      says: () =>
        'That is the distance of RSP from the base. Asked for is what is in use, from the top.',
    },
  ],
  hints: [
    () => 'sizeof(`pt_regs`) is 168 bytes.',
    (build) =>
      `The limit lies ${sizeOf(build)} + 168 + 128 bytes above the base. RSP must be lower, by 8 at least.`,
  ],
  solution: (build) =>
    'From the top of the stack to the first multiple of 8 below the limit:\n\n' +
    '```ts\n' +
    'import { kernelConfig, PT_REGS_SIZE } from "guardpage";\n\n' +
    `const config = kernelConfig("${build.era}", { kernel: "${build.kernel}" });\n` +
    'const answer = config.THREAD_SIZE - (config.threadInfo.size + PT_REGS_SIZE + 128) + 8;\n' +
    '```',
});

type NotUsed = (words: readonly bigint[]) => number;
const MAGIC = 0x57ac6e9dn;

const notUsed = defineExercise({
  id: '05-not-used',
  title: 'stack_not_used()',
  draw: (random) => ({ zeros: 3 + random.below(200), frame: 1n + random.belowBig(1n << 32n) }),
  task: ({ zeros }) =>
    'Write the function with which DEBUG_STACK_USAGE measures. It gets the words of a stack of 4.9 from the base up, the end magic first, ' +
    'and gives the number of bytes from the base to the first word above the magic that is not zero. ' +
    `With the magic, ${zeros} zero words and a frame above them it gives ${8 * (zeros + 1)}.`,
  expects: 'a function from a list of bigints to a number of bytes',
  isAnswer: isFunction<NotUsed>,
  cases: ({ zeros, frame }) => {
    const run = (length: number): bigint[] => Array.from({ length }, () => 0n);
    return [
      [[MAGIC, ...run(zeros), frame, 0n, 0n, frame]],
      [[MAGIC, 0n, frame, ...run(zeros), frame]],
      [[MAGIC, frame, 0n, frame]],
      [[0n, ...run(5), frame]],
    ];
  },
  answer: (): NotUsed => (words) => {
    let at = 1;
    while (words[at] === 0n) at++;
    return 8 * at;
  },
  misconceptions: [
    {
      name: 'counts zero words inside frames too',
      example: (): NotUsed => (words) =>
        8 * (words.slice(1).filter((word) => word === 0n).length + 1),
      says: () =>
        'Your function counts zeros that lie inside frames. The real one stops at the first word that is not zero.',
    },
    {
      name: 'leaves out the end magic',
      example: (): NotUsed => (words) => 8 * words.slice(1).findIndex((word) => word !== 0n),
      says: () =>
        'Your function counts from above the end magic. The real one counts from the base, magic included.',
    },
    {
      name: 'looks at the end magic',
      example: (): NotUsed => (words) => 8 * words.findIndex((word) => word !== 0n),
      says: () =>
        'Your function looks at the word with the magic. The real one skips it, whatever it holds.',
    },
    {
      name: 'gives words instead of bytes',
      example: (): NotUsed => (words) => words.findIndex((word, i) => i > 0 && word !== 0n),
      says: () => 'Your function counts words. A word has 8 bytes.',
    },
  ],
  hints: [
    () => 'Start at index 1 and go up while the word is `0n`.',
    () => '`words.findIndex((word, i) => i > 0 && word !== 0n)` is where it stops. In bytes?',
  ],
  solution: () =>
    'Skip the magic, go up to the first word that is not zero:\n\n' +
    '```ts\n' +
    'const answer = (words: readonly bigint[]) => 8 * words.findIndex((word, i) => i > 0 && word !== 0n);\n' +
    '```\n\n' +
    'A frame that was made but not written counts as unused, and so does a local that holds zero.',
});

const pagesOfBlock = (pages: number) => 2 ** Math.ceil(Math.log2(pages));

const guardBlock = defineExercise({
  id: '05-guard-block',
  title: 'A guard page in the direct map',
  draw: (random) => ({ pages: random.pick([2, 4, 8]), threads: 100 * (1 + random.below(99)) }),
  task: ({ pages, threads }) =>
    `Stacks of ${4 * pages} KB come from the buddy allocator as one block. Now each gets a guard page of 4 KB below it, in the same block. ` +
    `How many KB more do ${threads} threads take? (Page tables not counted.)`,
  expects: 'a whole number of KB',
  isAnswer: isWhole,
  answer: ({ pages, threads }) => threads * 4 * (pagesOfBlock(pages + 1) - pages),
  misconceptions: [
    {
      name: 'counts the guard page alone',
      example: ({ threads }) => threads * 4,
      says: () =>
        'You counted 4 KB a thread. Can the buddy allocator give a block of that many pages?',
    },
    {
      name: 'counts the whole block',
      example: ({ pages, threads }) => threads * 4 * pagesOfBlock(pages + 1),
      says: () =>
        'That is what the threads take in all, stacks included. How much more is it than before?',
    },
    {
      name: 'takes a guard page for free',
      example: () => 0,
      says: () =>
        'In the direct map every address has its page frame. One that must not be touched is lost.',
    },
  ],
  hints: [
    ({ pages }) =>
      `${pages} pages and a guard are ${pages + 1} pages. The buddy allocator has blocks of 1, 2, 4, 8, 16 … pages.`,
    ({ pages }) =>
      `Each thread takes a block of ${pagesOfBlock(pages + 1)} pages instead of ${pages}.`,
  ],
  solution: ({ pages, threads }) =>
    `${pages + 1} pages need a block of ${pagesOfBlock(pages + 1)}; what is neither stack nor guard lies idle.\n\n` +
    '```ts\n' +
    `const block = 1 << Math.ceil(Math.log2(${pages} + 1));\n` +
    `const answer = ${threads} * 4 * (block - ${pages});\n` +
    '```',
});

export const EXERCISES_05: ExercisesOf<Answers05> = [
  whoSpeaks,
  firstWarningExercise,
  notUsed,
  guardBlock,
];
