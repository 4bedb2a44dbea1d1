import {
  KernelManager,
  ServerConnection,
  SessionManager,
  type Session,
} from '@jupyterlab/services';
import type { IShellFuture } from '@jupyterlab/services/lib/kernel/kernel';
import { CellOutputs, type Output } from './outputs';
import type { JupyterServer } from './server';

/** How long a kernel may take to say that it is there. */
const READY_MS = 60_000;

/** How long it may take to give in to an interrupt. */
const INTERRUPT_MS = 5_000;

/** How long the server may take to start a kernel anew that died. */
const RESTART_MS = 10_000;

/**
 * How one execution ended. `error`: any reply but `ok`; `timeout`: it was interrupted or, where that did
 * not help, the kernel started anew; `died`: the kernel did; `stopped`: the caller broke it off.
 */
export type CellStatus = 'ok' | 'error' | 'timeout' | 'died' | 'stopped';

export interface Execution {
  readonly status: CellStatus;
  readonly outputs: readonly Output[];
  readonly executionCount: number | null;
  readonly ms: number;
  /** What went wrong, unless `status` is `ok`. */
  readonly error?: { readonly name: string; readonly value: string };
}

export interface ExecuteOptions {
  /** After this the kernel is interrupted and the status is `timeout`. */
  readonly timeoutMs: number;
  /** Whether an error lets the kernel drop what is sent meanwhile; default true. */
  readonly stopOnError?: boolean;
}

/** What a kernel says of itself. */
export interface KernelDescription {
  readonly implementation: string;
  readonly implementationVersion: string;
  readonly language: string;
  readonly languageVersion: string;
  readonly banner: string;
}

/** A kernel of its own for one notebook, on a server that runs already. */
export class KernelSession {
  private died = false;
  private readonly death: Promise<'died'>;

  private constructor(
    private readonly session: Session.ISessionConnection,
    private readonly sessions: SessionManager,
    private readonly managers: readonly { dispose(): void }[],
    private readonly signal: AbortSignal | undefined,
  ) {
    this.death = this.status(/^(dead|restarting|autorestarting|terminating)$/).then(() => {
      this.died = true;
      return 'died';
    });
  }

  /**
   * Starts a kernel in the notebook's folder.
   *
   * @param path the notebook, relative to the folder that the server serves; it need not exist
   * @param kernelName the kernelspec's name
   * @param signal breaks the start off, and makes {@link shutdown} leave the kernel to the server's end
   * @throws Error if the kernel does not come up
   */
  static async start(
    server: Pick<JupyterServer, 'url' | 'token'>,
    path: string,
    kernelName: string,
    signal?: AbortSignal,
  ): Promise<KernelSession> {
    quietServices();
    const serverSettings = ServerConnection.makeSettings({
      baseUrl: server.url,
      wsUrl: server.url.replace(/^http/, 'ws'),
      token: server.token,
      appendToken: true,
    });
    const options = { serverSettings, standby: () => true };
    const kernelManager = new KernelManager(options);
    const sessionManager = new SessionManager({ ...options, kernelManager });
    const managers = [sessionManager, kernelManager];
    let started: KernelSession | undefined;
    try {
      await within(
        READY_MS,
        sessionManager.ready.then(() => true),
        signal,
      );
      const name = path.split('/').at(-1) ?? path;
      const kernel = { name: kernelName };
      const starting = oneAtATime(`${server.url} ${path}`, async () => {
        const own = await sessionManager.startNew({ path, name, type: 'notebook', kernel });
        await own.setPath(`${path} ${own.id}`);
        return own;
      });
      const session = await within(READY_MS, starting, signal);
      started = new KernelSession(session, sessionManager, managers, signal);
      const info = session.kernel?.info ?? Promise.reject(new Error('no kernel'));
      const came = await within(READY_MS, Promise.race([info, started.death]), signal);
      if (came === 'died') throw new Error('it died while it started');
      return started;
    } catch (error) {
      if (started) await started.shutdown();
      else managers.forEach((manager) => manager.dispose());
      throw new Error(`kernel ${kernelName} did not start: ${(error as Error).message}`);
    }
  }

  /** What the kernel says of itself. */
  async describe(): Promise<KernelDescription> {
    const info = await this.session.kernel?.info;
    const { name = '', version = '' } = info?.language_info ?? {};
    return {
      implementation: info?.implementation ?? '',
      implementationVersion: info?.implementation_version ?? '',
      language: name,
      languageVersion: version,
      banner: info?.banner ?? '',
    };
  }

  /**
   * Runs one cell. Any reply but `ok` is a failure, `aborted` too: a kernel that passes over a
   * cell has not run it.
   */
  async execute(code: string, options: ExecuteOptions): Promise<Execution> {
    const { signal } = this;
    const { kernel } = this.session;
    if (!kernel) throw new Error('the kernel has been shut down');
    const { timeoutMs, stopOnError = true } = options;
    const outputs = new CellOutputs();
    const began = performance.now();
    const future = kernel.requestExecute({ code, allow_stdin: false, stop_on_error: stopOnError });
    future.onIOPub = (message) => outputs.add(message);
    const done = future.done.catch(() => 'died' as const); // a kernel that dies ends its futures
    const reply = await first([done, this.death, aborted(signal)], timeoutMs);
    const ms = performance.now() - began;
    const ended = { outputs: outputs.list, executionCount: null, ms };
    if (reply === 'stopped') {
      future.dispose();
      return { ...ended, status: 'stopped', error: { name: 'Stopped', value: 'broken off' } };
    }
    if (reply === 'died') {
      future.dispose();
      return { ...ended, status: 'died', error: { name: 'DeadKernel', value: 'the kernel died' } };
    }
    if (reply === undefined) {
      const way = (await this.interrupt(future)) ? INTERRUPTED : RESTARTED;
      const value = `the cell did not end within ${timeoutMs / 1000} s${way}`;
      return { ...ended, status: 'timeout', error: { name: 'CellTimeout', value } };
    }
    const { content } = reply;
    const executionCount = content.execution_count ?? null;
    if (content.status === 'ok') return { ...ended, executionCount, status: 'ok' };
    const { ename, evalue } = content as { ename?: string; evalue?: string };
    const none = content.status === 'error' ? 'the kernel gave no reason' : 'it was not run';
    const error = { name: ename ?? content.status, value: evalue ?? none };
    return { ...ended, executionCount, status: 'error', error };
  }

  /** Ends the kernel and the connection. */
  async shutdown(): Promise<void> {
    // The server starts a kernel that died anew; ended in the middle of that, it would stay.
    if (!this.signal?.aborted) {
      if (this.died) await this.status(/^(idle|dead)$/, RESTART_MS);
      await this.sessions.shutdown(this.session.id).catch(() => {}); // gone already
    }
    this.session.dispose();
    this.managers.forEach((manager) => manager.dispose());
  }

  /** Resolves when the kernel's status is or becomes one that `wanted` matches. */
  private status(wanted: RegExp, timeoutMs?: number): Promise<void> {
    const { kernel } = this.session;
    if (!kernel || wanted.test(kernel.status)) return Promise.resolve();
    const seen = new Promise<void>((resolve) => {
      kernel.statusChanged.connect((_, status) => {
        if (wanted.test(status)) resolve();
      });
    });
    return timeoutMs === undefined ? seen : first([seen], timeoutMs).then(() => {});
  }

  /** Interrupts what runs; where that does not help, the kernel is started anew. */
  private async interrupt(
    future: Pick<IShellFuture, 'dispose'> & { done: Promise<unknown> },
  ): Promise<boolean> {
    const done = future.done.then(
      () => true,
      () => true,
    );
    await this.session.kernel?.interrupt().catch(() => {});
    const ended = (await first([done], INTERRUPT_MS)) ?? false;
    future.dispose();
    if (!ended) await first([this.restart()], RESTART_MS);
    return ended;
  }

  private async restart(): Promise<void> {
    await this.session.kernel?.restart().catch(() => {});
  }
}

const starting = new Map<string, Promise<unknown>>();

/**
 * A server hands out the kernel of a path again while there is a session of that path: each session is
 * renamed before the next of the same path is started, so that each has a kernel of its own.
 */
function oneAtATime<T>(key: string, start: () => Promise<T>): Promise<T> {
  const before = starting.get(key) ?? Promise.resolve();
  const started = before.then(start);
  starting.set(
    key,
    started.catch(() => {}),
  );
  return started;
}

const INTERRUPTED = ' and was interrupted';
const RESTARTED = ', an interrupt did not end it, and the kernel was started anew';

/** What comes first; undefined if nothing does in time. Leaves no timer behind. */
async function first<T extends readonly Promise<unknown>[]>(
  racers: T,
  ms: number,
): Promise<Awaited<T[number]> | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return (await Promise.race([...racers, over])) as Awaited<T[number]> | undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function within<T>(ms: number, work: Promise<T>, signal?: AbortSignal): Promise<T> {
  work.catch(() => {}); // it may fail after it was given up
  const value = await first([work, aborted(signal)], ms);
  if (value === 'stopped') throw new Error('broken off');
  if (value === undefined) throw new Error(`no answer within ${ms / 1000} s`);
  return value as T;
}

const stops = new WeakMap<AbortSignal, Promise<'stopped'>>();

/** Resolves when a signal is given, with one listener however often it is asked. */
function aborted(signal: AbortSignal | undefined): Promise<'stopped'> {
  if (!signal) return new Promise(() => {});
  const known = stops.get(signal);
  if (known) return known;
  const stop = new Promise<'stopped'>((resolve) => {
    if (signal.aborted) resolve('stopped');
    signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
  stops.set(signal, stop);
  return stop;
}

/**
 * @jupyterlab/services tells each connection on stdout, where our data go, and each lost one on
 * stderr, although we tell ourselves that a kernel died.
 */
function quietServices(): void {
  for (const level of ['debug', 'warn'] as const) {
    const said = console[level];
    if ('quiet' in said) continue;
    const quieter = (...words: unknown[]) => {
      if (!/^(Starting WebSocket: |Kernel: |Connection lost, )/.test(String(words[0]))) {
        said(...words);
      }
    };
    console[level] = Object.assign(quieter, { quiet: true });
  }
}
