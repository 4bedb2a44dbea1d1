import { Command, CommanderError } from 'commander';
import { commands } from './commands';
import { UsageError } from './commands/usage-error';

/** What the process ends with: answered, the work failed, or it was asked wrongly. */
export const EXIT = { OK: 0, FAILED: 1, USAGE: 2 } as const;

/**
 * Runs `npx guardpage …`. Data go to stdout, talk to stderr.
 *
 * @param argv the arguments after the program's name
 * @returns the exit code
 */
export async function main(argv: string[]): Promise<number> {
  const program = new Command('guardpage')
    .description('An executable history of the Linux x86-64 kernel stack')
    .exitOverride()
    .showHelpAfterError(
      '(guardpage --help lists the commands, guardpage COMMAND --help its options)',
    );
  let code: number = EXIT.OK;
  for (const register of commands) {
    register(program, (exitCode) => {
      code = exitCode;
    });
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    if (error instanceof UsageError) {
      process.stderr.write(`guardpage: ${error.message}\n`);
      return EXIT.USAGE;
    }
    throw error;
  }
}
