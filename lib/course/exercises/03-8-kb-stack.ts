import { kernelConfig, PT_REGS_SIZE } from '../../stack/config';
import { publishedTrace } from '../../stack/published-traces';
import type { StackTrace } from '../../stack/trace';
import { isFunction, isOneOf, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

export interface Answers03 {
  '03-interrupt': number;
  '03-last-field': string;
  '03-frame-size': number;
  '03-thread-info': (rsp: bigint, threadSize: bigint) => bigint;
  '03-below': (trace: StackTrace, fn: string) => number;
}

const KERNEL = kernelConfig('8k');
const CPU_PUSHES = 40;

const interrupt = defineExercise({
  id: '03-interrupt',
  title: 'An interrupt at the deepest point',
  draw: (random) => ({ depth: 16 * (440 + random.below(54)) }),
  task: ({ depth }) =>
    `On a 3.14 kernel a chain of calls is ${depth} bytes deep when a device interrupts. ` +
    'How many bytes are left above the end magic at the moment when RSP goes to the IRQ stack? A negative number says how many are missing.',
  expects: 'a whole number of bytes',
  isAnswer: isWhole,
  answer: ({ depth }) => KERNEL.usable - depth - PT_REGS_SIZE,
  misconceptions: [
    {
      name: 'thinks that an interrupt takes nothing of the interrupted stack',
      example: ({ depth }) => KERNEL.usable - depth,
      says: () =>
        'That is what was left before the interrupt. It has a stack of its own, but it does not start there.',
    },
    {
      name: 'counts only what the CPU pushes',
      example: ({ depth }) => KERNEL.usable - depth - CPU_PUSHES,
      says: () =>
        'You counted the five words that the CPU pushes by itself. The entry code pushes more before it changes RSP.',
    },
    {
      name: 'takes the whole 8192 bytes for usable',
      example: ({ depth }) => KERNEL.THREAD_SIZE - depth - PT_REGS_SIZE,
      says: () => 'You counted down to the base of the stack. Something lies there already.',
    },
  ],
  hints: [
    () => 'Three things share the stack here: the calls, what the interrupt saves, and the bottom.',
    () =>
      'The interrupt saves a whole `pt_regs`: 21 words. The bottom is `thread_info` and the end magic: 104 + 8 bytes.',
    ({ depth }) => `8192 − 104 − 8 − 168 − ${depth}.`,
  ],
  remark: ({ depth }) => `8192 − 104 − 8 − 168 − ${depth}.`,
  solution: ({ depth }) =>
    'Usable are 8080 bytes, `pt_regs` takes 168 of them. The machine says the same; `irq` is the number of bytes between the base and RSP ' +
    'when the interrupt comes, `rsp` the lowest that RSP came to:\n\n' +
    '```ts\n' +
    'import { overrun } from "guardpage";\n\n' +
    `const report = overrun({ era: "8k", irq: 8192 - ${depth} });\n` +
    'const answer = Number(report.rsp - report.stackBase) - 104 - 8;\n' +
    '```',
});

const FIELDS = KERNEL.threadInfo.fields;

const fieldAt = (offset: number) => [...FIELDS].reverse().find((one) => one.offset <= offset)!.name;

/** Fields whose mirror image in thread_info is another one. */
const ASKED = FIELDS.filter(({ name }) => name !== 'restart_block' && !name.startsWith('sig_'));

const lastField = defineExercise({
  id: '03-last-field',
  title: 'How far into thread_info',
  draw: (random) => {
    const field = random.pick(ASKED);
    return { offset: field.offset + random.below(field.size) };
  },
  task: ({ offset }) =>
    `On an 8 KB stack of 3.14 the frames of an overrun come down to ${offset} bytes above the base: that is the lowest byte they write. ` +
    `Which field of \`thread_info\` is the last one that they reach? One of ${FIELDS.map(({ name }) => `\`"${name}"\``).join(', ')}.`,
  expects: 'the name of a field of thread_info, in quotation marks',
  isAnswer: isOneOf(...FIELDS.map(({ name }) => name)),
  answer: ({ offset }) => fieldAt(offset),
  misconceptions: [
    {
      name: 'names the first field that is destroyed',
      example: () => FIELDS[FIELDS.length - 1].name,
      says: () =>
        'That field is destroyed first: an overrun comes from above. Asked for is the last one it reaches.',
    },
    {
      name: 'counts offsets from the upper end',
      example: ({ offset }) => fieldAt(KERNEL.threadInfo.size - 1 - offset),
      says: () =>
        'You counted from the upper end of `thread_info`. Offsets are counted from its lowest byte, which is the base of the stack.',
    },
  ],
  hints: [
    () => 'The notebook’s table lists the fields with their offsets from the base.',
    ({ offset }) => `Look for the field with the largest offset that is not above ${offset}.`,
  ],
  solution: ({ offset }) =>
    `The field that holds byte ${offset}:\n\n` +
    '```ts\n' +
    'import { kernelConfig } from "guardpage";\n\n' +
    'const { fields } = kernelConfig("8k").threadInfo;\n' +
    `const answer = fields.filter((field) => field.offset <= ${offset}).pop()!.name;\n` +
    '```',
});

const COMPLETE = ['01', '10', '11', '15'] as const;

const frameSize = defineExercise({
  id: '03-frame-size',
  title: 'A size that is missing',
  draw: (random) => {
    const id = random.pick(COMPLETE);
    const { entries } = publishedTrace(id);
    const asked = entries.flatMap(({ size }, i) =>
      i > 0 && i < entries.length - 2 && entries[i - 1].size !== size ? i : [],
    );
    return { id, at: random.pick(asked) };
  },
  task: ({ id, at }) => {
    const lines = publishedTrace(id).entries.slice(at - 1, at + 3);
    const text = lines.map(
      ({ i, depth, size, fn }) =>
        `${String(i).padStart(3)}) ${String(depth).padStart(8)}   ${(i === at ? '?' : String(size)).padStart(5)}   ${fn}`,
    );
    return (
      'Four lines of a stack trace; one size is missing. How large is that frame?\n\n' +
      `\`\`\`\n        Depth    Size   Location\n${text.join('\n')}\n\`\`\``
    );
  },
  expects: 'a whole number of bytes',
  isAnswer: isWhole,
  answer: ({ id, at }) => publishedTrace(id).entries[at].size,
  misconceptions: [
    {
      name: 'takes the difference to the line above',
      example: ({ id, at }) => publishedTrace(id).entries[at - 1].size,
      says: () =>
        'That is the distance to the line above, which is the function that this one calls. Its frame lies below.',
    },
    {
      name: 'answers with the depth',
      example: ({ id, at }) => publishedTrace(id).entries[at].depth,
      says: () => 'That is the depth: what this function and all its callers use together.',
    },
  ],
  hints: [
    () =>
      'The depth of a line counts the frame of its function and those of all its callers, which stand below it.',
    () => 'Subtract the depth of the caller, one line further down, from the depth of this line.',
  ],
  solution: ({ id, at }) =>
    'Depth minus the depth of the caller:\n\n' +
    '```ts\n' +
    'import { publishedTrace } from "guardpage";\n\n' +
    `const { entries } = publishedTrace("${id}");\n` +
    `const answer = entries[${at}].depth - entries[${at + 1}].depth;\n` +
    '```',
});

type Base = (rsp: bigint, threadSize: bigint) => bigint;

const threadInfo = defineExercise({
  id: '03-thread-info',
  title: 'From RSP to thread_info',
  draw: (random) => ({
    bases: [0, 1, 2].map(() => 0xffff880000000000n + BigInt(random.below(1 << 18)) * 0x4000n),
    above: random.below(500) * 8,
  }),
  task: ({ bases, above }) =>
    'Write a function that takes RSP and THREAD_SIZE (a power of two), both bigint, and gives the address of `thread_info`, ' +
    `for any RSP inside the stack: \`0x${(bases[0] + 0x1000n + BigInt(above)).toString(16)}n\` and \`0x2000n\`, for one.`,
  expects: 'a function of two bigints that gives a bigint',
  isAnswer: isFunction<Base>,
  cases: ({ bases, above }) =>
    bases.flatMap((base) => [
      [base + 0x1000n + BigInt(above), 0x2000n],
      [base + 0x2000n + BigInt(above), 0x4000n],
      [base + 112n, 0x2000n],
      [base + 0x1ff8n, 0x2000n],
    ]),
  answer: (): Base => (rsp, threadSize) => rsp & ~(threadSize - 1n),
  misconceptions: [
    {
      name: 'clears the offset in a page',
      example: (): Base => (rsp) => rsp & ~0xfffn,
      says: () => 'Your function finds the beginning of a page. A stack has more than one.',
    },
    {
      name: 'goes down by THREAD_SIZE',
      example: (): Base => (rsp, threadSize) => rsp - threadSize,
      says: () =>
        'Your function goes down from RSP by the size of a stack. RSP is somewhere inside it, not at its top.',
    },
    {
      name: 'keeps the offset and clears the base',
      example: (): Base => (rsp, threadSize) => rsp & (threadSize - 1n),
      says: () =>
        'Your function keeps the low bits and clears the others: it gives the offset of RSP in its stack.',
    },
    {
      name: 'finds the top of the stack',
      example: (): Base => (rsp, threadSize) => (rsp | (threadSize - 1n)) + 1n,
      says: () => 'Your function finds the other end of the stack.',
    },
  ],
  hints: [
    () =>
      'A stack of 2^13 bytes starts at a multiple of 2^13. What do all addresses inside it have in common?',
    () => 'THREAD_SIZE − 1 has ones exactly in the bits that differ inside one stack.',
    () => 'Clear them: `&` with the complement (`~`).',
  ],
  solution: () =>
    'A block of 2^n pages from the buddy allocator is aligned to its size, so that the low bits of RSP are its offset in the stack:\n\n' +
    '```ts\n' +
    'const answer = (rsp: bigint, threadSize: bigint) => rsp & ~(threadSize - 1n);\n' +
    '```',
});

/** Functions that occur once in a trace that is complete. */
const ONCE: readonly (readonly [id: string, fns: readonly string[]])[] = [
  ['01', ['ext4_writepages', 'try_to_free_pages', 'virtio_queue_rq', 'kthread']],
  ['05', ['vfs_write', 'shrink_zone', 'xfs_btree_delrec']],
  ['10', ['submit_bio', 'scsi_request_fn', 'wb_writeback']],
  ['12', ['do_writepages', 'blk_mq_submit_bio', '__schedule']],
];

type Below = (trace: StackTrace, fn: string) => number;

const entryOf = (trace: StackTrace, fn: string) => trace.entries.find((entry) => entry.fn === fn)!;

const below = defineExercise({
  id: '03-below',
  title: 'What lies below a function',
  draw: (random) => ({ picked: ONCE.map(([id, fns]) => [id, random.pick(fns)] as const) }),
  task: ({ picked }) =>
    'Write a function that takes a trace and the name of a function in it and says how many bytes of stack are used by everything that function calls: ' +
    'all frames below its own. It will be tried with published traces: ' +
    `${picked.map(([id, fn]) => `\`${fn}\` in ${id}`).join(', ')}. \`trace.entries\` is a list of \`{ i, fn, depth, size }\`, innermost first; \`trace.maxDepth\` is the greatest depth.`,
  expects: 'a function from a trace and a name to a number of bytes',
  isAnswer: isFunction<Below>,
  cases: ({ picked }) => picked.map(([id, fn]) => [publishedTrace(id), fn]),
  answer: (): Below => (trace, fn) => trace.maxDepth - entryOf(trace, fn).depth,
  misconceptions: [
    {
      name: 'counts the function’s own frame too',
      example: (): Below => (trace, fn) =>
        trace.maxDepth - entryOf(trace, fn).depth + entryOf(trace, fn).size,
      says: () =>
        'Your function counts the frame of the function itself. Only what it calls is asked for.',
    },
    {
      name: 'measures what lies above',
      example: (): Below => (trace, fn) => entryOf(trace, fn).depth,
      says: () =>
        'Your function measures from the top of the stack down to there: what the callers use.',
    },
    {
      name: 'counts calls instead of bytes',
      example: (): Below => (trace, fn) => entryOf(trace, fn).i,
      says: () => 'Your function counts calls. Their frames differ in size.',
    },
  ],
  hints: [
    () =>
      'The depth of an entry counts from the top of the stack down to the lower end of its frame.',
    () =>
      'Find the entry with `trace.entries.find((entry) => entry.fn === fn)`; what is left to `trace.maxDepth`?',
  ],
  solution: () =>
    'The deepest point minus the depth of that entry:\n\n' +
    '```ts\n' +
    'import { type StackTrace } from "guardpage";\n\n' +
    'const answer = (trace: StackTrace, fn: string) =>\n' +
    '  trace.maxDepth - trace.entries.find((entry) => entry.fn === fn)!.depth;\n' +
    '```',
});

export const EXERCISES_03: ExercisesOf<Answers03> = [
  interrupt,
  lastField,
  frameSize,
  threadInfo,
  below,
];
