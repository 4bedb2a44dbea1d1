import { lazyMaxPages } from '../../mm/vmalloc-rules';
import type { Random } from '../../random';
import { kernelConfig } from '../../stack/config';
import { layoutOf } from '../../stack/kernel-layout';
import { Machine } from '../../stack/machine';
import { allocThreadStack, freeThreadStack } from '../../stack/thread-stack';
import { hex } from '../../x86/addr';
import { isBigint, isFunction, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

interface UsedStack {
  readonly base: bigint;
  readonly depth: number;
}

// Written out: a notebook's declaration of the exercise can't name an interface of this file.
type Entries = (
  stacks: readonly { readonly base: bigint; readonly depth: number }[],
  pageSize: bigint,
) => number;

export interface Answers10 {
  '10-wrong-address': bigint;
  '10-from-cache': number;
  '10-first-flush': number;
  '10-entries': Entries;
}

const RAM = 64n << 20n;
const { PAGE_OFFSET, VMALLOC_START } = layoutOf(kernelConfig('vmap'), RAM, 1);

const wrongAddress = defineExercise({
  id: '10-wrong-address',
  title: 'What the driver gets',
  draw: (random) => ({
    buffer:
      VMALLOC_START + BigInt(0x8000 * (1 + random.below(4000)) + 0x2000 + 16 * random.below(400)),
    frame: BigInt(0x1000 * (0x400 + random.below(0x3000))),
  }),
  task: ({ buffer, frame }) =>
    `A driver on 6.1 has a buffer on its stack at \`${hex(buffer)}\`. The page tables map that page to frame \`${hex(frame)}\`; \`PAGE_OFFSET\` is \`${hex(PAGE_OFFSET)}\`. ` +
    'Which address does `__pa()` give?',
  expects: 'an address as a bigint, such as 0x1000n',
  isAnswer: isBigint,
  answer: ({ buffer }) => buffer - PAGE_OFFSET,
  misconceptions: [
    {
      name: 'thinks that __pa() walks the page tables',
      example: ({ buffer, frame }) => frame + (buffer & 0xfffn),
      says: () =>
        'That is where the buffer is. `__pa()` does not look at page tables; it computes.',
    },
    {
      name: 'subtracts the start of the vmalloc area',
      example: ({ buffer }) => buffer - VMALLOC_START,
      says: () =>
        '`__pa()` does not know that the address is of the vmalloc area. It subtracts what it always subtracts.',
    },
    {
      name: 'drops the offset in the page',
      example: ({ buffer }) => (buffer - PAGE_OFFSET) & ~0xfffn,
      recognises: (given, { buffer }) =>
        given === ((buffer - PAGE_OFFSET) & ~0xfffn) && (buffer & 0xfffn) !== 0n,
      says: () => 'The page is right. The buffer does not start at its first byte.',
    },
  ],
  hints: [
    () => 'In the direct map, physical and virtual addresses differ by a constant.',
    ({ buffer }) => `Subtract \`PAGE_OFFSET\` from \`${hex(buffer)}\`, whatever comes out.`,
  ],
  solution: ({ buffer }) =>
    `${hex(buffer - PAGE_OFFSET)}, an address in the tens of terabytes.\n\n` +
    '```ts\n' +
    'import { kernelConfig, Machine } from "guardpage";\n\n' +
    'const { layout } = new Machine(kernelConfig("vmap"));\n' +
    `const answer = ${hex(buffer)}n - layout.PAGE_OFFSET;\n` +
    '```',
});

interface Bursts {
  readonly burst: number;
  readonly rounds: number;
}

const hits = new Map<string, number>();

/** Forks that found a stack in the cache. */
function hitsOf({ burst, rounds }: Bursts): number {
  const key = `${burst} ${rounds}`;
  let found = hits.get(key);
  if (found === undefined) {
    const machine = new Machine(kernelConfig('vmap'));
    found = 0;
    for (let round = 0; round < rounds; round++) {
      const stacks: bigint[] = [];
      for (let i = 0; i < burst; i++) {
        if (machine.cachedStacks.length > 0) found++;
        stacks.push(allocThreadStack(machine) ?? 0n);
      }
      for (const stack of stacks) freeThreadStack(machine, stack);
    }
    hits.set(key, found);
  }
  return found;
}

const fromCache = defineExercise({
  id: '10-from-cache',
  title: 'Bursts',
  draw: (random): Bursts => ({ burst: 3 + random.below(8), rounds: 3 + random.below(6) }),
  task: ({ burst, rounds }) =>
    `On one CPU of a machine that has just booted, ${burst} threads are created, all of them end, and so on, ${rounds} times. ` +
    `How many of the ${burst * rounds} forks get their stack from the cache?`,
  expects: 'a whole number of forks',
  isAnswer: isWhole,
  answer: hitsOf,
  misconceptions: [
    {
      name: 'finds stacks in the cache before anybody has freed one',
      example: ({ rounds }) => 2 * rounds,
      says: () =>
        'In the first round the cache is still empty: a stack gets there when a thread ends.',
    },
    {
      name: 'keeps all freed stacks',
      example: ({ burst, rounds }) => burst * (rounds - 1),
      says: () => 'The cache does not keep every stack that is freed. It has few places.',
    },
    {
      name: 'keeps one stack',
      example: ({ rounds }) => rounds - 1,
      says: () => 'The cache has more than one place for each CPU.',
    },
  ],
  hints: [
    () => 'Two places for each CPU. What is in them at the start of each round?',
    ({ rounds }) =>
      `None at the start of the first round, two at the start of the other ${rounds - 1}.`,
  ],
  solution: (values) =>
    `2 × (${values.rounds} − 1) = ${hitsOf(values)}.\n\n` +
    '```ts\n' +
    'import { allocThreadStack, freeThreadStack, kernelConfig, Machine } from "guardpage";\n\n' +
    'const machine = new Machine(kernelConfig("vmap"));\n' +
    'let answer = 0;\n' +
    `for (let round = 0; round < ${values.rounds}; round++) {\n` +
    '  const stacks: bigint[] = [];\n' +
    `  for (let i = 0; i < ${values.burst}; i++) {\n` +
    '    if (machine.cachedStacks.length > 0) answer++;\n' +
    '    stacks.push(allocThreadStack(machine)!);\n' +
    '  }\n' +
    '  for (const stack of stacks) freeThreadStack(machine, stack);\n' +
    '}\n' +
    '```',
});

const STACK_AREA = 5;
const firstBeyond = (pages: number, each: number) => Math.floor(pages / each) + 1;

const firstFlush = defineExercise({
  id: '10-first-flush',
  title: 'The first flush',
  draw: (random) => ({ cpus: random.pick([4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]) }),
  task: ({ cpus }) =>
    `A machine has ${cpus} CPUs. Freed addresses wait until more than fls(CPUs) × 8192 pages of them are there; then all are purged with one flush. ` +
    'Nothing else is freed. Count the stacks that are really freed, not cached, from 1: which one brings the first purge?',
  expects: 'a whole number, counted from 1',
  isAnswer: isWhole,
  answer: ({ cpus }) => firstBeyond(lazyMaxPages(cpus), STACK_AREA),
  misconceptions: [
    {
      name: 'forgets the guard page',
      example: ({ cpus }) => firstBeyond(lazyMaxPages(cpus), 4),
      says: () =>
        'You counted pages of memory. What waits are addresses, and an area has a page more.',
    },
    {
      name: 'counts the alignment too',
      example: ({ cpus }) => firstBeyond(lazyMaxPages(cpus), 8),
      says: () =>
        'Stacks start eight pages apart, but the gap is no part of the area that is freed.',
    },
    {
      name: 'takes the number of CPUs for fls of it',
      example: ({ cpus }) => firstBeyond(cpus * 8192, STACK_AREA),
      says: () => 'fls is the position of the highest bit that is set: fls(8) is 4.',
    },
    {
      name: 'stops one early',
      example: ({ cpus }) => Math.floor(lazyMaxPages(cpus) / STACK_AREA),
      says: () => 'So many may wait. Which one is the first too many?',
    },
  ],
  hints: [
    () => 'fls(n) is the number of binary digits of n. `lazyMaxPages(cpus)` computes the limit.',
    () =>
      'A stack’s area has 4 pages and a guard. The purge comes when the sum is larger than the limit.',
  ],
  solution: ({ cpus }) =>
    `fls(${cpus}) × 8192 = ${lazyMaxPages(cpus)} pages; ${Math.floor(lazyMaxPages(cpus) / STACK_AREA)} areas of 5 pages may wait, the next one is too many.\n\n` +
    '```ts\n' +
    'import { lazyMaxPages } from "guardpage";\n\n' +
    `const answer = Math.floor(lazyMaxPages(${cpus}) / 5) + 1;\n` +
    '```',
});

const THREAD_SIZE = 16384n;

/** Numbers of the pages in which the used part of a stack lies. */
function pagesOf({ base, depth }: UsedStack, pageSize: bigint): bigint[] {
  const first = (base + THREAD_SIZE - BigInt(depth)) / pageSize;
  const last = (base + THREAD_SIZE - 1n) / pageSize;
  return Array.from({ length: Number(last - first) + 1 }, (_, i) => first + BigInt(i));
}

const entriesOf: Entries = (stacks, pageSize) =>
  new Set(stacks.flatMap((stack) => pagesOf(stack, pageSize))).size;
const oneEach: Entries = (stacks) => stacks.length;
const neverShared: Entries = (stacks, pageSize) =>
  stacks.flatMap((stack) => pagesOf(stack, pageSize)).length;
const wholeStacks: Entries = (stacks, pageSize) =>
  entriesOf(
    stacks.map(({ base }) => ({ base, depth: Number(THREAD_SIZE) })),
    pageSize,
  );

interface Demand {
  readonly vmalloc: readonly UsedStack[];
  readonly direct: readonly UsedStack[];
}

function drawDemand(random: Random): Demand {
  const start = BigInt(random.below(1000));
  const stacks = (from: bigint, stride: bigint) =>
    Array.from({ length: 5 + random.below(4) }, (_, i) => ({
      base: from + BigInt(i) * stride,
      depth: 200 + 8 * random.below(1200),
    }));
  return {
    vmalloc: stacks(VMALLOC_START + start * 0x8000n, 0x8000n),
    direct: stacks(PAGE_OFFSET + start * 0x200000n, THREAD_SIZE),
  };
}

const entries = defineExercise({
  id: '10-entries',
  title: 'Write the TLB’s demand',
  draw: drawDemand,
  task: ({ vmalloc }) =>
    'Write a function of `stacks`, each with its `base` and the `depth` in bytes that its thread uses from the top down (16 KB stacks), and `pageSize`, a bigint: ' +
    'how many TLB entries of that size hold all the used parts? ' +
    `For ${vmalloc.length} stacks at ${hex(vmalloc[0].base)}, 32 KB apart, with the depths ${vmalloc.map(({ depth }) => depth).join(', ')}, and pages of 4096n it gives ${entriesOf(vmalloc, 4096n)}.`,
  expects: 'a function of stacks and page size that returns a number',
  isAnswer: isFunction<Entries>,
  answer: () => entriesOf,
  cases: ({ vmalloc, direct }) => [
    [vmalloc.map((stack) => ({ ...stack })), 4096n],
    [direct.map((stack) => ({ ...stack })), 0x200000n],
    [direct.map((stack) => ({ ...stack })), 4096n],
  ],
  misconceptions: [
    {
      name: 'gives every stack one entry',
      example: () => oneEach,
      says: () => 'A used part that crosses a border between pages needs more than one entry.',
    },
    {
      name: 'lets no two stacks share an entry',
      example: () => neverShared,
      says: () => 'Stacks side by side can lie behind one large page: that is one entry.',
    },
    {
      name: 'counts the pages that are not used',
      example: () => wholeStacks,
      says: () => 'A page of a stack that nobody touches takes no entry.',
    },
  ],
  hints: [
    () =>
      'The used part of a stack runs from `base + 16384n - BigInt(depth)` to `base + 16384n - 1n`.',
    () => 'The number of a page is its address divided by the page size. Collect them in a `Set`.',
  ],
  solution: () =>
    'Different page numbers, counted once each:\n\n' +
    '```ts\n' +
    'const answer = (stacks: readonly { base: bigint; depth: number }[], pageSize: bigint): number => {\n' +
    '  const pages = new Set<bigint>();\n' +
    '  for (const { base, depth } of stacks) {\n' +
    '    const last = (base + 16384n - 1n) / pageSize;\n' +
    '    for (let page = (base + 16384n - BigInt(depth)) / pageSize; page <= last; page++) pages.add(page);\n' +
    '  }\n' +
    '  return pages.size;\n' +
    '};\n' +
    '```',
});

export const EXERCISES_10: ExercisesOf<Answers10> = [wrongAddress, fromCache, firstFlush, entries];
