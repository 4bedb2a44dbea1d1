import { isFault } from '../x86/fault';
import type { VirtAddr } from '../x86/addr';
import { Random } from '../random';
import { chainOf } from '../stack/call-chain';
import { kernelConfig } from '../stack/config';
import { PUBLISHED_TRACES, publishedTrace } from '../stack/published-traces';
import type { StackTrace } from '../stack/trace';
import { bareMachine, type BareMachine } from './bare-machine';
import { defineExperiment } from './experiment';
import { EVIDENCE, round, type Row } from './table';

const PAGE = 4096n;
/** From one stack to the next: the stack, its guard and the alignment. */
const STRIDE = 0x8000n;
/** Parts of all threads that have ever gone deep. */
const DEEP = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1];
/** Each CPU keeps so many pages ready for faults. */
const RESERVE_PAGES = 3;

/** Savings that the proposals report, % of static stacks. */
const REPORTED = [
  {
    label: '2024 RFC, one host: 4632 tasks, 156 kB faulted in',
    low: 74.8,
    high: 74.8,
    deep: round(156 / 4 / 4632, 4),
  },
  { label: '2024 RFC, first tests', low: 70, high: 75, deep: null },
  { label: '2026 v2, Android, 2000–3000 threads', low: 65, high: 70, deep: null },
] as const;

/** `npx guardpage experiment dynamic-stacks` */
export const dynamicStacks = defineExperiment({
  name: 'dynamic-stacks',
  title: 'Stacks that grow on a fault',
  question:
    'How much memory would stacks save that begin with one page and take the others when they are touched?',
  parameters: {
    threads: {
      kind: 'number',
      description: 'threads on the machine',
      default: 1000,
      min: 10,
      max: 4000,
    },
  },
  notes: [
    'Proposed in 2024 (RFC Dynamic Kernel Stacks) and 2026 (v2 for Android), not in Linux 6.19. Model: 16 KB of addresses for each thread, the top page mapped; a store into a page that is not there faults and gets one. Deep threads make the calls of a published x86-64 trace, drawn from the seed; the others stay in their first page.',
    'Left out: that the fault itself has to be handled on a stack that is not there yet, which is what the argument on the list was about. Deep traces are those people posted because they were deep: a real deep thread needs less.',
    'Recorded: savings as the authors report them; “ever deep” of the first is the part of pages faulted in.',
  ],
  table: ({ threads }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'what', label: 'threads' },
      { key: 'deep', label: 'ever deep', unit: '%' },
      { key: 'faults', label: 'faults' },
      { key: 'staticKb', label: 'static stacks', unit: 'kB' },
      { key: 'dynamicKb', label: 'dynamic stacks', unit: 'kB' },
      { key: 'saved', label: 'saved', unit: '%' },
      { key: 'savedHigh', label: 'saved, to', unit: '%' },
    ],
    rows: [
      ...DEEP.map((deep) => grow(deep, threads, new Random(seed))),
      ...REPORTED.map(({ label, low, high, deep }): Row => ({
        evidence: 'recorded',
        what: label,
        deep: deep === null ? null : round(100 * deep, 2),
        faults: null,
        staticKb: null,
        dynamicKb: null,
        saved: low,
        savedHigh: high,
      })),
    ],
  }),
});

function deepTraces(): StackTrace[] {
  return PUBLISHED_TRACES.map(publishedTrace).filter(({ arch }) => /^x86[_-]64/.test(arch));
}

function grow(deep: number, threads: number, random: Random): Row {
  const machine = bareMachine({ ramMiB: 128 });
  const { THREAD_SIZE } = kernelConfig('vmap');
  const chains = deepTraces().map((trace) => chainOf(trace).map(({ size }) => BigInt(size)));
  const deepCount = Math.round(deep * threads);
  let pages = 0;
  let faults = 0;
  for (let i = 0; i < threads; i++) {
    const base = machine.layout.VMALLOC_START + BigInt(i) * STRIDE;
    const top = base + BigInt(THREAD_SIZE);
    mapPage(machine, top - PAGE);
    pages++;
    // A thread that stays shallow: what it stores lies in its first page.
    const frames = i < deepCount ? random.pick(chains) : [256n];
    let rsp = top;
    for (const size of frames) {
      rsp -= size;
      // The return address at the frame's lower end; locals above it lie in the same or a higher page.
      faults += storeGrowing(machine, base, rsp);
    }
  }
  pages += faults + RESERVE_PAGES;
  const staticKb = (threads * THREAD_SIZE) / 1024;
  return {
    evidence: 'model',
    what: `${threads} threads`,
    deep: round(100 * deep, 2),
    faults,
    staticKb,
    dynamicKb: pages * 4,
    saved: round(100 * (1 - (pages * 4) / staticKb), 1),
    savedHigh: null,
  };
}

/**
 * Stores at `at`; a page of the stack that is not there is mapped first.
 *
 * @returns 1 if it had to be
 */
function storeGrowing(machine: BareMachine, base: VirtAddr, at: VirtAddr): number {
  const fault = machine.cpu.store64(at, 0n);
  if (fault === null) return 0;
  if (!isFault(fault) || at < base)
    throw new RangeError('trace: expected one that fits into 16 KB');
  mapPage(machine, at & ~(PAGE - 1n));
  machine.cpu.store64(at, 0n);
  return 1;
}

function mapPage({ pageAllocator, pageTable }: BareMachine, at: VirtAddr): void {
  const pfn = pageAllocator.allocPages(0, { class: 'stack' });
  const mapped =
    pfn !== null && pageTable.map(at, BigInt(pfn) << 12n, 4096, { writable: true, global: true });
  if (mapped === false || typeof mapped === 'string') {
    throw new RangeError('threads: expected fewer: memory does not hold their stacks');
  }
}
