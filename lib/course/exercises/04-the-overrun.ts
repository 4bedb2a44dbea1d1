import type { Random } from '../../random';
import { kernelConfig, type Era } from '../../stack/config';
import { overrun, type OverrunOptions } from '../../stack/overrun';
import { TrialRunner, type TrialOptions } from '../../stack/trial';
import { isFunction, isListOf, isNumber, isText, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

type LogLoss = (shares: Record<string, number>, endings: readonly string[]) => number;

export interface Answers04 {
  '04-last-field': string;
  '04-who-looks': readonly number[];
  '04-silent-count': number;
  '04-log-loss': LogLoss;
}

const ERA_KERNELS = { '3.14': '8k', '3.15': '16k' } as const;
type EraKernel = keyof typeof ERA_KERNELS;

const fieldsOf = (kernel: EraKernel) =>
  kernelConfig(ERA_KERNELS[kernel], { kernel }).threadInfo.fields;

/** The field that holds the byte at `offset` of thread_info. */
const fieldAt = (kernel: EraKernel, offset: number): string =>
  fieldsOf(kernel).find((field) => offset >= field.offset && offset < field.offset + field.size)
    ?.name ?? 'padding';

const lastField = defineExercise({
  id: '04-last-field',
  title: 'The last field',
  draw: (random) => ({
    kernel: random.pick(['3.14', '3.15'] as const),
    at: random.pick([16, 17, 20, 22, 24, 26, 32, 34, 37]),
  }),
  task: ({ kernel, at }) =>
    `A recursion through dense frames on Linux ${kernel} writes every byte down to base + ${at} and returns. ` +
    'Which field of `thread_info` did it reach last?',
  expects: 'the name of a field, such as "task"',
  isAnswer: isText,
  answer: ({ kernel, at }) => fieldAt(kernel, at),
  misconceptions: [
    {
      name: 'counts from the other end',
      example: ({ kernel, at }) => fieldAt(kernel, 103 - at),
      says: () =>
        'You counted from the top of `thread_info` downwards. Offsets count from its lowest byte, which is the base of the stack.',
    },
    {
      name: 'reads the offset of the field above',
      example: ({ kernel, at }) => {
        const fields = fieldsOf(kernel);
        return fields[fields.findIndex(({ name }) => name === fieldAt(kernel, at)) + 1].name;
      },
      says: () => 'That field was overwritten too, but the overrun went on below it.',
    },
    {
      name: 'takes the lowest field of all',
      example: () => 'task',
      says: () =>
        '`task` lies at the very bottom. An overrun comes from above; this one stopped before it got there.',
    },
  ],
  hints: [
    () => 'Stacks grow down: the overrun meets the field with the largest offset first.',
    ({ kernel }) =>
      `\`kernelConfig("${ERA_KERNELS[kernel]}").threadInfo.fields\` lists name, offset and size of each field.`,
    ({ at }) => `Look for the field with offset ≤ ${at} < offset + size.`,
  ],
  solution: ({ kernel, at }) =>
    `The byte at offset ${at} belongs to \`${fieldAt(kernel, at)}\`; everything above it was overwritten before.\n\n` +
    '```ts\n' +
    'import { kernelConfig } from "guardpage";\n\n' +
    `const { fields } = kernelConfig("${ERA_KERNELS[kernel]}", { kernel: "${kernel}" }).threadInfo;\n` +
    `const answer = fields.find(({ offset, size }) => offset <= ${at} && ${at} < offset + size)?.name;\n` +
    '```',
});

interface Overrun {
  readonly text: string;
  readonly code: string;
  readonly options: OverrunOptions;
}

const CHECKED: OverrunOptions = {
  era: '16k',
  kernel: '6.1',
  stackEndCheck: true,
  neighbour: 'free',
};

const fourOverruns = (random: Random): readonly Overrun[] => {
  const [past, jump, poke] = [
    random.pick([512, 1024, 2048]),
    random.pick([256, 1024, 2824]),
    random.pick([8, 64, 1000]),
  ];
  return random.shuffle([
    {
      text: `recursion through dense frames to ${past} bytes below the base`,
      code: `past: ${past}, frames: "dense", frame: 128`,
      options: { past, frames: 'dense', frame: 128 },
    },
    {
      text: `one frame that lands ${jump} bytes below the base`,
      code: `jump: ${jump}`,
      options: { jump },
    },
    {
      text: `one store of 8 bytes, ${poke} bytes below the base`,
      code: `poke: ${poke}`,
      options: { poke },
    },
    { text: 'one store of 8 bytes, exactly at the base', code: 'poke: 0', options: { poke: 0 } },
  ]);
};

/** Each overrun is run once, however many learners there are. */
const sightings = new Map<string, boolean>();

function isSeen({ code, options }: Overrun): boolean {
  let seen = sightings.get(code);
  if (seen === undefined) {
    seen = overrun({ ...CHECKED, ...options }).detector === 'stack-end-check';
    sightings.set(code, seen);
  }
  return seen;
}

const numbersOf = (
  overruns: readonly Overrun[],
  wanted: (one: Overrun) => boolean,
): readonly number[] => overruns.flatMap((one, i) => (wanted(one) ? [i + 1] : []));

const sameNumbers = (one: readonly number[], other: readonly number[]) =>
  one.length === other.length && other.every((n) => one.includes(n));

const allOf = ({ overruns }: { overruns: readonly Overrun[] }) => numbersOf(overruns, () => true);
const recursionOf = ({ overruns }: { overruns: readonly Overrun[] }) =>
  numbersOf(overruns, ({ options }) => options.past !== undefined);

const whoLooks = defineExercise({
  id: '04-who-looks',
  title: 'What the end marker sees',
  draw: (random) => ({ overruns: fourOverruns(random) }),
  task: ({ overruns }) =>
    'Linux 6.1 with 16 KB stacks in the direct map, `SCHED_STACK_END_CHECK=y`, a free page below. Which of these are noticed by the check? ' +
    overruns.map(({ text }, i) => `(${i + 1}) ${text}`).join('; ') +
    '. On 6.1 the end marker is the lowest word of the stack.',
  expects: 'a list of numbers from 1 to 4, such as [1, 2]',
  isAnswer: isListOf(isWhole),
  answer: ({ overruns }) => numbersOf(overruns, isSeen),
  accept: (given, { overruns }) => sameNumbers(given, numbersOf(overruns, isSeen)),
  misconceptions: [
    {
      name: 'thinks that every overrun passes the marker',
      example: allOf,
      recognises: (given, values) => sameNumbers(given, allOf(values)),
      says: () =>
        'You let the check see all four. It compares one word with a constant; an overrun that leaves that word alone is invisible to it.',
    },
    {
      name: 'thinks that the check sees only recursion',
      example: recursionOf,
      recognises: (given, values) => sameNumbers(given, recursionOf(values)),
      says: () =>
        'The check does not know how a byte came to be changed. Which of the others touches the word that it reads?',
    },
  ],
  hints: [
    () => 'The check reads 8 bytes: those at the base of the stack. Which of the four write there?',
    () => 'A jump writes where it lands. What lies between is not written.',
    () =>
      'Run one: `overrun({ era: "16k", kernel: "6.1", stackEndCheck: true, poke: 64 }).detector`.',
  ],
  solution: ({ overruns }) =>
    `Noticed: ${numbersOf(overruns, isSeen).join(' and ')}. Dense recursion writes over the marker on its way down, a store at the base hits it; the other two never touch it.\n\n` +
    '```ts\n' +
    'import { overrun } from "guardpage";\n\n' +
    `const overruns = [${overruns.map(({ code }) => `{ ${code} }`).join(', ')}] as const;\n` +
    'const kernel = { era: "16k", kernel: "6.1", stackEndCheck: true, neighbour: "free" } as const;\n' +
    'const seen = overruns.map((one) => overrun({ ...kernel, ...one }).detector === "stack-end-check");\n' +
    'const answer = [1, 2, 3, 4].filter((n) => seen[n - 1]);\n' +
    '```',
});

const TRIALS = 99;
/** As recorded: its thread_info is not on the stack, so that the neighbour alone decides. */
const KERNEL = '6.1';

interface Count {
  readonly era: Era;
  readonly machine: number;
  readonly code: string;
  readonly options: TrialOptions;
}

const COUNTED: readonly Pick<Count, 'code' | 'options'>[] = [
  {
    code: '{ past: 512, frames: "dense", frame: 128 }',
    options: { past: 512, frames: 'dense', frame: 128 },
  },
  {
    code: '{ past: 1024, frames: "sparse", frame: 512 }',
    options: { past: 1024, frames: 'sparse', frame: 512 },
  },
  { code: '{ jump: 300 }', options: { jump: 300 } },
];

const counts = new Map<string, number>();

function silentOf({ era, machine, code, options }: Count): number {
  const key = `${era} ${machine} ${code}`;
  let silent = counts.get(key);
  if (silent === undefined) {
    const runner = new TrialRunner(kernelConfig(era, { kernel: KERNEL }), machine);
    silent = 0;
    for (let seed = 1; seed <= TRIALS; seed++) {
      if (runner.run(options, seed).outcome === 'silent') silent++;
    }
    counts.set(key, silent);
  }
  return silent;
}

const silentCount = defineExercise({
  id: '04-silent-count',
  title: 'Count the silent ones',
  draw: (random): Count => ({
    era: random.pick(['8k', '16k'] as const),
    machine: random.pick([1, 2]),
    ...random.pick(COUNTED),
  }),
  task: ({ era, machine, code }) =>
    `Do \`${code}\` ${TRIALS} times on machine ${machine} of era \`${era}\` with kernel ${KERNEL}, with the seeds 1 to ${TRIALS} and whatever neighbour comes. How many are silent?`,
  expects: `a whole number from 0 to ${TRIALS}`,
  isAnswer: isNumber,
  answer: silentOf,
  misconceptions: [
    {
      name: 'counts those that were noticed',
      example: (values) => TRIALS - silentOf(values),
      says: () => 'Those are the ones that somebody noticed.',
    },
    {
      name: 'answers with the share',
      example: (values) => silentOf(values) / TRIALS,
      says: () => 'That is the share. How many are it?',
    },
  ],
  hints: [
    () =>
      'A `TrialRunner` is a populated machine that goes back to where it was after each overrun: `new TrialRunner(kernelConfig(era, { kernel }), machine)`.',
    () => '`runner.run(options, seed)` gives the report of one trial; look at its `outcome`.',
    () =>
      'Loop over the seeds and count the reports whose `outcome` is `"silent"`. Leave `neighbour` out.',
  ],
  solution: (values) =>
    `${silentOf(values)} of ${TRIALS}.\n\n` +
    '```ts\n' +
    'import { kernelConfig, TrialRunner } from "guardpage";\n\n' +
    `const runner = new TrialRunner(kernelConfig("${values.era}", { kernel: "${KERNEL}" }), ${values.machine});\n` +
    'let answer = 0;\n' +
    `for (let seed = 1; seed <= ${TRIALS}; seed++) {\n` +
    `  if (runner.run(${values.code}, seed).outcome === "silent") answer++;\n` +
    '}\n' +
    '```',
});

const logLossOf: LogLoss = (shares, endings) =>
  endings.reduce((sum, ending) => sum - Math.log(shares[ending]), 0) / endings.length;

interface Predictions {
  readonly cases: readonly { shares: Record<string, number>; endings: readonly string[] }[];
}

const ENDINGS = ['immediate', 'delayed', 'silent'] as const;

function drawPredictions(random: Random): Predictions {
  const one = () => {
    const immediate = (1 + random.below(20)) / 100;
    const delayed = (25 + random.below(30)) / 100;
    const silent = Number((1 - immediate - delayed).toFixed(2));
    const endings = Array.from({ length: 3 + random.below(5) }, () => random.pick(ENDINGS));
    return { shares: { immediate, delayed, silent }, endings };
  };
  return { cases: [one(), one(), one()] };
}

const close = (one: unknown, other: number) =>
  typeof one === 'number' && Math.abs(one - other) < 1e-6;

/** Whether `given` gives about what `other` does, in every case. */
const agrees = (given: LogLoss, other: LogLoss, { cases }: Predictions): boolean =>
  cases.every(({ shares, endings }) =>
    close(given({ ...shares }, [...endings]), other(shares, endings)),
  );

const totalLoss: LogLoss = (shares, endings) => logLossOf(shares, endings) * endings.length;
const bits: LogLoss = (shares, endings) => logLossOf(shares, endings) / Math.LN2;
const negative: LogLoss = (shares, endings) => -logLossOf(shares, endings);
const lossOfMean: LogLoss = (shares, endings) =>
  -Math.log(endings.reduce((sum, ending) => sum + shares[ending], 0) / endings.length);

const logLoss = defineExercise({
  id: '04-log-loss',
  title: 'Write the log-loss',
  draw: drawPredictions,
  task: ({ cases: [{ shares, endings }] }) =>
    'Write a function of `shares`, the probability that was given to each ending, and `endings`, what really happened: ' +
    'the mean of −ln of the share of each. For ' +
    `\`${JSON.stringify(shares)}\` and \`${JSON.stringify(endings)}\` it gives ${logLossOf(shares, endings).toFixed(4)}.`,
  expects: 'a function of shares and endings that returns a number',
  isAnswer: isFunction<LogLoss>,
  answer: () => logLossOf,
  accept: (given, values) => agrees(given, logLossOf, values),
  misconceptions: [
    {
      name: 'sums instead of averaging',
      example: () => totalLoss,
      recognises: (given, values) => agrees(given, totalLoss, values),
      says: () => 'You added them up. More runs would then always look worse.',
    },
    {
      name: 'takes the logarithm to base 2',
      example: () => bits,
      recognises: (given, values) => agrees(given, bits, values),
      says: () => 'That is the loss in bits. This course uses the natural logarithm.',
    },
    {
      name: 'forgets the sign',
      example: () => negative,
      recognises: (given, values) => agrees(given, negative, values),
      says: () => 'The logarithm of a share is negative; a loss is not.',
    },
    {
      name: 'takes the logarithm of the mean',
      example: () => lossOfMean,
      recognises: (given, values) => agrees(given, lossOfMean, values),
      says: () =>
        'You averaged first and took the logarithm then. One ending that was thought impossible has to cost a lot, however many others were likely.',
    },
  ],
  hints: [
    () => '`Math.log` is the natural logarithm. `shares[ending]` is what was given to that ending.',
    () => 'Add −`Math.log(shares[ending])` for each ending, then divide by how many there are.',
  ],
  remark: () => 'It is what `agreement` does over the 152 recorded runs.',
  solution: () =>
    'A share of 1 costs nothing, a share of 1/e costs 1, a share of 0 costs without limit.\n\n' +
    '```ts\n' +
    'const answer = (shares: Record<string, number>, endings: readonly string[]): number =>\n' +
    '  endings.reduce((sum, ending) => sum - Math.log(shares[ending]), 0) / endings.length;\n' +
    '```',
});

export const EXERCISES_04: ExercisesOf<Answers04> = [lastField, whoLooks, silentCount, logLoss];
