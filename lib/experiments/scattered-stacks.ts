import type { Random } from '../random';
import { isVmallocFailure, type VmStruct } from '../mm/vm-struct';
import { bareMachine, type BareMachine } from './bare-machine';
import { fragment } from './fragment';
import { threadObjects } from './thread-objects';

/** Memory as it was when stacks were taken from it on the recorded guests. */
export interface ScatterMemory {
  readonly label: string;
  readonly ramMiB: number;
  /** Who holds one page of each pair; nobody in fresh memory. */
  readonly pages: 'user' | 'kernel' | null;
  /** Pages that the fragmenting program left alone. */
  readonly spare: number;
  /** So many threads had come and gone before. */
  readonly threadsBefore: number;
  /** Its key in the recording. */
  readonly recorded: 'fresh' | 'fragmented' | 'userFragmented64' | 'kernelFragmented64';
}

export const SCATTER_MEMORIES: readonly ScatterMemory[] = [
  {
    label: 'fresh, 256 MiB',
    ramMiB: 256,
    pages: null,
    spare: 0,
    threadsBefore: 0,
    recorded: 'fresh',
  },
  {
    label: 'user pages between, 256 MiB',
    ramMiB: 256,
    pages: 'user',
    // The program touched 150 MiB.
    spare: 20_000,
    threadsBefore: 500,
    recorded: 'fragmented',
  },
  {
    label: 'user pages between, 64 MiB',
    ramMiB: 64,
    pages: 'user',
    spare: 1600,
    threadsBefore: 0,
    recorded: 'userFragmented64',
  },
  {
    label: 'kernel pages between, 64 MiB',
    ramMiB: 64,
    pages: 'kernel',
    spare: 1600,
    threadsBefore: 0,
    recorded: 'kernelFragmented64',
  },
];

/** Page frames of each stack, lowest page of the stack first; fewer stacks when memory runs out. */
export function takeStacks(memory: ScatterMemory, count: number, random: Random): number[][] {
  const { ramMiB, pages, spare, threadsBefore } = memory;
  const machine = bareMachine({ ramMiB, pcp: true, zoneDma: ramMiB > 64 });
  const otherObjects = threadObjects(machine.pageAllocator);
  for (const { addr } of take(machine, threadsBefore, otherObjects)) machine.vmalloc.vfree(addr);
  if (pages !== null) fragment(machine.pageAllocator, { pages, spare, inRuns: 0 }, random);
  return take(machine, count, otherObjects).map((area) => [...area.pages]);
}

function take({ vmalloc }: BareMachine, count: number, otherObjects: () => boolean): VmStruct[] {
  const stacks: VmStruct[] = [];
  while (stacks.length < count && otherObjects()) {
    const area = vmalloc.vmalloc(16384, { align: 16384, class: 'stack' });
    if (isVmallocFailure(area)) break;
    stacks.push(area);
  }
  return stacks;
}

/** Pieces in which the page frames lie, lowest page of the stack first. */
export function runsOf(pfns: readonly number[]): number {
  return pfns.reduce((runs, pfn, i) => (i > 0 && pfn === pfns[i - 1] + 1 ? runs : runs + 1), 0);
}
