import { buddyBlocks } from './buddy-blocks';
import { detectorMatrix } from './detector-matrix';
import { architectures } from './architectures';
import { dynamicStacks } from './dynamic-stacks';
import type { Experiment } from './experiment';
import { forkCost } from './fork-cost';
import { frameDiet } from './frame-diet';
import { freeLists } from './free-lists';
import { guardDelivery } from './guard-delivery';
import { guardJump } from './guard-jump';
import { jumpByFrame } from './jump-by-frame';
import { nearNames } from './names';
import { nextDoor } from './next-door';
import { order2Success } from './order2-success';
import { otherStacks } from './other-stacks';
import { outcomeByEra } from './outcome-by-era';
import { stackFrames } from './stack-frames';
import { stackMemory } from './stack-memory';
import { stackScatter } from './stack-scatter';
import { storageLayers } from './storage-layers';
import { strayWord } from './stray-word';
import { timeToDetection } from './time-to-detection';
import { tlbReach } from './tlb-reach';
import { traceDepths } from './trace-depths';
import { tracePartsExperiment } from './trace-parts';
import { victimByNeighbour } from './victim-by-neighbour';
import { vmallocMap } from './vmalloc-map';
import { whoDies } from './who-dies';

/** Every experiment, in the order of the course. */
export const experiments: readonly Experiment[] = [
  traceDepths,
  tracePartsExperiment,
  buddyBlocks,
  nextDoor,
  outcomeByEra,
  victimByNeighbour,
  timeToDetection,
  detectorMatrix,
  stackMemory,
  storageLayers,
  frameDiet,
  order2Success,
  freeLists,
  vmallocMap,
  stackFrames,
  stackScatter,
  forkCost,
  tlbReach,
  guardDelivery,
  whoDies,
  guardJump,
  jumpByFrame,
  strayWord,
  otherStacks,
  architectures,
  dynamicStacks,
];

/**
 * The experiment of that name.
 *
 * @throws RangeError for a name that no experiment has, with those that are near
 */
export function experiment(name: string): Experiment {
  const found = experiments.find((one) => one.name === name);
  if (found) return found;
  const names = experiments.map((one) => one.name);
  const near = nearNames(name, names);
  const expected = near.length > 0 ? `did you mean ${near.join(' or ')}?` : names.join(', ');
  throw new RangeError(
    `experiment: expected the name of one, got ${JSON.stringify(name)}: ${expected}`,
  );
}
