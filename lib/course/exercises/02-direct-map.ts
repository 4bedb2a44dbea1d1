import { layoutFor } from '../../mm/layout';
import { PageAllocator } from '../../mm/page-allocator';
import { Random } from '../../random';
import { hex } from '../../x86/addr';
import { PhysMemory } from '../../x86/phys-memory';
import { isFunction, isListOf, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

/** A learner's measurement: takes stacks and counts. */
type CountNeighbours = (
  takeStack: () => number,
  classOf: (pfn: number) => string,
  stacks: number,
) => number;

export interface Answers02 {
  '02-below': number;
  '02-buddy': number;
  '02-split': readonly number[];
  '02-neighbours': CountNeighbours;
}

const { PAGE_OFFSET } = layoutFor({ version: '3.14', levels: 4 });

const below = defineExercise({
  id: '02-below',
  title: 'The frame next door',
  draw: (random) => ({ pfn: 2 * (128 + random.below(8000)) }),
  task: ({ pfn }) =>
    `On 3.14 a thread has its 8 KB stack at \`${hex(PAGE_OFFSET + (BigInt(pfn) << 12n))}\`. ` +
    `Its calls go 16 bytes too deep. What is the number of the page frame that they write to? (\`PAGE_OFFSET\` is \`${hex(PAGE_OFFSET)}\`; a decimal number.)`,
  expects: 'a whole number: a page frame number',
  isAnswer: isWhole,
  answer: ({ pfn }) => pfn - 1,
  misconceptions: [
    {
      name: 'takes the lowest frame of the stack itself',
      example: ({ pfn }) => pfn,
      says: () => 'That is the lowest page frame of the stack: still its own.',
    },
    {
      name: 'goes the wrong way',
      example: ({ pfn }) => pfn + 2,
      says: () => 'That is the frame above the stack. In which direction do calls go?',
    },
    {
      name: 'goes a whole stack too far',
      example: ({ pfn }) => pfn - 2,
      says: () =>
        'You went down by the size of a stack. 16 bytes too deep is much less than a page.',
    },
  ],
  hints: [
    () => 'In the direct map the physical address is the address minus `PAGE_OFFSET`.',
    () =>
      'A page frame number is the physical address divided by 4096. One byte below the stack, that is …',
  ],
  solution: ({ pfn }) =>
    'The direct map is linear: the byte below the stack is the last byte of the page frame before it, whoever owns that.\n\n' +
    '```ts\n' +
    `const answer = Number((${hex(PAGE_OFFSET + (BigInt(pfn) << 12n))}n - 16n - ${hex(PAGE_OFFSET)}n) >> 12n);\n` +
    '```',
});

const buddy = defineExercise({
  id: '02-buddy',
  title: 'Whose buddy',
  draw: (random) => {
    const order = 1 + random.below(5);
    return { order, pfn: (2 * (8 + random.below(200)) + 1) << order };
  },
  task: ({ order, pfn }) =>
    `A block of order ${order} that begins at page frame ${pfn} is freed. At which page frame must a free block of the same order begin ` +
    'for the two to be put together?',
  expects: 'a whole number: a page frame number',
  isAnswer: isWhole,
  answer: ({ order, pfn }) => pfn ^ (1 << order),
  misconceptions: [
    {
      name: 'always takes the block that follows',
      example: ({ order, pfn }) => pfn + (1 << order),
      says: () =>
        'That is the block that follows. Put together, would the two begin at a multiple of their size?',
    },
    {
      name: 'turns the bit of the next order',
      example: ({ order, pfn }) => pfn ^ (2 << order),
      says: () => 'One bit too high: that would be the buddy of a block twice as large.',
    },
    {
      name: 'turns the bit below',
      example: ({ order, pfn }) => pfn ^ (1 << (order - 1)),
      says: ({ order }) =>
        `There can be no block of order ${order} there: it would not begin at a multiple of its size.`,
    },
  ],
  hints: [
    () =>
      'A block of order n begins at a multiple of 2^n pages. Two buddies together must be a block of order n + 1, which begins at a multiple of 2^(n+1).',
    ({ order }) =>
      `The two differ in one bit of the page frame number: bit ${order}. Is it set in this one?`,
  ],
  solution: ({ order, pfn }) =>
    `The buddy differs in bit ${order}, and here that bit is set: the buddy lies *below*.\n\n` +
    '```ts\n' +
    `const answer = ${pfn} ^ (1 << ${order});\n` +
    '```',
});

interface Split {
  readonly has: number;
  readonly wants: number;
}

/** Free blocks by order after one block was taken from a single free block. */
function countsAfter({ has, wants }: Split): number[] {
  const memory = new PhysMemory(4096 << has);
  const zones = [{ name: 'DMA32', start: 0, end: memory.pages }];
  const allocator = new PageAllocator(memory, {
    version: '6.1',
    zones,
    reserved: [],
    minFreeKbytes: 0,
  });
  allocator.allocPages(wants, { migratetype: 'MOVABLE' });
  return ORDERS.map((order) => allocator.freeCount(order));
}

const ORDERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const counts = (of: (order: number) => number) => ORDERS.map(of);

const split = defineExercise({
  id: '02-split',
  title: 'What a request leaves',
  draw: (random): Split => {
    const wants = random.below(4);
    return { wants, has: wants + 2 + random.below(8 - wants) };
  },
  task: ({ has, wants }) =>
    `The only free block of a zone is one of order ${has}. Somebody takes a block of order ${wants}. ` +
    'What does `/proc/buddyinfo` show for this zone afterwards? Answer with its eleven numbers, order 0 first.',
  expects: 'a list of eleven whole numbers, order 0 first',
  isAnswer: (given): given is readonly number[] =>
    isListOf(isWhole)(given) && given.length === ORDERS.length,
  answer: countsAfter,
  misconceptions: [
    {
      name: 'halves the block only once',
      example: ({ has }) => counts((order) => (order === has - 1 ? 1 : 0)),
      says: () =>
        'You halved the block once and gave away one half. It is halved until the piece is no larger than what was asked for.',
    },
    {
      name: 'cuts all of it into pieces of the size asked for',
      example: ({ has, wants }) =>
        counts((order) => (order === wants ? 2 ** (has - wants) - 1 : 0)),
      says: () =>
        'You cut the whole block into pieces of one size. Only the half that is needed is halved again; the other one stays as it is.',
    },
    {
      name: 'leaves the piece that was given out in the list',
      example: ({ has, wants }) =>
        counts((order) => (order === wants ? 2 : order > wants && order < has ? 1 : 0)),
      says: () =>
        'The last halving leaves two pieces of the size asked for. One of them is not free.',
    },
    {
      name: 'keeps the block that was cut',
      example: ({ has, wants }) => counts((order) => (order >= wants && order <= has ? 1 : 0)),
      says: () => 'The large block is still in your list. It has been cut up.',
    },
  ],
  hints: [
    () => 'Halve the block. One half stays free; the other is halved again, and so on.',
    ({ has, wants }) =>
      `Halves of order ${has - 1}, ${has - 2}, … ${wants}: one of each stays free. Together with the piece given out they must make up ${2 ** has} pages.`,
  ],
  solution: ({ has, wants }) =>
    `One free block of each order from ${wants} to ${has - 1}. With an allocator of ${2 ** has} pages:\n\n` +
    '```ts\n' +
    'import { PageAllocator, PhysMemory } from "guardpage";\n\n' +
    `const memory = new PhysMemory(4096 << ${has});\n` +
    'const zones = [{ name: "DMA32", start: 0, end: memory.pages }];\n' +
    'const allocator = new PageAllocator(memory, { version: "6.1", zones, reserved: [], minFreeKbytes: 0 });\n' +
    `allocator.allocPages(${wants}, { migratetype: "MOVABLE" });\n` +
    'const answer = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((order) => allocator.freeCount(order));\n' +
    '```',
});

/** Memory in which something went on before: pages in use, holes of two pages, some of them side by side. */
function usedMemory(seed: number): PageAllocator {
  const random = new Random(seed);
  const memory = new PhysMemory(8 << 20);
  const zones = [{ name: 'DMA32', start: 0, end: memory.pages }];
  const reserved = [{ start: 0, pages: 64, what: 'boot' }];
  const allocator = new PageAllocator(memory, { version: '3.14', zones, reserved });
  const pairs = Array.from({ length: 40 }, () => allocator.allocPages(1, { class: 'slab' }) ?? 0);
  // Two halves of different blocks: they lie side by side and are not put together.
  for (let i = 1; i + 1 < pairs.length; i += 4) {
    allocator.freePages(pairs[i], 1);
    allocator.freePages(pairs[i + 1], 1);
  }
  for (let i = random.below(4); i > 0; i--) allocator.allocPages(0, { class: 'slab' });
  return allocator;
}

const countNeighbours =
  (how: 'right' | 'while taking' | 'own page'): CountNeighbours =>
  (takeStack, classOf, stacks) => {
    const taken: number[] = [];
    let early = 0;
    for (let i = 0; i < stacks; i++) {
      const pfn = takeStack();
      taken.push(pfn);
      if (classOf(pfn - 1) === 'stack') early++;
    }
    if (how === 'while taking') return early;
    const down = how === 'own page' ? 0 : 1;
    return taken.filter((pfn) => classOf(pfn - down) === 'stack').length;
  };

/** What a learner's function is called with. */
function measurementOf(seed: number, stacks: number): Parameters<CountNeighbours> {
  const allocator = usedMemory(seed);
  return [
    () => allocator.allocPages(1, { class: 'stack' }) ?? 0,
    (pfn) => allocator.pageInfo.classOf(pfn),
    stacks,
  ];
}

const neighbours = defineExercise({
  id: '02-neighbours',
  title: 'Count the neighbours yourself',
  draw: (random) => ({ stacks: 24 + random.below(30), seed: random.below(1000) }),
  task: ({ stacks }) =>
    'Write the measurement. `takeStack()` takes a block of order 1 for a stack, in memory where something went on before, and returns its first page frame; ' +
    '`classOf(pfn)` says what a page frame is used for: `"stack"`, `"slab"`, `"free"`. ' +
    'Your function takes so many stacks as its third argument says and returns below how many of them, in the end, another stack lies. ' +
    `It will be tried with 10, 20 and ${stacks} stacks.`,
  expects: 'a function (takeStack, classOf, stacks) that returns a number',
  isAnswer: isFunction<CountNeighbours>,
  cases: ({ stacks, seed }) => [10, 20, stacks].map((count, i) => measurementOf(seed + i, count)),
  answer: () => countNeighbours('right'),
  misconceptions: [
    {
      name: 'counts before all stacks are there',
      example: () => countNeighbours('while taking'),
      says: () =>
        'You look below each stack when it is taken. The one below may come later: holes are filled from the top down as well as from the bottom up.',
    },
    {
      name: 'looks at the stack itself',
      example: () => countNeighbours('own page'),
      says: () => 'Your function counts every stack: it looks at a page of the stack itself.',
    },
  ],
  hints: [
    () =>
      'Two loops: first take all stacks and keep their page frame numbers, then look below each.',
    () => '`takeStack()` returns the first page frame of the block. Below it lies `pfn - 1`.',
  ],
  solution: () =>
    'First all stacks, then the count:\n\n' +
    '```ts\n' +
    'const answer = (takeStack: () => number, classOf: (pfn: number) => string, stacks: number) => {\n' +
    '  const taken: number[] = [];\n' +
    '  for (let i = 0; i < stacks; i++) taken.push(takeStack());\n' +
    '  return taken.filter((pfn) => classOf(pfn - 1) === "stack").length;\n' +
    '};\n' +
    '```',
});

export const EXERCISES_02: ExercisesOf<Answers02> = [below, buddy, split, neighbours];
