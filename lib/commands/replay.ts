import { parseTrace } from '../stack/parse-trace';
import { replay } from '../stack/replay';
import { summary } from '../stack/summary';
import type { Register } from '.';
import {
  addKernelOptions,
  kernelOptions,
  oneOf,
  refusing,
  reportJson,
  type KernelFlags,
} from './options';
import { readTextFile } from './read-file';

interface Flags extends KernelFlags {
  readonly trace: string;
  readonly frames: 'dense' | 'sparse' | 'none';
  readonly asX8664?: boolean;
  readonly json?: boolean;
}

/** `guardpage replay`: a stack trace, frame by frame, on a simulated stack. */
export const register: Register = (program) => {
  const command = program
    .command('replay')
    .description('replay a stack trace frame by frame on a simulated kernel stack')
    .requiredOption(
      '--trace <file>',
      "the trace: JSON, or the text of ftrace's stack_trace (- for standard input)",
    );
  addKernelOptions(command)
    .option(
      '--frames <fill>',
      'what frames write: dense, sparse or none',
      oneOf('frames', ['dense', 'sparse', 'none'] as const),
      'dense' as const,
    )
    .option('--as-x86-64', "take another architecture's frames as they are")
    .option('--json', 'one line of JSON')
    .action((flags: Flags) => {
      const report = refusing(() =>
        replay(parseTrace(readTextFile('--trace', flags.trace)), {
          ...kernelOptions(flags),
          era: flags.era,
          fill: flags.frames,
          asX86: flags.asX8664,
        }),
      );
      process.stdout.write(`${flags.json ? reportJson(report) : summary(report)}\n`);
    });
};
