import { namesAround, type NamedBytes } from './byte-names';
import type { OverrunReport } from './aftermath';
import { kernelConfig } from './config';
import { checkOptions, eraFor, overrunScene, type OverrunOptions } from './overrun';
import { buildScene } from './scene';

/** An overrun, and what the bytes around the base of the stack were called before it. */
export interface OverrunPicture {
  readonly report: OverrunReport;
  /** The page below, if there is one, and the lowest page of the stack; lowest address first. */
  readonly names: readonly NamedBytes[];
  /** The command that does the same. */
  readonly command: string;
}

/**
 * The same as {@link overrun}, with the names of the bytes that it may hit.
 *
 * @throws RangeError as {@link overrun} does
 */
export function overrunPicture(options: OverrunOptions = {}): OverrunPicture {
  checkOptions(options);
  const config = kernelConfig(eraFor(options), options);
  const { seed = 1, stackBase, neighbour = 'any' } = options;
  const scene = buildScene(config, { seed, neighbour, stackBase });
  const names = namesAround(scene.machine, scene.chosen.task);
  scene.machine.snapshot();
  return { report: overrunScene(scene, options), names, command: commandOf(options) };
}

/** Options of the library as those of `npx guardpage overrun`. */
function commandOf(options: OverrunOptions): string {
  const flags = Object.entries({ era: eraFor(options), seed: 1, ...options }).map(
    ([key, value]) => {
      const name =
        key === 'doubleFaultIst' ? 'df-ist' : key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
      if (typeof value === 'boolean') return value ? `--${name}` : `--no-${name}`;
      return `--${name} ${typeof value === 'bigint' ? `0x${value.toString(16)}` : String(value)}`;
    },
  );
  return `npx guardpage overrun ${flags.join(' ')}`;
}
