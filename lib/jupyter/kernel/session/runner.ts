import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { Link } from '../runner/link';
import type { Order, Report } from '../runner/protocol';

/** What the owner of a runner is told. */
export interface RunnerEvents {
  report(report: Report): void;
  /** What the process, or a child of it, writes past the console. */
  output(name: 'stdout' | 'stderr', text: string): void;
  /** It is gone, for a reason fit to be shown. */
  died(reason: string): void;
}

const FLAGS = [
  // Terminating code leaves Node's bookkeeping of async ids unbalanced; it would abort.
  '--no-force-async-hooks-checks',
  '--no-warnings',
  '--experimental-import-meta-resolve',
];

/** Long enough for what V8 says first when it gives up. */
const STDERR_KEPT = 65_536;

/** The process that runs the cells, as the kernel sees it. */
export class Runner {
  private readonly child: ChildProcess;
  private readonly link: Link<Order, Report>;
  private stopped = false;
  private lastWords = '';
  private isDying = false;

  constructor(folder: string, events: RunnerEvents) {
    const script = join(__dirname, '..', 'runner', 'main.js');
    this.child = spawn(process.execPath, [...FLAGS, script], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      // A group of its own, so that an interrupt reaches what the cells have started.
      detached: true,
      windowsHide: true,
    });
    const { stdio, stdout, stderr } = this.child;
    this.link = new Link(stdio[3] as Duplex, (report) => {
      if (!this.stopped) events.report(report);
    });
    this.link.stream.on('error', () => undefined);
    stdout!.setEncoding('utf8').on('data', (text: string) => events.output('stdout', text));
    stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.lastWords = (this.lastWords + text).slice(-STDERR_KEPT);
      this.isDying ||= isDeathCry(text);
      if (!this.isDying) events.output('stderr', text);
    });
    this.child.on('error', (error) =>
      this.end(events, `it could not be started: ${error.message}`),
    );
    this.child.on('close', (code, signal) => this.end(events, this.reason(code, signal)));
  }

  order(order: Order): void {
    if (!this.stopped) this.link.send(order);
  }

  /** Stops or goes on taking what the cells print; they wait meanwhile. */
  pause(paused: boolean): void {
    if (paused) this.link.stream.pause();
    else this.link.stream.resume();
  }

  /** The terminal's Ctrl-C for what the cells have started: a child that blocks them ends. */
  interruptChildren(): void {
    this.signal('SIGINT');
  }

  kill(): void {
    this.stopped = true;
    this.signal('SIGKILL');
  }

  private signal(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    try {
      process.kill(-pid, signal);
    } catch {
      this.child.kill(signal);
    }
  }

  private end(events: RunnerEvents, reason: string): void {
    if (this.stopped) return;
    this.stopped = true;
    events.died(reason);
  }

  private reason(code: number | null, signal: NodeJS.Signals | null): string {
    if (/heap out of memory|Allocation failed|invalid size error/.test(this.lastWords)) {
      return 'it ran out of memory';
    }
    const fatal = /FATAL ERROR: (.*)|Assertion failed: (.*)/.exec(this.lastWords);
    if (fatal) return `Node gave up: ${fatal[1] ?? fatal[2]}`;
    if (signal !== null) return `it was ended by ${signal}`;
    return `it ended with exit code ${code}`;
  }
}

/** V8's and Node's own dumps; what matters of them is told in one sentence. */
function isDeathCry(text: string): boolean {
  return /^\s*(<--- Last few GCs|#\n# Fatal|FATAL ERROR|----- Native stack trace|\[\d+:0x)/m.test(
    text,
  );
}
