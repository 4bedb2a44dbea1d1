import { namesAround, type NamedBytes } from './byte-names';
import type { OverrunReport } from './aftermath';
import { eraFor, overrunScene, sceneFor, type OverrunOptions } from './overrun';

/** An overrun, and what the bytes around the base of the stack were called before it. */
export interface OverrunPicture {
  readonly report: OverrunReport;
  /** The page below, if there is one, and the lowest page of the stack; lowest address first. */
  readonly names: readonly NamedBytes[];
  /** The command that does the same; the call, for options that the command line does not have. */
  readonly command: string;
}

/**
 * The same as {@link overrun}, with the names of the bytes that it may hit.
 *
 * @throws RangeError as {@link overrun} does
 */
export function overrunPicture(options: OverrunOptions = {}): OverrunPicture {
  const scene = sceneFor(options);
  const names = namesAround(scene.machine, scene.chosen.task);
  scene.machine.snapshot();
  return { report: overrunScene(scene, options), names, command: commandOf(options) };
}

/** Options of `npx guardpage overrun` that take a value. */
const VALUES: readonly string[] = [
  ...['era', 'kernel', 'neighbour', 'seed', 'past', 'jump', 'poke', 'peek', 'irq', 'rsp'],
  ...['stackBase', 'frames', 'frame', 'memory'],
];

/** And those that are given for true and for false; none for what holds without. */
const SWITCHES: Readonly<Record<string, readonly [on: string, off: string]>> = {
  stackEndCheck: ['--stack-end-check', '--no-stack-end-check'],
  stackProtector: ['--stack-protector', '--no-stack-protector'],
  kasan: ['--kasan', ''],
  cpuacct: ['--cpuacct', ''],
  doubleFaultIst: ['', '--no-df-ist'],
};

function commandOf(options: OverrunOptions): string {
  const given = Object.entries({ era: eraFor(options), seed: 1, ...options }).filter(
    ([, value]) => value !== undefined,
  );
  const flags = given.map(([key, value]) => flagOf(key, value));
  if (flags.every((flag) => flag !== null)) {
    return ['npx guardpage overrun', ...flags.filter((flag) => flag !== '')].join(' ');
  }
  const literals = given.map(([key, value]) => `${key}: ${literalOf(value)}`);
  return `overrunPicture({ ${literals.join(', ')} })`;
}

/** One option of the library as that of the command line; null if it has none. */
function flagOf(key: string, value: unknown): string | null {
  if (Object.hasOwn(SWITCHES, key)) return SWITCHES[key][value ? 0 : 1];
  if (!VALUES.includes(key)) return null;
  const name = key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
  return `--${name} ${typeof value === 'bigint' ? hexOf(value) : String(value)}`;
}

const literalOf = (value: unknown) =>
  typeof value === 'bigint' ? `${hexOf(value)}n` : JSON.stringify(value);

const hexOf = (value: bigint) => `0x${value.toString(16)}`;
