import { Random } from '../random';
import { kernelConfig } from '../stack/config';
import { overrunScene } from '../stack/overrun';
import { buildScene, type Scene } from '../stack/scene';
import { isVmallocFailure } from '../mm/vm-struct';

/** Whether the 12 KB between a stack and the guard of the next lower one are empty, or hold small areas. */
export type Holes = 'empty' | 'filled';

/** Who ends or hides a store below the stack. */
export type Landing = 'guard page' | 'unmapped' | 'mapped: no fault';

/** A machine with vmalloc’ed stacks one below the other, on which one frame at a time is tried. */
export class LandingTrials {
  private readonly scene: Scene;

  constructor(
    holes: Holes,
    private readonly seed: number,
  ) {
    this.scene = buildScene(kernelConfig('vmap'), { seed, neighbour: 'stack' });
    if (holes === 'filled') fillHoles(this.scene);
    this.scene.machine.snapshot();
  }

  /** Lets one frame land `below` bytes below the base of the stack. */
  at(below: number): { readonly landing: Landing; readonly outcome: string } {
    this.scene.machine.restore(new Random(this.seed));
    const { detector, outcome, victims } = overrunScene(this.scene, { jump: below });
    if (detector === 'guard-page') return { landing: 'guard page', outcome };
    const hit = victims.length > 0;
    return { landing: hit ? 'mapped: no fault' : 'unmapped', outcome };
  }
}

/** Small areas of two pages and their guard: each fills one hole, for the lowest that fits is taken. */
function fillHoles({ machine, probes, chosen }: Scene): void {
  const { vmalloc } = machine;
  for (let i = 0; i < 4 * probes.length; i++) {
    const area = vmalloc.vmalloc(2 * 4096, { caller: 'bpf_prog_alloc_no_stats+0x31/0x1f0' });
    if (isVmallocFailure(area) || area.addr > chosen.task.stack) return;
  }
}
