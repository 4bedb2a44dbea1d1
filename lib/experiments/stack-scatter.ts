import recorded from '../data/recorded-stacks.json';
import { Random } from '../random';
import { defineExperiment } from './experiment';
import { runsOf, SCATTER_MEMORIES, takeStacks } from './scattered-stacks';
import { shareOf } from './statistics';
import { EVIDENCE, round, type Row } from './table';

const RECORDED = recorded.counts;

/** `npx guardpage experiment stack-scatter` */
export const stackScatter = defineExperiment({
  name: 'stack-scatter',
  title: 'Do the four pages of a stack lie together?',
  question: 'How often are the pages of a vmalloc’ed stack contiguous in physical memory?',
  parameters: {
    stacks: {
      kind: 'number',
      description: 'stacks taken in each memory',
      default: 400,
      min: 10,
      max: 600,
    },
  },
  notes: [
    'Model: 6.1 with per-CPU lists, a kernel thread’s slab objects taken beside each stack; no other load. What happened before is what happened on the recorded guests: nearly all memory taken page by page and one page of each pair given back; in the 256 MiB guest 500 threads had come and gone before that.',
    'Recorded: 6.1.192 guests of this project. Intervals: 95 %, Wilson.',
  ],
  table: ({ stacks }, seed) => {
    const random = new Random(seed);
    return {
      columns: [
        EVIDENCE,
        { key: 'memory', label: 'memory' },
        { key: 'stacks', label: 'stacks' },
        { key: 'contiguous', label: 'contiguous' },
        { key: 'share', label: 'share' },
        { key: 'low', label: 'from' },
        { key: 'high', label: 'to' },
        { key: 'runs', label: 'physical runs of a stack, mean' },
      ],
      rows: SCATTER_MEMORIES.flatMap((memory): Row[] => {
        const taken = takeStacks(memory, stacks, random);
        const contiguous = taken.filter((pfns) => runsOf(pfns) === 1).length;
        const runs = taken.reduce((sum, pfns) => sum + runsOf(pfns), 0) / taken.length;
        const real = RECORDED[memory.recorded];
        return [
          {
            evidence: 'model',
            memory: memory.label,
            stacks: taken.length,
            contiguous,
            ...shareOf(contiguous, taken.length),
            runs: round(runs, 2),
          },
          {
            evidence: 'recorded',
            memory: memory.label,
            stacks: real.n,
            contiguous: real.contiguous,
            ...shareOf(real.contiguous, real.n),
            runs: null,
          },
        ];
      }),
    };
  },
});
