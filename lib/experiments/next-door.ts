import recorded from '../data/recorded-overruns.json';
import { Random } from '../random';
import type { PageClass } from '../mm/page-info';
import { kernelConfig } from '../stack/config';
import { Machine } from '../stack/machine';
import { MEMORY_PROFILES, populate, type MemoryProfile } from '../stack/population';
import { pfnOf, type NeighbourKind } from '../stack/scene';
import { defineExperiment } from './experiment';
import { shareOf } from './statistics';
import { EVIDENCE, type Row } from './table';
import { SEEDS } from './trials';
import { NEIGHBOUR_LABELS } from './victim-by-neighbour';

type Neighbour = Exclude<NeighbourKind, 'any'>;

/** The recordings know seven kinds: everything else that belongs to the kernel is 'other'. */
const KIND_OF: Partial<Record<PageClass, Neighbour>> = {
  stack: 'stack',
  slab: 'slab',
  free: 'free',
  pcp: 'free',
  anon: 'anon',
  pagetable: 'pagetable',
  file: 'file',
};

/** As the recordings name them. */
const MEMORY_LABELS: Readonly<Record<MemoryProfile, string>> = {
  light: 'light load',
  fragmented: 'half of user memory freed',
};

/** `npx guardpage experiment next-door` */
export const nextDoor = defineExperiment({
  name: 'next-door',
  title: 'Who lives below a stack',
  question: 'Whose page lies just below a kernel stack in the direct map?',
  parameters: {
    machines: {
      kind: 'number',
      description: 'machines populated for each size of stack and state of memory',
      default: 12,
      min: 1,
      max: 500,
    },
  },
  notes: [
    'Model: 40 to 79 threads a machine, started after programs, files and page tables are there; only stacks that lie where the allocator put them. Half freed: a program took nine tenths of the free memory and gave back every second run of 64 pages.',
    'Recorded: kernel threads started in bursts of up to 500 on 6.1.192 guests with VMAP_STACK=n, after light load and after half of user memory was freed. Intervals (95 %, Wilson) take the stacks for independent, which those of one boot are not: they are too narrow.',
  ],
  table: ({ machines }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'stack', label: 'stack' },
      { key: 'memory', label: 'memory' },
      { key: 'neighbour', label: 'page below' },
      { key: 'count', label: 'count' },
      { key: 'n', label: 'of' },
      { key: 'share', label: 'share' },
      { key: 'low', label: 'from' },
      { key: 'high', label: 'to' },
    ],
    rows: [
      ...MEMORY_PROFILES.flatMap((memory) =>
        ([1, 2] as const).flatMap((order) => modelRows(order, memory, machines, new Random(seed))),
      ),
      ...recorded.belowStacks.flatMap((row) =>
        rowsOf('recorded', row.order, row.memory, row, row.n),
      ),
    ],
  }),
});

function modelRows(order: 1 | 2, memory: MemoryProfile, machines: number, random: Random): Row[] {
  const counts = { stack: 0, slab: 0, free: 0, anon: 0, pagetable: 0, file: 0, other: 0 };
  let n = 0;
  for (let i = 0; i < machines; i++) {
    const config = kernelConfig(order === 1 ? '8k' : '16k');
    const machine = new Machine(config, { seed: random.below(SEEDS) });
    for (const probe of populate(machine, memory).natural) {
      const below = machine.pageAllocator.pageInfo.classOf(pfnOf(machine, probe) - 1);
      counts[KIND_OF[below] ?? 'other']++;
      n++;
    }
  }
  return rowsOf('model', order, MEMORY_LABELS[memory], counts, n);
}

function rowsOf(
  evidence: 'model' | 'recorded',
  order: number,
  memory: string,
  counts: Readonly<Record<Neighbour, number>>,
  n: number,
): Row[] {
  return NEIGHBOUR_LABELS.map(([neighbour, label]) => ({
    evidence,
    stack: order === 1 ? '8 KB' : '16 KB',
    memory,
    neighbour: label,
    count: counts[neighbour],
    n,
    ...shareOf(counts[neighbour], n),
  }));
}
