import type { Random } from '../../random';
import { readVmallocinfo } from '../../experiments/own-machine/read-vmallocinfo';
import { kernelConfig } from '../../stack/config';
import { overrun, overrunScene } from '../../stack/overrun';
import { buildScene } from '../../stack/scene';
import { isBoolean, isFunction, isListOf, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

export interface Answers11 {
  '11-noticed': readonly boolean[];
  '11-gap': number;
  '11-probe': (rsp: bigint, frame: number) => bigint[];
}

interface Overflow {
  readonly kernel: string;
  readonly kind: 'recursion' | 'jump' | 'irq';
}

const TEXT: Readonly<Record<Overflow['kind'], string>> = {
  recursion: 'a function on a task’s stack calls itself for ever',
  jump: 'one frame ends 17,000 bytes below the base of a task’s stack and stores its lowest byte; the next lower stack lies 32 KB below',
  irq: 'the handler of a device interrupt takes 17,000 bytes of the IRQ stack',
};

const results = new Map<string, boolean>();

/** Each is run once: the same for every learner. */
function atOnce({ kernel, kind }: Overflow): boolean {
  const key = `${kernel} ${kind}`;
  let noticed = results.get(key);
  if (noticed === undefined) {
    noticed = run(kernel, kind) === 'immediate';
    results.set(key, noticed);
  }
  return noticed;
}

function run(kernel: string, kind: Overflow['kind']): string | null {
  if (kind === 'recursion') return overrun({ era: 'vmap', kernel }).phase;
  if (kind === 'jump')
    return overrun({ era: 'vmap', kernel, neighbour: 'stack', jump: 17_000 }).phase;
  const scene = buildScene(kernelConfig('vmap', { kernel }), { seed: 1, neighbour: 'any' });
  scene.machine.snapshot();
  scene.machine.irq.handlerDepth = 17_000;
  return overrunScene(scene, { irq: 4096 }).phase;
}

const OLD = ['4.9', '5.0'] as const;
const NEW = ['5.2', '6.1'] as const;

const noticed = defineExercise({
  id: '11-noticed',
  title: 'Noticed or not',
  draw: (random) => {
    const overflows: Overflow[] = [
      { kernel: random.pick(OLD), kind: 'irq' },
      { kernel: random.pick(NEW), kind: 'irq' },
      { kernel: random.pick(NEW), kind: 'jump' },
      { kernel: random.pick(OLD), kind: 'recursion' },
    ];
    const turn = random.below(4);
    return { overflows: [...overflows.slice(turn), ...overflows.slice(0, turn)] };
  },
  task: ({ overflows }) =>
    'All four kernels have `VMAP_STACK=y`. Which overflows does the machine notice while they happen? Answer with `true` or `false` for each, in this order:\n\n' +
    overflows.map(({ kernel, kind }) => `- ${kernel}: ${TEXT[kind]}`).join('\n'),
  expects: 'a list of four times true or false',
  isAnswer: isListOf(isBoolean),
  answer: ({ overflows }) => overflows.map(atOnce),
  misconceptions: [
    {
      name: 'believes that VMAP_STACK sees every overflow',
      example: ({ overflows }) => overflows.map(() => true),
      says: () =>
        'Four times yes. A guard page lies below some stacks and not below others, and it must be touched.',
    },
    {
      name: 'believes that only tasks ever got guard pages',
      example: ({ overflows }) => overflows.map(({ kind }) => kind === 'recursion'),
      says: () =>
        'You let only the task’s stack have a guard. That was so at first; look at the later columns of the figure.',
    },
    {
      name: 'believes that the IRQ stack had its guard from the start',
      example: ({ overflows }) => overflows.map(({ kind }) => kind !== 'jump'),
      says: () =>
        'You give the IRQ stack its guard from 4.9 on. It came later than that of the tasks.',
    },
    {
      name: 'believes that a guard page cannot be jumped',
      example: ({ overflows }) =>
        overflows.map(
          ({ kernel, kind }) => kind !== 'irq' || (NEW as readonly string[]).includes(kernel),
        ),
      says: () =>
        'You let the guard page catch the large frame. Compare where its lowest byte lies with where the guard page ends.',
    },
  ],
  hints: [
    () => 'For each: is there a page without memory, and is it touched?',
    () => 'Guard pages: tasks since 4.9, the IRQ stack since 5.2. A guard page is 4096 bytes.',
  ],
  solution: ({ overflows }) =>
    `${overflows.map((one) => `- ${one.kernel}, ${one.kind}: ${atOnce(one)}`).join('\n')}\n\n` +
    'The IRQ stack has a guard page since 5.2, and 17,000 bytes below the base lies the top of the next stack.\n\n' +
    '```ts\n' +
    'import { experiment } from "guardpage";\n\n' +
    'const { rows } = experiment("other-stacks").run({}, 1).table;\n' +
    'const irq = (kernel: string) => rows.some((row) => row.kernel === kernel && row.stack === "IRQ" && row.noticed === "at once");\n' +
    `const answer = [${overflows
      .map(({ kernel, kind }) =>
        kind === 'irq' ? `irq("${kernel}")` : kind === 'jump' ? '17000 <= 4096' : 'true',
      )
      .join(', ')}];\n` +
    '```',
});

const PAGE = 4096;
const hex = (address: bigint) => `0x${address.toString(16)}`;

/** Lines of two neighbours: some area, and a stack so many pages above its end. */
function drawNeighbours(random: Random): readonly string[] {
  const stack = 0xffffc90000000000n + 0x8000n * BigInt(64 + random.below(2000));
  const pages = random.pick([1, 2, 3, 8, 16] as const);
  const gap = random.pick([2, 3, 5, 6, 7] as const);
  const lower = stack - BigInt(PAGE * (gap + pages));
  const line = (at: bigint, n: number, who: string) =>
    `${hex(at)}-${hex(at + BigInt(PAGE * (n + 1)))} ${String(PAGE * (n + 1)).padStart(7)} ${who} pages=${n} vmalloc N0=${n}`;
  return [
    line(lower, pages, 'bpf_prog_alloc_no_stats+0x31/0x1f0'),
    line(stack, 4, 'kernel_clone+0xbf/0x430'),
  ];
}

/** First and last address of a line, and the size. */
const fieldsOf = (line: string) => {
  const [, first, last, size] = /^(0x\w+)-(0x\w+)\s+(\d+)/.exec(line)!;
  return { first: BigInt(first), last: BigInt(last), size: Number(size) };
};

const gap = defineExercise({
  id: '11-gap',
  title: 'How much nothing',
  draw: (random) => ({ lines: drawNeighbours(random) }),
  task: ({ lines }) =>
    `These are neighbours in somebody's \`/proc/vmallocinfo\`; the second is a kernel stack:\n\n${lines.map((line) => `- \`${line}\``).join('\n')}\n\n` +
    'How many bytes below the base of the stack have no memory? The addresses of a line include the guard page at the upper end of its area.',
  expects: 'a whole number of bytes',
  isAnswer: isWhole,
  answer: ({ lines }) => readVmallocinfo(lines.join('\n')).stacks[0].below ?? NaN,
  misconceptions: [
    {
      name: 'takes the guard page for all there is',
      example: () => PAGE,
      says: () =>
        'A guard page is all that is promised. Here there is more; look where the lower area ends.',
    },
    {
      name: 'takes the hole for empty',
      example: () => 4 * PAGE,
      says: () =>
        'That is what lies between two stacks side by side. Here the lower neighbour is no stack.',
    },
    {
      name: 'forgets the guard of the lower area',
      example: ({ lines }) => Number(fieldsOf(lines[1]).first - fieldsOf(lines[0]).last),
      says: () =>
        'You subtract the end that is printed. The last page before it is part of the area and has no memory.',
    },
    {
      name: 'subtracts the beginnings',
      example: ({ lines }) => Number(fieldsOf(lines[1]).first - fieldsOf(lines[0]).first),
      says: () =>
        'That is from the beginning of the one to the beginning of the other. The lower area has memory, too.',
    },
  ],
  hints: [
    () => 'From the base of the stack down to the last byte of the lower area that has memory.',
    () =>
      'The lower area has `pages=` pages of memory from its first address on; the guard comes after.',
  ],
  solution: ({ lines }) =>
    'The base of the stack, minus the end that is printed for the lower area, plus its guard page of 4096 bytes.\n\n' +
    '```ts\n' +
    'import { readVmallocinfo } from "guardpage";\n\n' +
    `const text = ${JSON.stringify(lines)}.join("\\n");\n` +
    'const answer = readVmallocinfo(text).stacks[0].below;\n' +
    '```',
});

/** No stretch of a page's length is left untouched, and nothing outside the frame is touched. */
function probesAll(touched: unknown, rsp: bigint, frame: number): boolean {
  if (!Array.isArray(touched) || !touched.every((at) => typeof at === 'bigint')) return false;
  const lowest = rsp - BigInt(frame);
  const places = [...(touched as bigint[])].sort((a, b) => (a > b ? -1 : a < b ? 1 : 0));
  if (places.some((at) => at < lowest || at >= rsp)) return false;
  let last = rsp;
  for (const at of [...places, lowest]) {
    if (last - at > BigInt(PAGE)) return false;
    last = at;
  }
  return true;
}

/** An address for each step down. */
const everyStep = (step: number) => (rsp: bigint, frame: number) => {
  const touched: bigint[] = [];
  for (let down = step; down <= frame; down += step) touched.push(rsp - BigInt(down));
  return touched;
};

const probe = defineExercise({
  id: '11-probe',
  title: 'Probe it',
  draw: (random) => ({
    rsp: 0xffffc90000590000n + 16n * BigInt(20 + random.below(800)),
    frames: [8 * (600 + random.below(900)), 8 * (2100 + random.below(3000))],
  }),
  task: ({ rsp, frames }) =>
    'Write a function of RSP and the size of a frame in bytes that returns the addresses to touch, from RSP down, so that the frame can pass no guard page: ' +
    'no stretch of more than 4096 bytes between RSP and the lowest byte of the frame may lie between two touches. Touch only bytes of the frame. ' +
    `It will be tried with RSP \`${hex(rsp)}\` and frames of ${frames.join(' and ')} bytes, with frames of one page more or less, and with small ones.`,
  expects: 'a function from a bigint and a number to a list of bigints',
  isAnswer: isFunction<(rsp: bigint, frame: number) => bigint[]>,
  cases: ({ rsp, frames }) =>
    [...frames, 64, 4096, 4104, 8192, 8200, 20480].map((frame) => [rsp, frame]),
  accept: (given, { rsp, frames }) =>
    [...frames, 64, 4096, 4104, 8192, 8200, 20480].every((frame) =>
      probesAll(given(rsp, frame), rsp, frame),
    ),
  answer: () => everyStep(PAGE),
  misconceptions: [
    {
      name: 'touches the lowest byte only',
      example: () => (rsp, frame) => [rsp - BigInt(frame)],
      says: () =>
        'Your function touches the lowest byte only. That is what frames do anyway, and how they pass a guard page.',
    },
    {
      name: 'touches every second page',
      example: () => everyStep(2 * PAGE),
      says: () => 'Your function leaves 8192 bytes between two touches. A guard page has 4096.',
    },
    {
      name: 'goes up instead of down',
      example: () => (rsp, frame) => {
        const touched: bigint[] = [];
        for (let up = PAGE; up <= frame; up += PAGE) touched.push(rsp + BigInt(up));
        return touched;
      },
      says: () => 'Your function goes up from RSP. Stacks grow down.',
    },
  ],
  hints: [
    () => 'Go down from RSP in steps that no guard page fits between.',
    () =>
      'A loop: down = 4096, 8192 … as long as it is not larger than the frame; touch RSP − down.',
  ],
  solution: () =>
    'One touch a page is enough: two of them are never more than a guard page apart.\n\n' +
    '```ts\n' +
    'const answer = (rsp: bigint, frame: number): bigint[] => {\n' +
    '  const touched: bigint[] = [];\n' +
    '  for (let down = 4096; down <= frame; down += 4096) touched.push(rsp - BigInt(down));\n' +
    '  return touched;\n' +
    '};\n' +
    '```',
});

export const EXERCISES_11: ExercisesOf<Answers11> = [noticed, gap, probe];
