import { isVmallocFailure } from '../../mm/vm-struct';
import { lazyMaxPages } from '../../mm/vmalloc-rules';
import { parseVmallocinfo } from '../../mm/vmallocinfo';
import { recordedTables } from '../../mm/recorded-tables';
import { bareMachine } from '../../experiments/bare-machine';
import { hex } from '../../x86/addr';
import { isBigint, isFunction, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

/** A learner's reader of /proc/vmallocinfo. */
type ReadListing = (listing: string) => number;

export interface Answers08 {
  '08-next-stack': bigint;
  '08-memory': number;
  '08-exits': number;
  '08-listing': ReadListing;
}

const THREAD_SIZE = 16384;
const PAGE = 4096;

/** Most stacks that a learner is asked for. */
const MOST = 64;
let taken: readonly bigint[] | null = null;

/** Base of the n-th of stacks that are taken one after the other, counted from 0. */
function nthStack(n: number): bigint {
  taken ??= takeStacks();
  return taken[n];
}

function takeStacks(): bigint[] {
  const { vmalloc } = bareMachine({ ramMiB: 64 });
  return Array.from({ length: MOST + 1 }, () => {
    const area = vmalloc.vmalloc(THREAD_SIZE, { align: THREAD_SIZE, class: 'stack' });
    if (isVmallocFailure(area)) throw new RangeError('memory: expected enough, it ran out');
    return area.addr;
  });
}

const nextStack = defineExercise({
  id: '08-next-stack',
  title: 'Where the next one goes',
  draw: (random) => ({ n: 3 + random.below(MOST - 3) }),
  task: ({ n }) =>
    `In an empty vmalloc area the first stack lies at \`${hex(nthStack(0))}\`. ${n} more are taken, and nothing else. ` +
    'At which address does the last of them lie?',
  expects: 'an address as a bigint, such as 0xffffc90000004000n',
  isAnswer: isBigint,
  answer: ({ n }) => nthStack(n),
  misconceptions: [
    {
      name: 'packs the stacks without guard pages',
      example: ({ n }) => nthStack(0) + BigInt(n * THREAD_SIZE),
      says: () => 'You packed them one against the other. What lies behind each area?',
    },
    {
      name: 'forgets the alignment',
      example: ({ n }) => nthStack(0) + BigInt(n * (THREAD_SIZE + PAGE)),
      says: () =>
        'You counted the guard pages, but a stack may not begin just anywhere. Is the address a multiple of its size?',
    },
    {
      name: 'counts one too many',
      example: ({ n }) => nthStack(n + 1),
      says: () => 'That is the one after it: the first stack was already there.',
    },
  ],
  hints: [
    () =>
      'An area for a stack takes 16 KiB and 4 KiB for its guard page. Stacks begin at multiples of 16 KiB.',
    () => 'The first multiple of 16 KiB after 20 KiB is 32 KiB: `0x8000`.',
  ],
  solution: ({ n }) =>
    '20 KiB, rounded up to the next multiple of 16 KiB, is 32 KiB: one stack every `0x8000`. So:\n\n' +
    '```ts\n' +
    'import { layoutFor } from "guardpage";\n\n' +
    'const { VMALLOC_START } = layoutFor({ version: "6.1", levels: 4 });\n' +
    `const answer = VMALLOC_START + ${n}n * 0x8000n;\n` +
    '```',
});

const memoryOf = defineExercise({
  id: '08-memory',
  title: 'What they take',
  draw: (random) => ({ threads: 50 * (3 + random.below(60)) }),
  task: ({ threads }) =>
    `${threads} threads have vmalloc'ed stacks of 16 KiB, each with a guard page. How many kB of memory do stacks and guard pages take together? ` +
    '(Page tables are not counted.)',
  expects: 'a whole number of kB',
  isAnswer: isWhole,
  answer: ({ threads }) => threads * 16,
  misconceptions: [
    {
      name: 'counts the guard page as memory',
      example: ({ threads }) => threads * 20,
      says: () =>
        'You counted a page of memory for each guard. What is it that makes a page a guard page?',
    },
    {
      name: 'counts addresses instead of memory',
      example: ({ threads }) => threads * 32,
      says: () => 'That is how many addresses they take. Addresses are not memory.',
    },
  ],
  hints: [
    () => 'Look at the entry of the page below a stack once more. What does it point to?',
    () =>
      'A guard page is an entry that is zero. The 500 threads of the recording raised `KernelStack` by 8000 kB.',
  ],
  solution: ({ threads }) =>
    'Four pages for each stack, none for the guard: its entry is zero.\n\n' +
    '```ts\n' +
    'import { experiment } from "guardpage";\n\n' +
    `const { rows } = experiment("stack-memory").run({ threads: ${threads} }).table;\n` +
    'const row = rows.filter(({ evidence, layout }) => evidence === "model" && layout === "16 KB, vmalloc").pop()!;\n' +
    'const answer = Number(row.stackKb) + Number(row.lostKb);\n' +
    '```',
});

const exits = defineExercise({
  id: '08-exits',
  title: 'How long it waits',
  // From 5 on fls(n) is less than n.
  draw: (random) => ({ cpus: 5 + random.below(120) }),
  task: ({ cpus }) =>
    `A machine has ${cpus} CPUs. Threads exit one after another, and none of their stacks is kept in a CPU's cache. ` +
    'After how many exits does the number of pages that wait exceed the threshold, so that the TLBs are flushed? ' +
    'The threshold is fls(CPUs) × 32 MiB in pages of 4 KiB; fls(n) is the number of the highest bit set, counted from 1. Nothing waits at first.',
  expects: 'a whole number of exits',
  isAnswer: isWhole,
  answer: ({ cpus }) => Math.floor(lazyMaxPages(cpus) / 5) + 1,
  misconceptions: [
    {
      name: 'forgets that the guard page waits too',
      example: ({ cpus }) => Math.floor(lazyMaxPages(cpus) / 4) + 1,
      says: () =>
        'You counted four pages for each stack. What waits is the area, with all its addresses.',
    },
    {
      name: 'takes the number of CPUs itself',
      example: ({ cpus }) => Math.floor((cpus * 8192) / 5) + 1,
      says: () => 'You multiplied by the number of CPUs. fls grows much more slowly.',
    },
    {
      name: 'counts the exit before',
      example: ({ cpus }) => Math.floor(lazyMaxPages(cpus) / 5),
      says: () => 'With so many the threshold is not exceeded yet.',
    },
  ],
  hints: [
    () => 'An area of a stack is 20 KiB: five pages of addresses, the guard page included.',
    ({ cpus }) => `fls(${cpus}) is ${32 - Math.clz32(cpus)}. 32 MiB are 8192 pages.`,
  ],
  solution: ({ cpus }) =>
    `The threshold is ${lazyMaxPages(cpus)} pages, and each exit adds five.\n\n` +
    '```ts\n' +
    'import { lazyMaxPages } from "guardpage";\n\n' +
    `const answer = Math.floor(lazyMaxPages(${cpus}) / 5) + 1;\n` +
    '```',
});

/** Stacks in a listing that have only their lower neighbour's guard page below. */
const tightStacks =
  (how: 'right' | 'any area' | 'above'): ReadListing =>
  (listing) => {
    const areas = parseVmallocinfo(listing);
    const isStack = (caller: string | null) =>
      how === 'any area' || caller?.startsWith('kernel_clone+') === true;
    return areas.filter(({ addr, size, caller }) => {
      if (!isStack(caller)) return false;
      return how === 'above'
        ? areas.some((other) => other.addr === addr + BigInt(size))
        : areas.some((other) => other.addr + BigInt(other.size) === addr);
    }).length;
  };

/** The recorded listing with some more small areas, as BPF programs take them, just below stacks. */
function listingWith(holes: readonly number[]): string {
  const lines = recordedTables().vmallocinfo.trimEnd().split('\n');
  const stacks = lines.filter((line) => line.includes(' kernel_clone+'));
  for (const hole of holes) {
    const line = stacks[hole % stacks.length];
    const base = BigInt(line.slice(0, 18));
    const start = base - 8192n;
    const taken = parseVmallocinfo(lines.join('\n')).some(
      ({ addr, size }) => addr < base && addr + BigInt(size) > start,
    );
    if (taken) continue;
    const small = `${hex(start)}-${hex(base)}    8192 bpf_prog_alloc_no_stats+0x31/0x1f0 pages=1 vmalloc N0=1`;
    lines.splice(lines.indexOf(line), 0, small);
  }
  return lines.join('\n') + '\n';
}

const listing = defineExercise({
  id: '08-listing',
  title: 'Read /proc/vmallocinfo',
  draw: (random) => ({
    holes: Array.from({ length: 9 + random.below(8) }, () => random.below(90)),
  }),
  task: ({ holes }) =>
    'Write a reader. Your function gets the text of `/proc/vmallocinfo`, lines such as `0xffffc90000010000-0xffffc90000015000   20480 kernel_clone+0xbf/0x430 pages=4 vmalloc N0=4`, ' +
    'in which the stacks are the areas of `kernel_clone`. It returns the number of stacks below which only one guard page lies: ' +
    'those whose area begins exactly where another area ends. ' +
    `It will be tried with the recorded listing, and with that listing after ${holes.length} small areas were squeezed in.`,
  expects: 'a function from a text to a number',
  isAnswer: isFunction<ReadListing>,
  cases: ({ holes }) => [[recordedTables().vmallocinfo], [listingWith(holes)]],
  answer: () => tightStacks('right'),
  misconceptions: [
    {
      name: 'counts areas that are no stacks',
      example: () => tightStacks('any area'),
      says: () => 'Your function counts other areas too. Which of them are stacks?',
    },
    {
      name: 'looks at the upper end',
      example: () => tightStacks('above'),
      says: () =>
        'Your function looks at what follows a stack. Stacks are overrun at the other end.',
    },
  ],
  hints: [
    () =>
      'Each line begins with two addresses: the first of the area, and the first after it, guard page included.',
    () =>
      '`parseVmallocinfo(text)` of the library gives a list of `{ addr, size, caller, … }`. Or split the lines yourself.',
    () => 'Keep the end of each area in a set, then count the stacks whose start is in it.',
  ],
  solution: () =>
    'The ends of all areas, and then the stacks that begin at one of them:\n\n' +
    '```ts\n' +
    'import { parseVmallocinfo } from "guardpage";\n\n' +
    'const answer = (listing: string): number => {\n' +
    '  const areas = parseVmallocinfo(listing);\n' +
    '  const ends = new Set(areas.map(({ addr, size }) => addr + BigInt(size)));\n' +
    '  return areas.filter(({ addr, caller }) => caller?.startsWith("kernel_clone") && ends.has(addr)).length;\n' +
    '};\n' +
    '```',
});

export const EXERCISES_08: ExercisesOf<Answers08> = [nextStack, memoryOf, exits, listing];
