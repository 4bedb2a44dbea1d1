import type { ExperimentResult } from '../experiments/experiment';
import { detectorMatrixFigure } from './detector-figure';
import { detectionFigure } from './detection-figure';
import { architecturesFigure } from './architectures-figure';
import { frameDietFigure } from './diet-figure';
import { dynamicFigure } from './dynamic-figure';
import type { Figure } from './figure';
import { forkCostFigure } from './fork-figure';
import { freeListsFigure } from './free-lists-figure';
import { guardDeliveryFigure, whoDiesFigure } from './guard-figures';
import { guardJumpFigure, jumpByFrameFigure } from './jump-figures';
import { otherStacksFigure, strayWordFigure } from './inside-figures';
import { order2Figure, stackMemoryFigure } from './memory-figures';
import { memoryMapFigure } from './memory-map-figure';
import { nextDoorFigure } from './neighbour-figures';
import { outcomeByEraFigure, victimFigure } from './outcome-figures';
import { stackFramesFigure, stackScatterFigure } from './scatter-figures';
import { tlbReachFigure } from './tlb-figure';
import { traceDepthsFigure } from './trace-figure';
import { storageLayersFigure } from './storage-figure';
import { tracePartsFigure } from './trace-parts-figure';
import { vmallocMapFigure } from './vmalloc-map-figure';

const FIGURES: Readonly<Record<string, (result: ExperimentResult) => Figure>> = {
  'trace-depths': traceDepthsFigure,
  'trace-parts': tracePartsFigure,
  'buddy-blocks': memoryMapFigure,
  'next-door': nextDoorFigure,
  'outcome-by-era': outcomeByEraFigure,
  'victim-by-neighbour': victimFigure,
  'time-to-detection': detectionFigure,
  'detector-matrix': detectorMatrixFigure,
  'stack-memory': stackMemoryFigure,
  'storage-layers': storageLayersFigure,
  'frame-diet': frameDietFigure,
  'order2-success': order2Figure,
  'free-lists': freeListsFigure,
  'vmalloc-map': vmallocMapFigure,
  'stack-frames': stackFramesFigure,
  'stack-scatter': stackScatterFigure,
  'fork-cost': forkCostFigure,
  'tlb-reach': tlbReachFigure,
  'guard-delivery': guardDeliveryFigure,
  'who-dies': whoDiesFigure,
  'guard-jump': guardJumpFigure,
  'jump-by-frame': jumpByFrameFigure,
  'stray-word': strayWordFigure,
  'other-stacks': otherStacksFigure,
  architectures: architecturesFigure,
  'dynamic-stacks': dynamicFigure,
};

/**
 * The figure of what an experiment found.
 *
 * @throws RangeError for the result of an experiment that has no figure
 */
export function experimentFigure(result: ExperimentResult): Figure {
  const draw = FIGURES[result.experiment];
  if (draw) return draw(result);
  throw new RangeError(
    `result: expected one of ${Object.keys(FIGURES).join(', ')}, got ${JSON.stringify(result.experiment)}`,
  );
}
