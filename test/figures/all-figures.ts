import { experiments } from '../../lib/experiments';
import type { ParameterValues } from '../../lib/experiments/parameters';
import { agreement } from '../../lib/experiments/agreement';
import { RECORDED_RUNS } from '../../lib/experiments/recorded-runs';
import { agreementFigure } from '../../lib/figures/agreement-figure';
import { depthFigure } from '../../lib/figures/depth-figure';
import { experimentFigure } from '../../lib/figures/experiment-figure';
import type { Figure } from '../../lib/figures/figure';
import { neighbourPageFigure } from '../../lib/figures/neighbour-page-figure';
import { walkFigure } from '../../lib/figures/walk-figure';
import { kernelConfig } from '../../lib/stack/config';
import { Machine } from '../../lib/stack/machine';
import { overrun } from '../../lib/stack/overrun';
import { publishedTrace } from '../../lib/stack/published-traces';
import { replay } from '../../lib/stack/replay';
import { startProbe } from '../../lib/stack/probe';

/** Parameters with which every experiment is done in a moment. */
export const SMALL: Readonly<Record<string, ParameterValues>> = {
  'trace-depths': {},
  'next-door': { machines: 1 },
  'outcome-by-era': { trials: 3, machines: 1 },
  'victim-by-neighbour': { trials: 5, machines: 1 },
  'time-to-detection': { trials: 20, machines: 1 },
  'stack-memory': { threads: 500 },
  'order2-success': { threads: 100 },
  'stack-frames': { stacks: 12 },
  'stack-scatter': { stacks: 50 },
  'fork-cost': { forks: 60, burst: 4 },
  'guard-jump': { step: 4096 },
  'jump-by-frame': { entries: 4 },
  'dynamic-stacks': { threads: 50 },
};

/** Every figure of the library by a name, drawn from small experiments. */
export function allFigures(params = SMALL): Map<string, Figure> {
  const figures = new Map<string, Figure>();
  for (const { name, run } of experiments)
    figures.set(name, experimentFigure(run(params[name], 1)));
  const deep = publishedTrace('05');
  figures.set(
    'depth',
    depthFigure(['8k', '16k', 'vmap'].map((era) => replay(deep, { era: era as '8k' }))),
  );
  figures.set('neighbour-page', overrunPage());
  figures.set('neighbour-page-none', neighbourPageFigure(overrun({ era: 'vmap', past: 512 })));
  figures.set('walk', stackWalks());
  const few = { seeds: 2, populations: 1 };
  figures.set('agreement', agreementFigure(agreement(RECORDED_RUNS, few)));
  return figures;
}

/** The page below a stack that was overrun by 512 bytes: another stack. */
export function overrunPage(): Figure {
  const options = { era: '8k', neighbour: 'stack', past: 512, frames: 'dense', seed: 3 } as const;
  return neighbourPageFigure(overrun(options));
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
