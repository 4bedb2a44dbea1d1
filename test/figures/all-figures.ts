import { experiments } from '../../lib/experiments';
import type { ParameterValues } from '../../lib/experiments/parameters';
import { agreement } from '../../lib/experiments/agreement';
import { RECORDED_RUNS } from '../../lib/experiments/recorded-runs';
import { agreementFigure } from '../../lib/figures/agreement-figure';
import { depthFigure } from '../../lib/figures/depth-figure';
import { experimentFigure } from '../../lib/figures/experiment-figure';
import { readMachineText } from '../../lib/experiments/own-machine/read-machine-text';
import { sample, SAMPLES } from '../../lib/experiments/own-machine/samples';
import { machineFigure } from '../../lib/figures/machine-figure';
import type { Figure } from '../../lib/figures/figure';
import { neighbourPageFigure } from '../../lib/figures/neighbour-page-figure';
import { walkChoiceFigure } from '../../lib/figures/walk-choice-figure';
import { stackMapFigure } from '../../lib/figures/stack-map-figure';
import { stackBaseFigure } from '../../lib/figures/stack-base-figure';
import { walkFigure } from '../../lib/figures/walk-figure';
import { recordedTables } from '../../lib/mm/recorded-tables';
import { kernelConfig } from '../../lib/stack/config';
import { Machine } from '../../lib/stack/machine';
import { overrun } from '../../lib/stack/overrun';
import { overrunPicture } from '../../lib/stack/overrun-picture';
import { publishedTrace } from '../../lib/stack/published-traces';
import { replay } from '../../lib/stack/replay';
import { stackContents, traceContents } from '../../lib/stack/stack-contents';
import { startProbe } from '../../lib/stack/probe';

/** Parameters with which every experiment is done in a moment. */
export const SMALL: Readonly<Record<string, ParameterValues>> = {
  'trace-depths': {},
  'trace-parts': {},
  'buddy-blocks': {},
  'next-door': { machines: 1 },
  'outcome-by-era': { trials: 3, machines: 1 },
  'victim-by-neighbour': { trials: 5, machines: 1 },
  'time-to-detection': { trials: 20, machines: 1 },
  'detector-matrix': { trials: 2 },
  'stack-memory': { threads: 500 },
  'storage-layers': {},
  'frame-diet': {},
  'order2-success': { threads: 100 },
  'free-lists': {},
  'vmalloc-map': {},
  'stack-frames': { stacks: 12 },
  'stack-scatter': { stacks: 50 },
  'fork-cost': { forks: 60, burst: 4 },
  'tlb-reach': { turns: 200 },
  'guard-delivery': {},
  'who-dies': {},
  'guard-jump': { step: 4096 },
  'jump-by-frame': { entries: 4 },
  'stray-word': {},
  'other-stacks': {},
  architectures: {},
  'dynamic-stacks': { threads: 50 },
};

let drawn: Map<string, Figure> | undefined;

/** Every figure of the library by a name, drawn from small experiments, once for all tests. */
export function allFigures(): Map<string, Figure> {
  drawn ??= drawAll();
  return drawn;
}

function drawAll(): Map<string, Figure> {
  const figures = new Map<string, Figure>();
  for (const { name, run } of experiments) figures.set(name, experimentFigure(run(SMALL[name], 1)));
  const deep = publishedTrace('05');
  figures.set(
    'depth',
    depthFigure(['8k', '16k', 'vmap'].map((era) => replay(deep, { era: era as '8k' }))),
  );
  figures.set('neighbour-page', overrunPage());
  figures.set('neighbour-page-none', neighbourPageFigure(overrun({ era: 'vmap', past: 512 })));
  figures.set('stack-base', overrunBases());
  figures.set('walk', stackWalks());
  figures.set('stack-map', stackMap());
  figures.set('walk-choice', recordedWalks());
  const few = { seeds: 2, populations: 1 };
  figures.set('agreement', agreementFigure(agreement(RECORDED_RUNS, few)));
  for (const name of SAMPLES.filter((one) => one !== 'oops-recursion-hashed')) {
    figures.set(name, machineFigure(readMachineText(sample(name))));
  }
  return figures;
}

/** The page below a stack that was overrun by 512 bytes: another stack. */
export function overrunPage(): Figure {
  const options = { era: '8k', neighbour: 'stack', past: 512, frames: 'dense', seed: 3 } as const;
  return neighbourPageFigure(overrun(options));
}

/** A sleeping thread's stack beside the deepest published trace that fits. */
function stackMap(): Figure {
  const config = kernelConfig('8k');
  const machine = new Machine(config);
  const probe = startProbe(machine, 0);
  if (!probe) throw new Error('no memory for a thread');
  const columns = [
    { name: 'a sleeping thread', items: stackContents(machine, probe.task) },
    { name: 'trace 01', items: traceContents(publishedTrace('01'), config) },
  ];
  return stackMapFigure(columns, config.THREAD_SIZE, 'npx guardpage replay --trace FILE --era 8k');
}

/** The base of a stack over four neighbours, and over a guard page. */
export function overrunBases(): Figure {
  const options = { past: 512, frames: 'dense', frame: 128, seed: 3 } as const;
  const below = (['stack', 'slab', 'pagetable', 'free'] as const).map((neighbour) =>
    overrunPicture({ ...options, era: '16k', neighbour }),
  );
  return stackBaseFigure([...below, overrunPicture({ ...options, era: 'vmap' })]);
}

/** A vmalloc’ed stack, the guard below it and the direct map’s alias of its lowest page. */
function stackWalks(): Figure {
  const machine = new Machine(kernelConfig('vmap'));
  const probe = startProbe(machine, 0);
  if (!probe) throw new Error('no memory for a thread');
  const { stack } = probe.task;
  const alias = machine.directMap.physToVirt(machine.frameOf(stack) ?? 0n);
  return walkFigure([stack + 0x123n, stack - 8n, alias].map((va) => machine.walk(va)));
}

/** Addresses of every kind in the recorded tables. */
function recordedWalks(): Figure {
  const { dump, stacks, PAGE_OFFSET } = recordedTables();
  const { base } = stacks[0];
  return walkChoiceFigure([
    { label: 'stack', walk: dump.walk(base + 0x123n) },
    { label: 'guard', walk: dump.walk(base - 8n) },
    { label: 'alias', walk: dump.walk(PAGE_OFFSET + 0x63e0123n) },
    { label: '1 GiB page', walk: dump.walk(PAGE_OFFSET + 0x40000000n) },
    { label: 'text', walk: dump.walk(0xffffffff81000000n) },
    { label: 'hole', walk: dump.walk(PAGE_OFFSET - 0x8000000000n) },
    { label: 'not canonical', walk: dump.walk(0x800000000000n) },
  ]);
}
