import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The numbers of the processes whose command line contains `text`, our own left out. */
export function processesWith(text: string): number[] {
  const all = process.platform === 'linux' ? fromProc() : fromPs();
  return all
    .filter(({ pid, line }) => pid !== process.pid && line.includes(text))
    .map((p) => p.pid);
}

interface CommandLine {
  readonly pid: number;
  readonly line: string;
}

function fromProc(): CommandLine[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return { pid: Number(name), line };
      } catch {
        return { pid: Number(name), line: '' }; // it has just ended
      }
    });
}

function fromPs(): CommandLine[] {
  const listing = execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' });
  return [...listing.matchAll(/^\s*(\d+) (.*)$/gm)].map(([, pid, line]) => ({
    pid: Number(pid),
    line,
  }));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Ends processes that did not end when asked to. Those already gone are no error. */
export function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // gone
    }
  }
}
