/** What `process.exit` throws in a cell. */
export class ProcessExit extends Error {
  override name = 'ProcessExit';

  constructor(readonly code: unknown) {
    super(
      `process.exit(${code === undefined ? '' : String(code)}) was called. The kernel goes on, ` +
        'with all variables; to end it, shut it down or restart it from the menu.',
    );
  }
}

export function isProcessExit(value: unknown): value is ProcessExit {
  return value instanceof ProcessExit;
}

/** A notebook outlives the program that a cell tries to end. */
export function surviveExit(): void {
  const exit = (code?: unknown): never => {
    throw new ProcessExit(code ?? process.exitCode);
  };
  process.exit = exit as typeof process.exit;
  // Interrupts come through the relay; Ctrl-C in a terminal must not end the process.
  process.on('SIGINT', () => undefined);
}
