import type { Random } from '../../random';
import { sample } from '../../experiments/own-machine/samples';
import { readBuddyinfo } from '../../experiments/own-machine/read-buddyinfo';
import { readVmallocinfo } from '../../experiments/own-machine/read-vmallocinfo';
import { buddyinfoOf } from '../../mm/buddyinfo-parse';
import { HAVE_ARCH_VMAP_STACK_SINCE, type Arch } from '../../stack/architectures';
import { kconfig } from '../../stack/kconfig';
import { isBoolean, isFunction, isListOf, isNumber, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

export interface Answers12 {
  '12-who-can': readonly boolean[];
  '12-blocks': number;
  '12-growing': number;
  '12-count-stacks': (vmallocinfo: string) => number;
}

interface Kernel {
  readonly arch: Arch;
  readonly version: string;
}

const can = ({ arch, version }: Kernel) =>
  kconfig({ arch, version }).value('HAVE_ARCH_VMAP_STACK') === 'y';

const kernelText = ({ arch, version }: Kernel) => `${arch} ${version}`;

const whoCan = defineExercise({
  id: '12-who-can',
  title: 'Who can have them',
  draw: (random) => {
    const kernels: Kernel[] = [
      { arch: 'x86_64', version: random.pick(['4.9', '4.14', '5.3']) },
      { arch: random.pick(['mips', 'sparc', 'parisc', 'loongarch'] as const), version: '6.8' },
      { arch: random.pick(['arm64', 'riscv', 'arm'] as const), version: '4.9' },
      { arch: random.pick(['arm64', 's390', 'powerpc', 'riscv'] as const), version: '6.1' },
    ];
    const turn = random.below(4);
    return { kernels: [...kernels.slice(turn), ...kernels.slice(0, turn)] };
  },
  task: ({ kernels }) =>
    'On which of these can one set `CONFIG_VMAP_STACK=y`? Answer with `true` or `false` for each, in this order:\n\n' +
    kernels.map((kernel) => `- ${kernelText(kernel)}`).join('\n'),
  expects: 'a list of four times true or false',
  isAnswer: isListOf(isBoolean),
  answer: ({ kernels }) => kernels.map(can),
  misconceptions: [
    {
      name: 'takes it for an option of every architecture',
      example: ({ kernels }) => kernels.map(() => true),
      says: () =>
        'Four times yes: as if it were enough to set the option. Somebody else has to select another one first.',
    },
    {
      name: 'takes it for a matter of x86 alone',
      example: ({ kernels }) => kernels.map(({ arch }) => arch === 'x86_64'),
      says: () => 'You let x86-64 have it and nobody else. Others have followed since 4.9.',
    },
    {
      name: 'goes by the version alone',
      example: ({ kernels }) => kernels.map(({ version }) => version !== '4.9'),
      says: () =>
        'You go by the version: not in 4.9, and everywhere later. Each architecture has its own year, one of them the first, and some have none.',
    },
    {
      name: 'goes by the architecture alone',
      example: ({ kernels }) =>
        kernels.map(({ arch }) => HAVE_ARCH_VMAP_STACK_SINCE[arch] !== null),
      says: () =>
        'You know which architectures have it. One of these kernels is older than its architecture’s selection.',
    },
  ],
  hints: [
    () => 'The figure of architectures has a square where it can be set.',
    () =>
      'x86-64 since 4.9; arm64 since the 4.14 tree; MIPS, SPARC, PA-RISC and LoongArch not at all.',
  ],
  solution: ({ kernels }) =>
    `${kernels.map((kernel) => `- ${kernelText(kernel)}: ${can(kernel)}`).join('\n')}\n\n` +
    '```ts\n' +
    'import { kconfig } from "guardpage";\n\n' +
    `const kernels = [${kernels.map(({ arch, version }) => `{ arch: "${arch}", version: "${version}" }`).join(', ')}] as const;\n` +
    'const answer = kernels.map((kernel) => kconfig(kernel).value("HAVE_ARCH_VMAP_STACK") === "y");\n' +
    '```',
});

/** A zone's free blocks by order: many small ones, few large ones, one order of them missing. */
function drawCounts(random: Random): number[] {
  const counts = [1000 + random.below(4000), 5 + random.below(60), 2 + random.below(20)];
  for (let order = 3; order <= 6; order++) counts.push(random.below(6));
  counts[3 + random.below(4)] = 1 + random.below(4);
  return [...counts, 0, 0, 0, 0];
}

const zoneLine = (counts: readonly number[]) =>
  buddyinfoOf([{ node: 0, zone: 'Normal', counts }]).trimEnd();

const order2 = (counts: readonly number[]) =>
  readBuddyinfo(zoneLine(counts)).zones[0].orders[2].available;

const blocks = defineExercise({
  id: '12-blocks',
  title: 'Count the blocks',
  draw: (random) => ({ counts: drawCounts(random) }),
  task: ({ counts }) =>
    `This is a zone of somebody's machine:\n\n\`${zoneLine(counts)}\`\n\n` +
    'How many 16 KB stacks, each in one piece, could be cut from what is free?',
  expects: 'a whole number of stacks',
  isAnswer: isWhole,
  answer: ({ counts }) => order2(counts),
  misconceptions: [
    {
      name: 'counts the blocks of that size only',
      example: ({ counts }) => counts[2],
      says: () => 'You count the blocks that have just the right size. Larger ones can be split.',
    },
    {
      name: 'counts all free pages',
      example: ({ counts }) =>
        Math.floor(counts.reduce((sum, n, order) => sum + n * 2 ** order, 0) / 4),
      says: () =>
        'That is all the free memory, divided by 16 KB. With VMAP_STACK it would be right; in one piece most of it is of no use.',
    },
    {
      name: 'counts larger blocks once',
      example: ({ counts }) => counts.slice(2).reduce((sum, n) => sum + n, 0),
      says: () =>
        'You count each larger block as one stack. How many does a block of order 4 hold?',
    },
    {
      name: 'takes the first column for order 1',
      example: ({ counts }) => counts.slice(1).reduce((sum, n, i) => sum + n * 2 ** i, 0),
      says: () => 'You start one column too early: the first column is order 0, single pages.',
    },
  ],
  hints: [
    () =>
      'The columns are orders 0, 1, 2 …; a block of order n has 2ⁿ pages. A 16 KB stack has four.',
    () => 'A block of order n, from 2 on, holds 2ⁿ⁻² stacks. Blocks of order 0 and 1 hold none.',
  ],
  solution: ({ counts }) =>
    `Columns from the third on: ${counts
      .slice(2)
      .flatMap((n, i) => (n > 0 ? [`${n} × ${2 ** i}`] : []))
      .join(' + ')} = ${order2(counts)}.\n\n` +
    '```ts\n' +
    'import { readBuddyinfo } from "guardpage";\n\n' +
    `const { zones } = readBuddyinfo("${zoneLine(counts)}");\n` +
    'const answer = zones[0].orders[2].available;\n' +
    '```',
});

const PAGE = 4096;

const pagesOf = (depth: number) => Math.ceil(depth / PAGE);

const growing = defineExercise({
  id: '12-growing',
  title: 'What growing stacks take',
  draw: (random) => ({
    threads: 100 * (5 + random.below(40)),
    deep: 10 * (2 + random.below(20)),
    depth: PAGE * (1 + random.below(2)) + 200 + 8 * random.below(400),
  }),
  task: ({ threads, deep, depth }) =>
    `A machine has ${threads} threads with stacks that grow: one page at first, another on each fault. ${deep} of them have once gone ${depth} bytes deep, ` +
    'touching every page on the way; the others stayed in their first page. How many kB do all the stacks take now? Leave out the pages that each CPU keeps ready.',
  expects: 'a number of kB',
  isAnswer: isNumber,
  answer: ({ threads, deep, depth }) => 4 * (threads + deep * (pagesOf(depth) - 1)),
  misconceptions: [
    {
      name: 'reckons static stacks',
      example: ({ threads }) => 16 * threads,
      says: () => 'That is what they take today, with all four pages from the start.',
    },
    {
      name: 'forgets that pages stay',
      example: ({ threads }) => 4 * threads,
      says: () =>
        'You let the deep threads give their pages back when they return. A page once given stays until the thread ends.',
    },
    {
      name: 'counts the first page of a deep thread twice',
      example: ({ threads, deep, depth }) => 4 * (threads + deep * pagesOf(depth)),
      says: () => 'The deep threads had a page already: the first one does not fault.',
    },
    {
      name: 'gives a deep thread its whole stack',
      example: ({ threads, deep, depth }) =>
        pagesOf(depth) === 4 ? undefined : 4 * (threads + 3 * deep),
      says: () => 'You give a deep thread all four pages. It gets those that it touches.',
    },
    {
      name: 'gives a deep thread a part of a page',
      example: ({ threads, deep, depth }) => 4 * threads + (deep * (depth - PAGE)) / 1024,
      says: () => 'You count bytes. Memory is mapped page by page.',
    },
  ],
  hints: [
    () => 'Every thread has one page, 4 kB. How many more has one that has been that deep?',
    ({ depth }) => `${depth} bytes touch ${pagesOf(depth)} pages; the first was there.`,
  ],
  solution: ({ threads, deep, depth }) =>
    `${threads} × 4 kB at the start, and for each of ${deep} threads ${pagesOf(depth)} − 1 pages more.\n\n` +
    '```ts\n' +
    `const answer = 4 * (${threads} + ${deep} * (Math.ceil(${depth} / 4096) - 1));\n` +
    '```',
});

/** Lines of a recorded listing, not all of them, in which the callers may have their older name. */
function drawListing(random: Random, older: boolean): string {
  const lines = sample('vmallocinfo-idle').text.trimEnd().split('\n');
  const kept = lines.filter((line) => /unpurged|chunk|percpu_irq/.test(line) || random.chance(0.7));
  const text = kept.join('\n');
  return older ? text.replace(/kernel_clone\+0xbf\/0x430/g, '_do_fork+0xcf/0x3a0') : text;
}

const countBy = (wanted: RegExp) => (text: string) =>
  text.split('\n').filter((line) => wanted.test(line)).length;

const countStacks = defineExercise({
  id: '12-count-stacks',
  title: 'Your own reader',
  draw: (random) => {
    const listings = [drawListing(random, false), drawListing(random, true)];
    const stacks = listings.map((text) => readVmallocinfo(text).stacks.length);
    return { listings, stacks };
  },
  task: ({ stacks }) =>
    'Write a function that takes the text of `/proc/vmallocinfo` and returns how many kernel stacks it lists. A stack’s line looks like this:\n\n' +
    '`0xffffc90000010000-0xffffc90000015000   20480 kernel_clone+0xbf/0x430 pages=4 vmalloc N0=4`\n\n' +
    `In older kernels the caller is \`_do_fork\`. It will be tried on parts of a recorded listing, two of them with ${stacks.join(' and ')} stacks. ` +
    'Print `sample("vmallocinfo-idle").text` to see what else is in one.',
  expects: 'a function from a text to a number',
  isAnswer: isFunction<(vmallocinfo: string) => number>,
  cases: ({ listings }) => [
    ...listings.map((text) => [text]),
    [sample('vmallocinfo-idle').text],
    [''],
  ],
  answer: () => (text) => (text === '' ? 0 : readVmallocinfo(text).stacks.length),
  misconceptions: [
    {
      name: 'counts every area of 20480 bytes',
      example: () => countBy(/\b20480\b/),
      says: () =>
        'Your function counts every area of 20480 bytes. Freed ones that wait for the purge are among them, and some that were never a task’s stack.',
    },
    {
      name: 'counts what is in use and of that size',
      example: () => countBy(/\b20480 (?!unpurged)/),
      says: () =>
        'Your function counts all areas of that size that are in use. A stack of the interrupts and a chunk of per-CPU memory have the same size.',
    },
    {
      name: 'knows only the newer name',
      example: () => countBy(/kernel_clone/),
      says: () => 'Your function finds none in a listing of an older kernel.',
    },
  ],
  hints: [
    () => 'Go line by line, and look at who asked for the area.',
    () => 'A regular expression will do: the caller is `kernel_clone+…` or `_do_fork+…`.',
    () => 'An empty text has no stacks.',
  ],
  solution: () =>
    'The caller tells a stack from other areas of its size.\n\n' +
    '```ts\n' +
    'const answer = (text: string): number =>\n' +
    '  text.split("\\n").filter((line) => / 20480 (kernel_clone|_do_fork)\\+/.test(line)).length;\n' +
    '```',
});

export const EXERCISES_12: ExercisesOf<Answers12> = [whoCan, blocks, growing, countStacks];
