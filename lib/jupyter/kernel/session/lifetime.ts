import { existsSync } from 'node:fs';

const INTERVAL_MS = 500;

/**
 * Calls `end` once when nobody can want the kernel any more: the process that started it is
 * gone, or the connection file has been taken away.
 */
export function watchLifetime(connectionFile: string, end: (why: string) => void): void {
  const parent = process.ppid;
  const named = Number(process.env.JPY_PARENT_PID);
  let missing = 0;
  const timer = setInterval(() => {
    missing = existsSync(connectionFile) ? 0 : missing + 1;
    const why =
      process.ppid !== parent || (named > 1 && named !== parent && !isAlive(named))
        ? 'its parent has ended'
        : missing > 2
          ? 'its connection file is gone'
          : undefined;
    if (why === undefined) return;
    clearInterval(timer);
    end(why);
  }, INTERVAL_MS);
  timer.unref();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
