import { kernelConfig, type Era, type KernelOptions } from '../config';
import { overrunScene, type OverrunOptions } from '../overrun';
import type { Detector, Outcome, Phase } from '../report';
import { buildScene } from '../scene';
import type { CountedDetector, DetectorCost } from './costs';

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

const OFF: KernelOptions = { stackEndCheck: false, stackProtector: false };

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

/**
 * The same overrun, on machines alike but for the one detector that each has. A guard page is tried with
 * VMAP_STACK, everything else with stacks in the direct map.
 *
 * @throws RangeError for options that the overrun refuses
 */
export function compareDetectors(
  options: OverrunOptions & { readonly era?: Exclude<Era, 'vmap'> } = {},
): DetectorTrial[] {
  return DETECTORS.map((spec) => tryOne(spec, options));
}

function tryOne(spec: DetectorSpec, options: OverrunOptions): DetectorTrial {
  const { name, moment, counted, says } = spec;
  const nothing = { outcome: null, phase: null, by: null, cost: null, noticed: false };
  const era = spec.vmap ? 'vmap' : (options.era ?? '16k');
  let config;
  try {
    config = kernelConfig(era, { ...options, ...spec.options });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { detector: name, moment, refused: error.message, ...nothing };
  }
  const { seed = 1, neighbour = 'any' } = options;
  const scene = buildScene(config, { seed, neighbour: spec.vmap ? 'any' : neighbour });
  const { machine } = scene;
  machine.snapshot();
  const before = counted && machine.detectors.of(counted);
  const report = overrunScene(scene, options);
  const after = counted && machine.detectors.of(counted);
  return {
    detector: name,
    moment,
    refused: null,
    noticed: says !== null && report.console.some((line) => says.test(line)),
    outcome: report.outcome,
    phase: report.phase,
    by: report.detector,
    cost: before && after ? difference(after, before) : null,
  };
}

function difference(after: DetectorCost, before: DetectorCost): DetectorCost {
  return {
    checks: after.checks - before.checks,
    loads: after.loads - before.loads,
    stores: after.stores - before.stores,
    bytes: after.bytes - before.bytes,
  };
}
