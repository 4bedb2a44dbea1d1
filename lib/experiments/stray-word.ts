import { Random } from '../random';
import { runAndObserve } from '../stack/aftermath';
import { kernelConfig } from '../stack/config';
import type { Machine } from '../stack/machine';
import { buildScene } from '../stack/scene';
import { stackContents, type StackItem } from '../stack/stack-contents';
import type { Task } from '../stack/task';
import { WriteWatch } from '../stack/write-watch';
import { defineExperiment } from './experiment';
import { EVIDENCE, type Row } from './table';

/** What is stored: no canonical address, no small number. */
const STRAY = 0x4141414141414141n;

/** `npx guardpage experiment stray-word` */
export const strayWord = defineExperiment({
  name: 'stray-word',
  title: 'One wrong word inside a stack',
  question:
    'One word in the frames of a sleeping thread is overwritten: which words are noticed, by what, and does the stack protector help?',
  parameters: {
    kernel: {
      kind: 'choice',
      description: 'kernel version',
      default: '6.1',
      choices: ['4.9', '5.8', '6.1', '6.19'],
    },
    words: {
      kind: 'number',
      description: 'words overwritten in a row, upwards',
      default: 1,
      min: 1,
      max: 32,
    },
  },
  notes: [
    'Model: each word between the stack pointer of a sleeping thread and its pt_regs in turn, and those above it if there are to be more than one, is overwritten with 0x4141414141414141 through a wild pointer; then 5 s of load, the thread is woken and ends. Every store lies inside the stack, so that no guard page can see it.',
    'The canaries stand where the compiler put them in the recorded probe module: in functions with an array or an alloca. Kernel threads only; in other threads other words matter.',
  ],
  table: ({ kernel, words }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'protector', label: 'STACKPROTECTOR' },
      { key: 'at', label: 'lowest word, from the top', unit: 'bytes' },
      { key: 'what', label: 'what it is' },
      { key: 'noticed', label: 'noticed' },
      { key: 'by', label: 'by' },
      { key: 'machine', label: 'machine' },
    ],
    rows: [false, true].flatMap((protector) => strays(kernel, words, protector, seed)),
  }),
});

function strays(kernel: string, count: number, stackProtector: boolean, seed: number): Row[] {
  const config = kernelConfig('vmap', { kernel, stackProtector });
  const scene = buildScene(config, { seed, neighbour: 'any' });
  const { machine, chosen } = scene;
  const { task } = chosen;
  const words = liveWords(machine, task);
  machine.snapshot();
  return words.map(({ offset, what }): Row => {
    machine.restore(new Random(seed));
    const report = runAndObserve(scene, task, new WriteWatch(), () => {
      for (let at = offset; at < Math.min(offset + 8 * count, config.THREAD_SIZE); at += 8)
        machine.cpu.store64(task.stack + BigInt(at), STRAY);
    });
    return {
      evidence: 'model',
      protector: stackProtector ? 'y' : 'n',
      at: config.THREAD_SIZE - offset,
      what,
      noticed: report.phase === null ? 'never' : report.phase === 'immediate' ? 'at once' : 'later',
      by: report.detector ?? (report.phase === null ? 'nobody' : 'a stop'),
      machine: report.machine,
    };
  });
}

interface Word {
  readonly offset: number;
  readonly what: string;
}

/** The words in use, from the stack pointer up to pt_regs. */
function liveWords(m: Machine, task: Task): Word[] {
  return stackContents(m, task)
    .filter(({ kind }) => kind === 'frame' || kind === 'switched registers')
    .flatMap((item) => wordsOf(m, task, item))
    .sort((a, b) => a.offset - b.offset);
}

function wordsOf(m: Machine, task: Task, { kind, name, offset, bytes }: StackItem): Word[] {
  return Array.from({ length: bytes / 8 }, (_, i) => {
    const at = offset + 8 * i;
    if (kind !== 'frame') return { offset: at, what: 'register saved by the switch' };
    if (i === 0) return { offset: at, what: `return address into ${name}` };
    const value = m.peek64(task.stack + BigInt(at)) ?? 0n;
    const fn = m.text.find(value);
    return { offset: at, what: fn ? `pointer to ${fn.name} in ${name}` : `local of ${name}` };
  });
}
