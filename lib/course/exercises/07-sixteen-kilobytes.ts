import type { Random } from '../../random';
import { kernelConfig, type Era } from '../../stack/config';
import { forkTrial, type Fragmentation } from '../../stack/fork-failure';
import { maxThreads } from '../../stack/stack-accounting';
import { isFunction, isNumber, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

type UnusableIndex = (counts: readonly number[], order: number) => number;

export interface Answers07 {
  '07-threads-max': number;
  '07-how-many': number;
  '07-unusable': UnusableIndex;
  '07-first-refusal': number;
}

const GIB = 2 ** 30;
const KERNELS: Readonly<Record<string, Era>> = { '3.14': '8k', '3.15': '16k', '6.1': 'vmap' };

const allowed = (kernel: string, gib: number) =>
  maxThreads(kernelConfig(KERNELS[kernel], { kernel }), gib * GIB);

/** The same for so many 10^9 bytes. */
const inGigabytes = (kernel: string, gib: number) => Math.floor((allowed(kernel, gib) / GIB) * 1e9);

const threadsMax = defineExercise({
  id: '07-threads-max',
  title: 'An eighth of memory',
  draw: (random) => ({
    kernel: random.pick(['3.14', '3.15', '6.1']),
    gib: random.pick([2, 4, 6, 8, 12, 16, 24, 48, 64, 96]),
  }),
  task: ({ kernel, gib }) =>
    `A machine gives its page allocator ${gib} GiB and runs Linux ${kernel}. What is the default of \`kernel.threads-max\`?`,
  expects: 'a whole number of threads',
  isAnswer: isWhole,
  answer: ({ kernel, gib }) => allowed(kernel, gib),
  misconceptions: [
    {
      name: 'lets stacks take all of memory',
      example: ({ kernel, gib }) => 8 * allowed(kernel, gib),
      says: () => 'So many stacks would fill all of memory. Linux gives them a part of it.',
    },
    {
      name: 'takes the stack of the other era',
      example: ({ kernel, gib }) =>
        kernel === '3.14' ? allowed(kernel, gib) / 2 : 2 * allowed(kernel, gib),
      says: () => 'The formula is right, the size of the stack is that of another version.',
    },
    {
      name: 'counts in units of a thousand',
      example: ({ kernel, gib }) => inGigabytes(kernel, gib),
      recognises: (given, { kernel, gib }) => Math.abs(given - inGigabytes(kernel, gib)) <= 1,
      says: () => 'A GiB is 2^30 bytes.',
    },
  ],
  hints: [
    () => 'All stacks together may take an eighth of memory. How large is one on this version?',
    ({ gib }) => `${gib} × 2^30 / 8, divided by THREAD_SIZE.`,
  ],
  remark: () => 'A vmalloc’ed stack counts like one in the direct map: it is as much memory.',
  solution: ({ kernel, gib }) =>
    `${gib} × 2^30 / (8 × ${kernelConfig(KERNELS[kernel], { kernel }).THREAD_SIZE}) = ${allowed(kernel, gib)}.\n\n` +
    '```ts\n' +
    'import { kernelConfig, maxThreads } from "guardpage";\n\n' +
    `const answer = maxThreads(kernelConfig("${KERNELS[kernel]}", { kernel: "${kernel}" }), ${gib} * (1 << 30));\n` +
    '```',
});

/** Free blocks by order: many small ones, a few larger ones. */
function drawCounts(random: Random): readonly number[] {
  return [
    200 + random.below(3000),
    10 + random.below(400),
    3 + random.below(12),
    1 + random.below(6),
    random.below(4),
    1 + random.below(2),
    0,
    random.below(2),
    0,
    0,
    0,
  ];
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
const pages = (counts: readonly number[]) => sum(counts.map((n, order) => n * 2 ** order));
const pagesFrom = (counts: readonly number[], least: number) =>
  pages(counts.map((n, order) => (order >= least ? n : 0)));

const howMany = defineExercise({
  id: '07-how-many',
  title: 'Stacks in a free list',
  draw: (random) => ({ counts: drawCounts(random) }),
  task: ({ counts }) =>
    `\`Node 0, zone DMA32 ${counts.join(' ')}\`: how many stacks of 16 KB in the direct map can be cut from these blocks, ` +
    'watermarks and reserves left aside, if nothing is freed or moved?',
  expects: 'a whole number of stacks',
  isAnswer: isWhole,
  answer: ({ counts }) => pagesFrom(counts, 2) / 4,
  misconceptions: [
    {
      name: 'divides all free pages by four',
      example: ({ counts }) => Math.floor(pages(counts) / 4),
      says: () =>
        'You shared out all free pages. Four pages make a stack only where they lie in one block.',
    },
    {
      name: 'counts only blocks of order 2',
      example: ({ counts }) => counts[2],
      says: () => 'Larger blocks can be split: the allocator halves them until one fits.',
    },
    {
      name: 'counts one stack for each large block',
      example: ({ counts }) => sum(counts.slice(2)),
      says: () => 'A block of order 3 is eight pages. How many stacks is that?',
    },
    {
      name: 'joins pairs',
      example: ({ counts }) => Math.floor(pagesFrom(counts, 1) / 4),
      says: () =>
        'You put two blocks of order 1 together. If they were buddies, the allocator had merged them already.',
    },
  ],
  hints: [
    () => 'The columns are blocks of order 0, 1, 2, …; a block of order n is 2^n pages.',
    () => 'Orders 0 and 1 are too small. A block of order n ≥ 2 gives 2^(n − 2) stacks.',
  ],
  solution: ({ counts }) =>
    `${pagesFrom(counts, 2) / 4}: ${counts
      .map((n, order) => (order >= 2 && n > 0 ? `${n} × ${2 ** (order - 2)}` : ''))
      .filter(Boolean)
      .join(' + ')}.\n\n` +
    '```ts\n' +
    `const counts = [${counts.join(', ')}];\n` +
    'const answer = counts.reduce((sum, n, order) => order >= 2 ? sum + (n << (order - 2)) : sum, 0);\n' +
    '```',
});

const unusableOf: UnusableIndex = (counts, order) => 1 - pagesFrom(counts, order) / pages(counts);
const usableOf: UnusableIndex = (counts, order) => 1 - unusableOf(counts, order);
const blocksOf: UnusableIndex = (counts, order) => sum(counts.slice(0, order)) / sum(counts);
const oneTooMany: UnusableIndex = (counts, order) => unusableOf(counts, order + 1);

interface Lists {
  readonly cases: readonly { readonly counts: readonly number[]; readonly order: number }[];
}

const close = (one: unknown, other: number) =>
  typeof one === 'number' && Math.abs(one - other) < 1e-6;
const agrees = (given: UnusableIndex, other: UnusableIndex, { cases }: Lists) =>
  cases.every(({ counts, order }) => close(given([...counts], order), other(counts, order)));

const unusable = defineExercise({
  id: '07-unusable',
  title: 'Write unusable_index',
  draw: (random): Lists => ({
    cases: [2, 1, 3].map((order) => ({ counts: drawCounts(random), order })),
  }),
  task: ({ cases: [{ counts, order }] }) =>
    'Write a function of `counts`, the free blocks by order, and `order`: the share of free memory that lies in blocks too small for that order, from 0 to 1. ' +
    `For \`[${counts.join(', ')}]\` and order ${order} it gives ${unusableOf(counts, order).toFixed(4)}.`,
  expects: 'a function of counts and order that returns a number',
  isAnswer: isFunction<UnusableIndex>,
  answer: () => unusableOf,
  accept: (given, values) => agrees(given, unusableOf, values),
  misconceptions: [
    {
      name: 'counts blocks instead of memory',
      example: () => blocksOf,
      recognises: (given, values) => agrees(given, blocksOf, values),
      says: () => 'You counted blocks. A block of order 5 is as much memory as 32 of order 0.',
    },
    {
      name: 'gives the usable share',
      example: () => usableOf,
      recognises: (given, values) => agrees(given, usableOf, values),
      says: () => 'That is the share that can be used. Asked is the other one.',
    },
    {
      name: 'takes a block of the order itself for too small',
      example: () => oneTooMany,
      recognises: (given, values) => agrees(given, oneTooMany, values),
      says: () => 'A block of exactly that order is not too small.',
    },
  ],
  hints: [
    () =>
      'Two sums of pages: all blocks, and those of a smaller order. A block of order n is 2^n pages.',
    () => 'Divide the second by the first.',
  ],
  remark: () =>
    'The kernel prints it with three decimals, cut off: /sys/kernel/debug/extfrag/unusable_index.',
  solution: () =>
    '```ts\n' +
    'const pages = (counts: readonly number[]): number => counts.reduce((sum, n, order) => sum + (n << order), 0);\n' +
    'const answer = (counts: readonly number[], order: number): number =>\n' +
    '  pages(counts.slice(0, order)) / pages(counts);\n' +
    '```',
});

interface Trial {
  readonly era: '8k' | '16k';
  readonly ramMiB: number;
  readonly fragmentation: Fragmentation;
}

const ASKED = 400;
const created = new Map<string, number>();

function createdOn({ era, ramMiB, fragmentation }: Trial): number {
  const key = `${era} ${ramMiB} ${fragmentation}`;
  let threads = created.get(key);
  if (threads === undefined) {
    threads = forkTrial({
      era,
      kernel: '6.1',
      stackProtector: false,
      fragmentation,
      ramMiB,
      threads: ASKED,
    }).created;
    created.set(key, threads);
  }
  return threads;
}

const firstRefusal = defineExercise({
  id: '07-first-refusal',
  title: 'How far a machine gets',
  draw: (random): Trial => ({
    era: random.pick(['8k', '16k'] as const),
    ramMiB: random.pick([48, 64, 96]),
    fragmentation: 'unmovable',
  }),
  task: ({ era, ramMiB }) =>
    `Linux 6.1, a small build (\`stackProtector: false\`), stacks of era \`${era}\`, ${ramMiB} MiB of memory in which the kernel holds every second page. ` +
    `Of ${ASKED} threads, how many are created? Measure it.`,
  expects: `a whole number from 0 to ${ASKED}`,
  isAnswer: isNumber,
  answer: createdOn,
  misconceptions: [
    {
      name: 'measures memory that nobody fragmented',
      example: (values) => createdOn({ ...values, fragmentation: 'none' }),
      says: () =>
        'So many are created when memory is whole. Here every second page is in use, and not by a program.',
    },
    {
      name: 'takes the other stack',
      example: (values) => createdOn({ ...values, era: values.era === '8k' ? '16k' : '8k' }),
      says: () => 'That is what the stack of the other size gives.',
    },
  ],
  hints: [
    () =>
      '`forkTrial` creates threads until one is refused. Its options are `era`, `kernel`, `stackProtector`, `fragmentation`, `ramMiB`, `threads`.',
    () =>
      'The kernel’s own pages can’t be moved: `fragmentation: "unmovable"`. `created` of the report is the answer.',
  ],
  solution: (values) =>
    `${createdOn(values)} of ${ASKED}.\n\n` +
    '```ts\n' +
    'import { forkTrial } from "guardpage";\n\n' +
    'const answer = forkTrial({\n' +
    `  era: "${values.era}", kernel: "6.1", stackProtector: false, fragmentation: "unmovable", ramMiB: ${values.ramMiB}, threads: ${ASKED},\n` +
    '}).created;\n' +
    '```',
});

export const EXERCISES_07: ExercisesOf<Answers07> = [threadsMax, howMany, unusable, firstRefusal];
