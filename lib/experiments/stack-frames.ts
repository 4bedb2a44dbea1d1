import recorded from '../data/recorded-stacks.json';
import { Random } from '../random';
import { defineExperiment } from './experiment';
import { SCATTER_MEMORIES, takeStacks } from './scattered-stacks';
import { EVIDENCE, round, type Row } from './table';

/** The two memories of which page frames were recorded. */
const MEMORIES = SCATTER_MEMORIES.slice(0, 2);

const RECORDED: Readonly<Record<string, readonly (readonly number[])[]>> = {
  fresh: recorded.fresh,
  fragmented: recorded.fragmented,
};

/** `npx guardpage experiment stack-frames` */
export const stackFrames = defineExperiment({
  name: 'stack-frames',
  title: 'Where the four pages of a stack lie',
  question:
    'Which page frames are behind each of the first stacks, in fresh and in fragmented memory?',
  parameters: {
    stacks: {
      kind: 'number',
      description: 'stacks looked at in each memory',
      default: 32,
      min: 4,
      max: 40,
    },
  },
  notes: [
    'Model: as in stack-scatter. Recorded: the first stacks of a burst of 500 on a 6.1.192 guest of 256 MiB. Which memory is free where depends on all that happened before: the height of the model’s stacks in the picture means nothing, their pattern does.',
  ],
  table: ({ stacks }, seed) => {
    const random = new Random(seed);
    return {
      columns: [
        EVIDENCE,
        { key: 'memory', label: 'memory' },
        { key: 'stack', label: 'stack' },
        { key: 'page', label: 'page of the stack' },
        { key: 'pfn', label: 'page frame' },
        { key: 'mib', label: 'physical address', unit: 'MiB' },
      ],
      rows: MEMORIES.flatMap((memory): Row[] => [
        ...framesOf('model', memory.label, takeStacks(memory, stacks, random)),
        ...framesOf('recorded', memory.label, RECORDED[memory.recorded].slice(0, stacks)),
      ]),
    };
  },
});

function framesOf(
  evidence: 'model' | 'recorded',
  memory: string,
  stacks: readonly (readonly number[])[],
): Row[] {
  return stacks.flatMap((pfns, stack) =>
    pfns.map((pfn, page) => ({
      evidence,
      memory,
      stack: stack + 1,
      page,
      pfn,
      mib: round(pfn / 256, 4),
    })),
  );
}
