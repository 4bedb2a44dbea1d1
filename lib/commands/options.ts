import { MAX_SEED } from '../random';
import { parseAddress } from '../x86/addr';
import { ERAS, type Era, type KernelOptions } from '../stack/config';
import { NEIGHBOURS, type NeighbourKind } from '../stack/scene';
import type { Command } from 'commander';
import { UsageError } from './usage-error';

/** Options of the library that the command line has too. */
const NAMED = /^(past|jump|poke|peek|irq|frame|rsp|neighbour|seed|stackBase): /;
/** What the library refuses is named (`name: …`), or it says what was expected; the engine’s own RangeErrors do neither. */
const REFUSAL = /\bexpected\b|^(?!Invalid )[^:]+: /;

/** Runs `work`; what it refuses with a RangeError was asked wrongly. */
export function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RangeError && REFUSAL.test(error.message))) throw error;
    const flag = (_: string, name: string) => `--${name.replace('stackBase', 'stack-base')}: `;
    throw new UsageError(error.message.replace(NAMED, flag));
  }
}

/** Reads a whole number, decimal or 0x…. */
export function wholeNumber(
  name: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  return (text) => {
    const value = numberIn(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      const from =
        most < Number.MAX_SAFE_INTEGER || value > most
          ? ` from ${least} to ${most}`
          : ` from ${least}`;
      throw new UsageError(
        `--${name}: expected a whole number${from}, got ${JSON.stringify(text)}`,
      );
    }
    return value;
  };
}

/** Reads a number of bytes; how many there can be, and why, the library says. */
export function bytes(name: string, least = -Infinity): (text: string) => number {
  return (text) => {
    const value = numberIn(text);
    if (Number.isNaN(value) || value < least) {
      const from = least === -Infinity ? '' : ` from ${least}`;
      throw new UsageError(
        `--${name}: expected a whole number of bytes${from}, got ${JSON.stringify(text)}`,
      );
    }
    return value;
  };
}

function numberIn(text: string): number {
  if (!/^-?(\d+|0x[0-9a-f]+)$/i.test(text)) return NaN;
  return Number(text.replace(/^-/, '')) * (text.startsWith('-') ? -1 : 1);
}

/** Reads a hexadecimal address. */
export function address(name: string): (text: string) => bigint {
  return (text) => {
    try {
      return parseAddress(text);
    } catch (error) {
      throw new UsageError(`--${name}: ${(error as Error).message}`);
    }
  };
}

/** Reads one word of a list. */
export function oneOf<T extends string>(name: string, words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((known) => known === text);
    if (word === undefined) {
      throw new UsageError(`--${name}: expected ${words.join(', ')}, got ${JSON.stringify(text)}`);
    }
    return word;
  };
}

/** The options that say which kernel, common to all commands that run one. */
export function addKernelOptions(command: Command): Command {
  return command
    .option(
      '--era <era>',
      'kernel stack: 8k, 16k or vmap (default by kernel: 8k to 3.14, 16k to 4.8, vmap from 4.9)',
      oneOf('era', ERAS),
    )
    .option('--kernel <version>', 'kernel version, 2.6.32 to 6.19 (default 3.14, 3.15, 6.1 by era)')
    .option('--stack-end-check', 'SCHED_STACK_END_CHECK=y')
    .option('--no-stack-end-check', 'SCHED_STACK_END_CHECK=n')
    .option('--stack-protector', 'STACKPROTECTOR=y')
    .option('--no-stack-protector', 'STACKPROTECTOR=n')
    .option('--kasan', 'KASAN=y: checked loads and stores, stacks twice as large')
    .option('--cpuacct', 'CGROUP_CPUACCT=y: schedule() uses the cpu of thread_info (up to 4.5)')
    .option('--no-df-ist', 'leave #DF on the stack that overflowed')
    .option(
      '--neighbour <kind>',
      `page below the stack: ${NEIGHBOURS.join(', ')}`,
      oneOf('neighbour', NEIGHBOURS),
    )
    .option('--seed <n>', 'seed of everything drawn', wholeNumber('seed', 0, MAX_SEED), 1);
}

export interface KernelFlags {
  readonly era?: Era;
  readonly kernel?: string;
  readonly stackEndCheck?: boolean;
  readonly stackProtector?: boolean;
  readonly kasan?: boolean;
  readonly cpuacct?: boolean;
  readonly dfIst: boolean;
  readonly neighbour?: NeighbourKind;
  readonly seed: number;
}

export function kernelOptions(flags: KernelFlags): KernelOptions & {
  seed: number;
  neighbour?: NeighbourKind;
} {
  const { kernel, stackEndCheck, stackProtector, kasan, cpuacct, dfIst, neighbour, seed } = flags;
  return {
    ...{ kernel, stackEndCheck, stackProtector, kasan, cpuacct, neighbour, seed },
    doubleFaultIst: dfIst,
  };
}

/** JSON of a report: addresses as `0x…` strings, bytes left out. */
export function reportJson(value: object): string {
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry === 'bigint') return `0x${entry.toString(16)}`;
    if (entry instanceof Uint8Array) return undefined;
    return entry;
  });
}
