import type { Random } from '../../random';
import { isFault } from '../../x86/fault';
import { kernelConfig } from '../../stack/config';
import { overrun } from '../../stack/overrun';
import { buildScene, type Scene } from '../../stack/scene';
import { isBigint, isFunction, isListOf, isOneOf } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

type Victim = 'task' | 'machine';
type Handler = '#PF' | '#DF';

export interface Answers09 {
  '09-cr2': bigint;
  '09-who-dies': readonly Victim[];
  '09-handler': (base: bigint, rsp: bigint) => Handler;
}

const hex = (address: bigint) => `0x${address.toString(16)}`;

/** A stack on a machine of its own, on which RSP can be put anywhere. Made when it is first needed. */
let scene: Scene | undefined;

/** CR2 and the handler after a load from the guard page of a stack, `below` bytes under its base. */
function deliver(fromBase: bigint, below: bigint): { cr2: bigint; handler: Handler } {
  scene ??= buildScene(kernelConfig('vmap'), { seed: 1, neighbour: 'any' });
  const { machine, chosen } = scene;
  const { cpu } = machine;
  const before = cpu.snapshot();
  const base = chosen.task.stack;
  cpu.rsp = base + fromBase;
  const fault = cpu.load64(base - below);
  if (!isFault(fault)) throw new Error('the guard page is mapped');
  const delivery = cpu.raise(fault);
  const result = {
    cr2: cpu.cr2 - base,
    handler: delivery.kind === 'handler' && delivery.vector === 14 ? '#PF' : '#DF',
  } as const;
  cpu.restore(before);
  return result;
}

/** A base that a vmalloc’ed stack may have. */
const drawBase = (random: Random) => 0xffffc90000000000n + 0x8000n * BigInt(1 + random.below(4000));

const readCr2 = defineExercise({
  id: '09-cr2',
  title: 'Read CR2 backwards',
  draw: (random) => ({
    base: drawBase(random),
    // Below the base, and no multiple of 16.
    rsp: -(16n * BigInt(4 + random.below(100)) + 8n),
  }),
  task: ({ base, rsp }) =>
    `On 6.1 the stack at \`${hex(base)}\` overflows: RSP is \`${hex(base + rsp)}\`, and the instruction loads from ` +
    `\`${hex(base + rsp + 8n)}\`. What does CR2 hold when the kernel prints it?`,
  expects: 'an address as a bigint, such as 0xffffc900000bff00n',
  isAnswer: isBigint,
  answer: ({ base, rsp }) => base + deliver(rsp, -(rsp + 8n)).cr2,
  misconceptions: [
    {
      name: 'takes the program’s own access',
      example: ({ base, rsp }) => base + rsp + 8n,
      says: () =>
        'That is what the program loaded from, and for a moment CR2 did hold it. Then a second fault came.',
    },
    {
      name: 'forgets that RSP is rounded down',
      example: ({ base, rsp }) => base + rsp - 8n,
      says: () =>
        'You push at RSP as it stands. The CPU does something with RSP before it pushes a frame.',
    },
    {
      name: 'takes the last of the six words',
      example: ({ base, rsp }) => base + (rsp & ~15n) - 48n,
      says: () => 'That is where the error code would go. The CPU does not get that far.',
    },
    {
      name: 'takes the address just below the base',
      example: ({ base }) => base - 8n,
      says: () =>
        'Base − 8 is right only while RSP is still above the base. Here it is below: the first push fails at once.',
    },
    {
      name: 'answers with RSP',
      example: ({ base, rsp }) => base + rsp,
      says: () => 'That is RSP. A push lowers it first and then stores.',
    },
  ],
  hints: [
    () =>
      'RSP is below the base, so the page fault’s frame can’t be pushed. CR2 belongs to the push that failed.',
    () =>
      'In 64-bit mode the CPU rounds RSP down to a multiple of 16 before it pushes a frame (SDM vol. 3, 6.14.2). The words go down from there.',
    ({ base, rsp }) =>
      `RSP & ~15 is \`${hex(base + (rsp & ~15n))}\`. The first word lies 8 bytes lower.`,
  ],
  remark: () => '(RSP & ~15) − 8: the first word of the page fault’s frame.',
  solution: ({ base, rsp }) =>
    `CR2 is the word of the frame that could not be pushed: \`(RSP & ~15) − 8\` = \`${hex(base + (rsp & ~15n) - 8n)}\`. The CPU says so too:\n\n` +
    '```ts\n' +
    'import { overrun } from "guardpage";\n\n' +
    `const base = ${hex(base)}n;\n` +
    `const answer = overrun({ era: "vmap", stackBase: base, peek: ${-(rsp + 8n)}, rsp: ${hex(base + rsp)}n }).cr2;\n` +
    '```',
});

const OLD = ['4.9', '4.20', '5.7'] as const;
const NEW = ['5.8', '6.1', '6.19'] as const;

interface Hit {
  readonly kernel: string;
  readonly recursion: boolean;
  readonly panicOnOops: boolean;
}

const victims = new Map<string, Victim>();

function victimOf({ kernel, recursion, panicOnOops }: Hit): Victim {
  const key = `${kernel} ${recursion} ${panicOnOops}`;
  let victim = victims.get(key);
  if (victim === undefined) {
    const what = recursion ? {} : { poke: 8 };
    const { machine } = overrun({ era: 'vmap', kernel, panicOnOops, ...what });
    victim = machine === 'alive' ? 'task' : 'machine';
    victims.set(key, victim);
  }
  return victim;
}

const hitText = ({ kernel, recursion, panicOnOops }: Hit) =>
  `${kernel}, ${recursion ? 'a recursion runs into the guard page' : 'one store to the guard page, RSP inside the stack'}, panic_on_oops=${panicOnOops ? 1 : 0}`;

const whoDies = defineExercise({
  id: '09-who-dies',
  title: 'Four machines',
  draw: (random) => {
    const old = random.pick(OLD);
    const hits: Hit[] = [
      { kernel: old, recursion: true, panicOnOops: false },
      { kernel: random.pick(NEW), recursion: true, panicOnOops: false },
      { kernel: random.pick(NEW), recursion: false, panicOnOops: false },
      { kernel: random.pick(OLD), recursion: false, panicOnOops: true },
    ];
    const order = random.below(4);
    return { hits: [...hits.slice(order), ...hits.slice(0, order)] };
  },
  task: ({ hits }) =>
    `Who dies? Answer with four words, \`"task"\` or \`"machine"\`, in this order:\n\n${hits.map((hit) => `- ${hitText(hit)}`).join('\n')}`,
  expects: 'a list of four words, each "task" or "machine"',
  isAnswer: isListOf(isOneOf<Victim>('task', 'machine')),
  answer: ({ hits }) => hits.map(victimOf),
  misconceptions: [
    {
      name: 'believes that the guard page always kills the process alone',
      example: ({ hits }) => hits.map((): Victim => 'task'),
      says: () =>
        'The task alone, four times: that was the intention. One of the four comes as a double fault on a kernel that treats it like an NMI, and one machine was told what to do about an oops.',
    },
    {
      name: 'believes that newer kernels always panic',
      example: ({ hits }) =>
        hits.map(({ kernel, panicOnOops }): Victim =>
          panicOnOops || (NEW as readonly string[]).includes(kernel) ? 'machine' : 'task',
        ),
      says: () =>
        'You go by the version alone. On the newer kernels it also matters which exception was delivered, and that depends on where RSP was.',
    },
    {
      name: 'believes that a recursion always panics',
      example: ({ hits }) =>
        hits.map(({ recursion, panicOnOops }): Victim =>
          recursion || panicOnOops ? 'machine' : 'task',
        ),
      says: () =>
        'You go by the way it came alone. The handler of the double fault has not always run like an NMI.',
    },
    {
      name: 'forgets panic_on_oops',
      example: ({ hits }) => hits.map((hit): Victim => victimOf({ ...hit, panicOnOops: false })),
      says: () => 'One of the machines has `panic_on_oops=1`: there every oops ends the machine.',
    },
  ],
  hints: [
    () => 'For each: does the page fault’s frame fit (#PF), or not (#DF)?',
    () => 'Then: in which version did the handler of #DF begin to run like an NMI?',
    () => '#DF since 5.8: the machine. Otherwise the task, unless `panic_on_oops` is set.',
  ],
  solution: ({ hits }) =>
    `${hits.map((hit) => `- ${hitText(hit)}: the ${victimOf(hit)}`).join('\n')}\n\n` +
    'Only #DF on 5.8 and later panics by itself; `panic_on_oops` makes every oops a panic.\n\n' +
    '```ts\n' +
    'import { overrun } from "guardpage";\n\n' +
    `const answer = [\n${hits
      .map(
        ({ kernel, recursion, panicOnOops }) =>
          `  overrun({ era: "vmap", kernel: "${kernel}", panicOnOops: ${panicOnOops}${recursion ? '' : ', poke: 8'} }),\n`,
      )
      .join('')}].map(({ machine }) => (machine === "alive" ? "task" : "machine"));\n` +
    '```',
});

const FRAME = 48n;

const whichHandler = defineExercise({
  id: '09-handler',
  title: 'Which handler',
  draw: (random) => ({
    base: drawBase(random),
    more: [-8n * BigInt(1 + random.below(500)), 8n * BigInt(7 + random.below(500))],
  }),
  task: ({ base, more }) =>
    'Write a function of the base of a stack and of RSP, both bigint, that says whose handler runs first when the code loads from the guard page: ' +
    `\`"#PF"\` or \`"#DF"\`. It will be tried on the stack at \`${hex(base)}\` with RSP ${more
      .map((offset) => (offset < 0n ? `${-offset} bytes below` : `${offset} bytes above`))
      .join(' and ')} the base, and with every multiple of 8 near the base.`,
  expects: 'a function of two bigints that returns "#PF" or "#DF"',
  isAnswer: isFunction<(base: bigint, rsp: bigint) => Handler>,
  cases: ({ base, more }) =>
    [...more, -16n, -8n, 0n, 8n, 16n, 24n, 32n, 40n, 48n, 56n, 64n].map((offset) => [
      base,
      base + offset,
    ]),
  answer: () => (base, rsp) => deliver(rsp - base, 512n).handler,
  misconceptions: [
    {
      name: 'asks only whether RSP is inside the stack',
      example: () => (base, rsp) => (rsp < base ? '#DF' : '#PF'),
      says: () =>
        'Your function asks whether RSP is inside the stack. The frame of the page fault needs room below RSP.',
    },
    {
      name: 'asks for room for one word',
      example: () => (base, rsp) => (rsp - 8n < base ? '#DF' : '#PF'),
      says: () =>
        'Your function makes room for one word. How many does the CPU push for a page fault?',
    },
    {
      name: 'forgets the error code and that RSP is rounded down',
      example: () => (base, rsp) => (rsp - 40n < base ? '#DF' : '#PF'),
      says: () =>
        'Your function makes room for five words, counted from RSP as it is: SS, RSP, RFLAGS, CS, RIP. A page fault has one more.',
    },
  ],
  hints: [
    () => 'The CPU pushes six words of eight bytes below RSP. All of them must lie in the stack.',
    () =>
      'RSP is rounded down to a multiple of 16 first. Since 48 is a multiple of 16, that changes nothing about whether they fit.',
  ],
  solution: () =>
    'Six words must fit between the base and RSP, rounded down to 16.\n\n' +
    '```ts\n' +
    'const answer = (base: bigint, rsp: bigint): "#PF" | "#DF" =>\n' +
    `  (rsp & ~15n) - ${FRAME}n < base ? "#DF" : "#PF";\n` +
    '```',
});

export const EXERCISES_09: ExercisesOf<Answers09> = [readCr2, whoDies, whichHandler];
