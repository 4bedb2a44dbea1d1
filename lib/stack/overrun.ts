import { addressBits, hex, type VirtAddr } from '../x86/addr';
import { runAndObserve, type OverrunReport } from './aftermath';
import {
  endOfStackOffset,
  eraOf,
  kernelConfig,
  levelsFor,
  type Era,
  type KernelOptions,
} from './config';
import { interruptNear } from './irq';
import type { Machine } from './machine';
import {
  allocaForLanding,
  command,
  highestLanding,
  ownMemory,
  wakeProbe,
  type Probe,
  type ProbeCommand,
} from './probe';
import { MEMORY_PROFILES, type MemoryProfile } from './population';
import { WriteWatch } from './write-watch';
import { buildScene, NEIGHBOURS, type NeighbourKind, type Scene } from './scene';

/** What a thread does to its stack. At most one of past, jump, alloca, poke, peek and irq; endless recursion without. */
export interface OverrunOptions extends KernelOptions {
  /** That of `kernel` unless given; vmap without either. */
  readonly era?: Era;
  readonly seed?: number;
  readonly neighbour?: NeighbourKind;
  /** What memory has been through before; light load unless given. */
  readonly memory?: MemoryProfile;
  /** Recursion to that many bytes below the base, then return. */
  readonly past?: number;
  /** One frame that lands that many bytes below the base. */
  readonly jump?: number;
  /** An 8-byte store that many bytes below the base (negative: above it), with RSP still inside. */
  readonly poke?: number;
  /** An 8-byte load there. */
  readonly peek?: number;
  /** One frame with an alloca of that many bytes. */
  readonly alloca?: number;
  /**
   * A device interrupts when one frame has left that many bytes between the base and RSP: what overruns is
   * the frame that the CPU pushes, and the registers that the entry code saves.
   */
  readonly irq?: number;
  /** RSP at the access that overruns: that of poke or peek, else the first store of a frame that ends there. */
  readonly rsp?: VirtAddr;
  /** Every byte of a frame is written, or one byte and the saved registers. */
  readonly frames?: 'dense' | 'sparse';
  /** Where the stack is to lie. */
  readonly stackBase?: VirtAddr;
  /** Bytes of one recursion's alloca. */
  readonly frame?: number;
}

const KINDS = ['past', 'jump', 'alloca', 'poke', 'peek', 'irq'] as const;
const WORDS = {
  neighbour: NEIGHBOURS,
  frames: ['dense', 'sparse'],
  memory: MEMORY_PROFILES,
} as const;

/**
 * Overruns one stack of a populated machine and looks at what follows.
 *
 * @throws RangeError for options that contradict each other, sizes out of range, or a refused configuration
 */
export function overrun(options: OverrunOptions = {}): OverrunReport {
  const scene = sceneFor(options);
  scene.machine.snapshot();
  return overrunScene(scene, options);
}

/**
 * The populated machine on which {@link overrunScene} does what `options` say.
 *
 * @throws RangeError as {@link overrun} does
 */
export function sceneFor(options: OverrunOptions): Scene {
  checkOptions(options);
  const { seed = 1, neighbour = 'any', memory, stackBase } = options;
  const config = kernelConfig(eraFor(options), options);
  return buildScene(config, { seed, neighbour, memory, stackBase });
}

/** The era asked for, or that of the kernel asked for. */
export function eraFor({ era, kernel }: Pick<OverrunOptions, 'era' | 'kernel'>): Era {
  return era ?? (kernel === undefined ? 'vmap' : eraOf(kernel));
}

/** The same on a machine that is there already. */
export function overrunScene(scene: Scene, options: OverrunOptions): OverrunReport {
  const { machine, chosen } = scene;
  command(machine, chosen, commandFor(scene, options));
  const watch = new WriteWatch(ownMemory(chosen));
  return runAndObserve(scene, chosen.task, watch, () => {
    machine.nextWatch = watch;
    wakeProbe(machine, chosen);
    machine.nextWatch = null;
  });
}

function commandFor({ machine, chosen }: Scene, options: OverrunOptions): ProbeCommand {
  const base = chosen.task.stack;
  const at = (below: number) => base - BigInt(below);
  if (options.poke !== undefined)
    return { do: 'poke', address: at(options.poke), rsp: options.rsp };
  if (options.peek !== undefined)
    return { do: 'peek', address: at(options.peek), rsp: options.rsp };
  if (options.alloca !== undefined) return { do: 'jump', frame: options.alloca };
  if (options.irq !== undefined) return interrupted(machine, chosen, options.irq);
  if (options.jump !== undefined || options.rsp !== undefined) {
    const { rsp } = options;
    const highest = highestLanding(machine, chosen, 'jump');
    if (rsp !== undefined && rsp > highest) {
      throw new RangeError(
        `rsp: expected at most ${hex(highest)}, where the frame begins, got ${hex(rsp)}`,
      );
    }
    return { do: 'jump', frame: allocaForLanding(machine, chosen, rsp ?? at(options.jump!)) };
  }
  const dense = options.frames === 'dense';
  const limit = options.past === undefined ? 0n : at(options.past);
  return { do: 'recurse', frame: options.frame ?? 256, limit, dense };
}

/** One frame that stays inside the stack; the interrupt comes as soon as it is entered. */
function interrupted(m: Machine, chosen: Probe, left: number): ProbeCommand {
  const { config } = m;
  const { task } = chosen;
  const least = endOfStackOffset(config) + 8;
  const most = Number(highestLanding(m, chosen, 'recurse') - task.stack);
  if (left < least) {
    throw new RangeError(
      `irq: expected at least ${least} bytes, above thread_info and end magic, got ${left}`,
    );
  }
  if (left > most) {
    throw new RangeError(
      `irq: expected at most ${most} bytes, which are left where the frame begins, got ${left}`,
    );
  }
  const frame = allocaForLanding(m, chosen, task.stack + BigInt(left), 'recurse');
  interruptNear(m, task, left);
  return { do: 'recurse', frame, limit: task.stack + BigInt(config.THREAD_SIZE), dense: false };
}

/** @throws RangeError for options that contradict each other, words that do not exist, and sizes and addresses out of range */
export function checkOptions(options: OverrunOptions): void {
  const given = KINDS.filter((kind) => options[kind] !== undefined);
  if (given.length > 1) {
    throw new RangeError(`expected one of ${KINDS.join(', ')}, got ${given.join(' and ')}`);
  }
  if (
    options.rsp !== undefined &&
    (options.past ?? options.jump ?? options.alloca ?? options.irq) !== undefined
  ) {
    throw new RangeError('rsp: goes with poke or peek, or alone');
  }
  for (const name of ['neighbour', 'frames', 'memory'] as const) {
    const value = options[name];
    const words: readonly string[] = WORDS[name];
    if (value !== undefined && !words.includes(value)) {
      throw new RangeError(`${name}: expected ${words.join(', ')}, got ${JSON.stringify(value)}`);
    }
  }
  for (const name of ['stackBase', 'rsp'] as const) checkAddress(name, options[name]);
  const bits = addressBits(levelsFor(options.stackBase)) - 1;
  for (const kind of ['past', 'jump', 'alloca', 'irq'] as const) {
    checkSize(kind, options[kind], 0, bits);
  }
  for (const kind of ['poke', 'peek'] as const) {
    checkSize(kind, options[kind], -(2 ** bits), bits);
  }
  checkSize('frame', options.frame, 1, bits);
}

function checkAddress(name: string, value: VirtAddr | undefined): void {
  if (value === undefined) return;
  if (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value) {
    throw new RangeError(
      `${name}: expected an address, a bigint from 0 to 2^64 - 1, got ${String(value)}`,
    );
  }
}

/** No frame is larger than the half of the address space that the kernel lives in: 2^`bits` bytes. */
function checkSize(name: string, value: number | undefined, least: number, bits: number): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || value < least || value > 2 ** bits) {
    const levels = bits === 47 ? 4 : 5;
    throw new RangeError(
      `${name}: expected a whole number of bytes from ${least} to ${2 ** bits} ` +
        `(2^${bits}, half of the address space with ${levels} levels of page tables), got ${value}`,
    );
  }
}
