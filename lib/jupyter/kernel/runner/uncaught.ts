import { report } from './bridge';
import { describe } from './errors';
import { isProcessExit } from './process-exit';
import type { Run } from './runs';
import { currentRun, lastRun, runOfPromise } from './runs';
import { runOfStack } from './stack';

/**
 * What is thrown where nobody waits for it: shown at the cell that started it. While that cell
 * still runs, it also fails.
 */
export function reportUncaught(thrown: unknown, run: Run | null): void {
  const at = run ?? currentRun();
  const id = at?.id ?? runOfStack(thrown) ?? lastRun().id;
  if (at?.dead) return;
  const error = describe(thrown);
  if (at && !at.done) at.failure ??= error;
  report({ type: 'uncaught', run: id, error });
}

/** Without these, Node ends the process. */
export function catchUncaught(): void {
  process.on('uncaughtException', (error) => reportUncaught(error, null));
  process.on('unhandledRejection', (reason, promise) => {
    const run = runOfPromise(promise);
    if (isProcessExit(reason) && run?.done) return;
    reportUncaught(reason, run);
  });
}
