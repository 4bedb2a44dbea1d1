import recordedRuns from '../data/recorded-order2.json';
import { Random } from '../random';
import { MAX_PAGE_ORDER } from '../mm/free-lists';
import { loadFreeLists } from '../mm/free-list-loader';
import type { PageAllocator } from '../mm/page-allocator';
import { migrateTypeNumber } from '../mm/migrate-type';
import { isVmallocFailure } from '../mm/vm-struct';
import { bareMachine, type BareMachine } from './bare-machine';
import { defineExperiment } from './experiment';
import { fragment } from './fragment';
import { blocksOf, PUBLISHED_LISTS } from './published-lists';
import { EVIDENCE, round, type Row } from './table';
import { threadObjects } from './thread-objects';

/** How a stack is asked for. */
const REQUESTS = {
  'order 1': { order: 1, label: '8 KB, order 1' },
  'order 2': { order: 2, label: '16 KB, order 2' },
  vmalloc: { order: 0, label: '16 KB, 4 × order 0 (vmalloc)' },
} as const;

type Request = keyof typeof REQUESTS;

interface Series {
  readonly request: Request;
  readonly pages: 'user' | 'kernel';
  readonly compaction: boolean;
}

const SERIES: readonly Series[] = [
  { request: 'order 1', pages: 'user', compaction: false },
  { request: 'order 2', pages: 'user', compaction: false },
  { request: 'order 2', pages: 'user', compaction: true },
  { request: 'order 2', pages: 'kernel', compaction: true },
  { request: 'vmalloc', pages: 'user', compaction: false },
];

/** Parts of the freed memory that lie in runs: from single pages only to nothing but runs. */
const IN_RUNS = [0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1];

/** Pages that the fragmenting program leaves alone. */
const SPARE = 64;

/** `npx guardpage experiment order2-success` */
export const order2Success = defineExperiment({
  name: 'order2-success',
  title: 'Stacks from fragmented memory',
  question: 'How many threads get a stack when free memory lies scattered in single pages?',
  parameters: {
    threads: {
      kind: 'number',
      description: 'threads wanted',
      default: 400,
      min: 10,
      max: 1500,
    },
  },
  notes: [
    'Model: page allocator of 6.1 in 64 MiB without reclaim and OOM killer; a request that fails is counted and nobody is killed for it. Half of the memory taken is free again.',
    'Recorded free lists (this project’s 6.1.192 guests; kernel logs of 2016): the blocks are as many as printed, their places are not known; the same requests are made of them. In guests with VMAP_STACK=n the OOM killer ran, with VMAP_STACK=y all threads were made.',
    'The model’s compaction takes no target pages from pageblocks that stacks have claimed, which the kernel’s last attempt does: it gives up earlier.',
    'Unusable: the part of free memory, zone DMA left out, in blocks too small for order 2 or in the HIGHATOMIC reserve; without the reserve it is /sys/kernel/debug/extfrag/unusable_index.',
  ],
  table: ({ threads }, seed) => {
    const random = new Random(seed);
    const rows: Row[] = [];
    for (const series of SERIES) {
      for (const inRuns of IN_RUNS) {
        const machine = fragmented(series, inRuns, random);
        rows.push(attempt(machine, series, threads, { evidence: 'model', case: 'half freed' }));
      }
    }
    rows.push(...recordedRows(threads), ...publishedRows(threads));
    return {
      columns: [
        EVIDENCE,
        { key: 'case', label: 'free memory' },
        { key: 'request', label: 'stack' },
        { key: 'pages', label: 'pages in use' },
        { key: 'compaction', label: 'compaction' },
        { key: 'freeKb', label: 'free', unit: 'kB' },
        { key: 'unusable', label: 'unusable for order 2' },
        { key: 'asked', label: 'asked' },
        { key: 'granted', label: 'granted' },
        { key: 'share', label: 'granted share' },
        { key: 'happened', label: 'on the real machine' },
      ],
      rows,
    };
  },
});

function fragmented({ pages, compaction }: Series, inRuns: number, random: Random): BareMachine {
  const machine = bareMachine({ ramMiB: 64, zoneDma: false, compaction });
  fragment(machine.pageAllocator, { pages, spare: SPARE, inRuns }, random);
  return machine;
}

/** Starts threads, slab objects and stack, until one of them is refused. */
function attempt(machine: BareMachine, series: Series, asked: number, more: Row): Row {
  const { pageAllocator } = machine;
  const { freeKb, unusable } = freeMemory(pageAllocator);
  const otherObjects = threadObjects(machine.pageAllocator);
  let granted = 0;
  while (granted < asked && otherObjects() && oneStack(machine, series.request)) granted++;
  return {
    ...more,
    request: REQUESTS[series.request].label,
    pages: series.pages,
    compaction: series.compaction ? 'yes' : 'no',
    freeKb,
    unusable,
    asked,
    granted,
    share: round(granted / asked),
    happened: more.happened ?? null,
  };
}

/** Free memory above zone DMA, and the part of it that no order-2 stack can lie in. */
function freeMemory({ zones }: PageAllocator): { freeKb: number; unusable: number } {
  const reserve = migrateTypeNumber('HIGHATOMIC');
  let free = 0;
  let usable = 0;
  for (const zone of zones.filter(({ name }) => name !== 'DMA')) {
    free += zone.freePages;
    for (let order = 2; order <= MAX_PAGE_ORDER; order++) {
      usable += (zone.free.nrFree[order] - zone.free.count(order, reserve)) << order;
    }
  }
  return { freeKb: free * 4, unusable: free === 0 ? 1 : round(1 - usable / free) };
}

function oneStack({ pageAllocator, vmalloc }: BareMachine, request: Request): boolean {
  if (request === 'vmalloc') {
    const area = vmalloc.vmalloc(16384, { align: 16384, class: 'stack' });
    return !isVmallocFailure(area);
  }
  const { order } = REQUESTS[request];
  return pageAllocator.allocPages(order, { class: 'stack', noretry: true, nowarn: true }) !== null;
}

/** The free lists of the recorded guests, and what became of the threads there. */
function recordedRows(threads: number): Row[] {
  return recordedRuns.runs.map((run) => {
    const machine = bareMachine({ ramMiB: 64, zoneDma: false });
    loadFreeLists(machine.pageAllocator, [
      { zone: 'DMA32', free: { [run.pages === 'user' ? 'MOVABLE' : 'UNMOVABLE']: run.counts } },
    ]);
    const request: Request = run.VMAP_STACK ? 'vmalloc' : 'order 2';
    // Compaction needs to know where the pages in use lie, which is not recorded.
    const series: Series = { request, pages: run.pages as Series['pages'], compaction: false };
    const made = run.made === null ? 'not all made' : `${run.made} of ${run.asked} made`;
    const happened = [
      made,
      run.oomKills > 0 ? 'after an OOM kill' : '',
      run.panic ? 'panic' : '',
      run.COMPACTION ? '(with compaction)' : '',
    ];
    return attempt(machine, series, threads, {
      evidence: 'recorded',
      case: `6.1 ${run.id}`,
      happened: happened.filter(Boolean).join(' '),
    });
  });
}

/** Of a machine whose size no mail says. */
const RAM_MIB = 2048;

/** The x86-64 free lists printed in kernel logs; the others are of machines with other zones. */
function publishedRows(threads: number): Row[] {
  return PUBLISHED_LISTS.filter(({ kernel }) => kernel.includes('x86_64')).map(
    ({ id, kernel, zones, event, ramMiB = RAM_MIB }) => {
      const machine = bareMachine({
        ramMiB,
        version: /^\d+\.\d+/.exec(kernel)?.[0],
        reserved: [{ start: 0, pages: 1, what: 'page 0' }],
      });
      loadFreeLists(
        machine.pageAllocator,
        zones.map((recorded) => {
          const { reserved, others } = blocksOf(recorded);
          return { zone: recorded.zone, free: { UNMOVABLE: others, HIGHATOMIC: reserved } };
        }),
      );
      const series: Series = { request: 'order 2', pages: 'kernel', compaction: false };
      const killed = /invoked oom-killer/.test(event) ? 'OOM killer' : event;
      return attempt(machine, series, threads, {
        evidence: 'recorded',
        case: id,
        happened: killed,
      });
    },
  );
}
