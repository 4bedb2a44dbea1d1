import { kernelConfig, type Era, type KernelOptions } from '../config';
import { checkOptions, overrunScene, sceneFor, type OverrunOptions } from '../overrun';
import type { Detector, Outcome, Phase } from '../report';
import { costSince, type CountedDetector, type DetectorCost } from './costs';

/** A way to notice an overrun, and how it is switched on. */
export interface DetectorSpec {
  readonly name: string;
  /** When it looks. */
  readonly moment: string;
  readonly options: KernelOptions;
  /** Needs stacks in the vmalloc area. */
  readonly vmap?: boolean;
  readonly counted?: CountedDetector;
  /** What it says when it has noticed something. */
  readonly says: RegExp | null;
}

const OFF: KernelOptions = {
  stackEndCheck: false,
  stackProtector: false,
  stackOverflowCheck: false,
  stackUsage: false,
};

/** The detectors that can be tried on an overrun, each alone, and none. */
export const DETECTORS: readonly DetectorSpec[] = [
  { name: 'none', moment: 'never', options: OFF, says: null },
  {
    name: 'guard page',
    moment: 'at the access',
    options: OFF,
    vmap: true,
    says: /stack guard page was hit/,
  },
  {
    name: 'SCHED_STACK_END_CHECK',
    moment: 'when the task leaves the CPU',
    options: { ...OFF, stackEndCheck: true },
    counted: 'stack-end-check',
    says: /corrupted stack end detected/,
  },
  {
    name: 'STACKPROTECTOR',
    moment: 'when a function returns',
    options: { ...OFF, stackProtector: true },
    counted: 'stack-protector',
    says: /stack-protector:/,
  },
  {
    name: 'DEBUG_STACKOVERFLOW',
    moment: 'when a device interrupts',
    options: { ...OFF, stackOverflowCheck: true },
    counted: 'irq-check',
    says: /^do_IRQ/,
  },
  {
    name: 'DEBUG_STACK_USAGE',
    moment: 'when the task exits',
    options: { ...OFF, stackUsage: true },
    counted: 'stack-usage',
    // It means no overrun when it says so; nothing left is what an overrun leaves.
    says: /used greatest stack depth: \d\d? bytes left/,
  },
];

/** What one detector made of an overrun. */
export interface DetectorTrial {
  readonly detector: string;
  readonly moment: string;
  /** Why the version can't have it; null if it can. */
  readonly refused: string | null;
  /** It said so itself. */
  readonly noticed: boolean;
  /** What was noticed first, by whomever. */
  readonly outcome: Outcome | null;
  readonly phase: Phase | null;
  readonly by: Detector | null;
  /** What it cost from the overrun to the end; null if nothing is counted. */
  readonly cost: DetectorCost | null;
}

/** What is compared: the neighbour and `stackBase` are those of the stacks in the direct map. */
export type ComparisonOptions = OverrunOptions & { readonly era?: Exclude<Era, 'vmap'> };

/**
 * The same overrun, on machines alike but for the one detector that each has. A guard page is tried with
 * VMAP_STACK, on a stack that lies where it happens to lie; everything else with stacks in the direct map.
 *
 * @throws RangeError for options that the overrun refuses
 */
export function compareDetectors(options: ComparisonOptions = {}): DetectorTrial[] {
  checkOptions(options);
  return DETECTORS.map((spec) => tryOne(spec, options));
}

function tryOne(spec: DetectorSpec, options: ComparisonOptions): DetectorTrial {
  const { name, moment, counted, says } = spec;
  const nothing = { outcome: null, phase: null, by: null, cost: null, noticed: false };
  const era: Era = spec.vmap ? 'vmap' : (options.era ?? '16k');
  const where = spec.vmap ? ({ neighbour: 'any', stackBase: undefined } as const) : {};
  const wanted: OverrunOptions = { ...options, ...spec.options, ...where, era };
  try {
    kernelConfig(era, wanted);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { detector: name, moment, refused: error.message, ...nothing };
  }
  const scene = sceneFor(wanted);
  const { machine } = scene;
  machine.snapshot();
  const before = counted && machine.detectors.of(counted);
  const report = overrunScene(scene, wanted);
  const after = counted && machine.detectors.of(counted);
  return {
    detector: name,
    moment,
    refused: null,
    noticed: says !== null && report.console.some((line) => says.test(line)),
    outcome: report.outcome,
    phase: report.phase,
    by: report.detector,
    cost: before && after ? costSince(before, after) : null,
  };
}
