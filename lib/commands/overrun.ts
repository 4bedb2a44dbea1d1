import { setImmediate as nextTurn } from 'node:timers/promises';
import { MAX_SEED } from '../random';
import { overrun, type OverrunOptions } from '../stack/overrun';
import { MEMORY_PROFILES } from '../stack/population';
import { summary } from '../stack/summary';
import type { Register } from '.';
import {
  addKernelOptions,
  address,
  bytes,
  kernelOptions,
  oneOf,
  refusing,
  reportJson,
  wholeNumber,
  type KernelFlags,
} from './options';
import { UsageError } from './usage-error';

interface Flags
  extends
    KernelFlags,
    Pick<
      OverrunOptions,
      | 'past'
      | 'jump'
      | 'poke'
      | 'peek'
      | 'irq'
      | 'rsp'
      | 'frames'
      | 'frame'
      | 'memory'
      | 'stackBase'
    > {
  readonly trials: number;
  readonly json?: boolean;
}

/** `guardpage overrun`: one overrun on a populated machine, then what follows. */
export const register: Register = (program) => {
  const command = program
    .command('overrun')
    .description(
      'overrun a kernel stack and see what follows; endless recursion unless told otherwise',
    );
  addKernelOptions(command)
    .option('--past <bytes>', 'recursion to that far below the base, then return', bytes('past', 0))
    .option('--jump <bytes>', 'one frame that lands that far below the base', bytes('jump', 0))
    .option(
      '--poke <bytes>',
      'an 8-byte store that far below the base (negative: above)',
      bytes('poke'),
    )
    .option('--peek <bytes>', 'an 8-byte load there', bytes('peek'))
    .option(
      '--irq <bytes>',
      'a device interrupts with that many bytes of the stack left',
      bytes('irq', 0),
    )
    .option('--rsp <hex>', 'RSP at the faulting store', address('rsp'))
    .option('--stack-base <hex>', 'where the stack lies', address('stack-base'))
    .option(
      '--frames <fill>',
      'what frames write: dense or sparse',
      oneOf('frames', ['dense', 'sparse'] as const),
      'sparse' as const,
    )
    .option('--frame <bytes>', 'alloca of one recursion (default 256)', bytes('frame', 1))
    .option(
      '--memory <profile>',
      'what memory has been through: light (load) or fragmented (half of a program’s pages freed)',
      oneOf('memory', MEMORY_PROFILES),
      'light' as const,
    )
    .option('--trials <n>', 'that many runs, seeds counting up', wholeNumber('trials', 1), 1)
    .option('--json', 'JSON, a line a trial')
    .action(async ({ trials, json, ...flags }: Flags) => {
      check(flags, trials);
      for (let trial = 0; trial < trials; trial++) {
        const { past, jump, poke, peek, irq, rsp, stackBase, frames, frame, memory } = flags;
        const report = refusing(() =>
          overrun({
            ...kernelOptions(flags),
            era: flags.era,
            seed: flags.seed + trial,
            ...{ past, jump, poke, peek, irq, rsp, stackBase, frames, frame, memory },
          }),
        );
        process.stdout.write(`${json || trials > 1 ? reportJson(report) : summary(report)}\n`);
        // A reader that has gone ends the process here.
        await nextTurn();
      }
    });
};

const KINDS = ['past', 'jump', 'poke', 'peek', 'irq'] as const;

/** What the library can't say in the command line's words, or would say only after some of the trials. */
function check(flags: Omit<Flags, 'trials'>, trials: number): void {
  const given = KINDS.filter((kind) => flags[kind] !== undefined);
  if (given.length > 1) {
    throw new UsageError(`expected one of --${KINDS.join(', --')}, got --${given.join(' and --')}`);
  }
  const most = MAX_SEED - flags.seed + 1;
  if (trials > most) {
    throw new UsageError(
      `--trials: expected at most ${most} from seed ${flags.seed} on, for the last seed is ${MAX_SEED}, got ${trials}`,
    );
  }
}
