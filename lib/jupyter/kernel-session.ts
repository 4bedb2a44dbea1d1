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

/** How one execution ended. `died`: the kernel did; `timeout`: it was interrupted or is stuck. */
export type CellStatus = 'ok' | 'error' | 'timeout' | 'died';

export interface Execution {
  readonly status: CellStatus;
  readonly outputs: readonly Output[];
  readonly executionCount: number | null;
  readonly ms: number;
  /** What went wrong, unless `status` is `ok`. */
  readonly error?: { readonly name: string; readonly value: string };
}

/** A kernel of its own for one notebook, on a server that runs already. */
export class KernelSession {
  private died = false;
  private readonly death: Promise<'died'>;

  private constructor(
    private readonly session: Session.ISessionConnection,
    private readonly sessions: SessionManager,
    private readonly managers: readonly { dispose(): void }[],
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
   * @throws Error if the kernel does not come up
   */
  static async start(
    server: Pick<JupyterServer, 'url' | 'token'>,
    path: string,
    kernelName: string,
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
      await sessionManager.ready;
      const name = path.split('/').at(-1) ?? path;
      const kernel = { name: kernelName };
      const session = await sessionManager.startNew({ path, name, type: 'notebook', kernel });
      started = new KernelSession(session, sessionManager, managers);
      await within(READY_MS, session.kernel?.info ?? Promise.reject(new Error('no kernel')));
      return started;
    } catch (error) {
      if (started) await started.shutdown();
      else managers.forEach((manager) => manager.dispose());
      throw new Error(`kernel ${kernelName} did not start: ${(error as Error).message}`);
    }
  }

  /**
   * Runs one cell. Any reply but `ok` is a failure, `aborted` too: a kernel that passes over a
   * cell has not run it.
   *
   * @param timeoutMs after this the kernel is interrupted and the status is `timeout`
   */
  async execute(code: string, timeoutMs: number): Promise<Execution> {
    const { kernel } = this.session;
    if (!kernel) throw new Error('the kernel has been shut down');
    const outputs = new CellOutputs();
    const began = performance.now();
    const future = kernel.requestExecute({ code, allow_stdin: false, stop_on_error: true });
    future.onIOPub = (message) => outputs.add(message);
    const done = future.done.catch(() => 'died' as const); // a kernel that dies ends its futures
    const reply = await Promise.race([done, this.death, after(timeoutMs)]);
    const ms = performance.now() - began;
    const ended = { outputs: outputs.list, executionCount: null, ms };
    if (reply === 'died') {
      future.dispose();
      return { ...ended, status: 'died', error: { name: 'DeadKernel', value: 'the kernel died' } };
    }
    if (reply === undefined) {
      await this.interrupt(future);
      const value = `the cell did not end within ${timeoutMs / 1000} s`;
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
    if (this.died) await this.status(/^(idle|dead)$/, RESTART_MS);
    await this.sessions.shutdown(this.session.id).catch(() => {}); // gone already
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
    return timeoutMs === undefined ? seen : Promise.race([seen, after(timeoutMs)]);
  }

  private async interrupt(
    future: Pick<IShellFuture, 'dispose'> & { done: Promise<unknown> },
  ): Promise<void> {
    const done = future.done.catch(() => {});
    await this.session.kernel?.interrupt().catch(() => {});
    await Promise.race([done, after(INTERRUPT_MS)]);
    future.dispose();
  }
}

function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref());
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const value = await Promise.race([work, after(ms)]);
  if (value === undefined) throw new Error(`no answer within ${ms / 1000} s`);
  return value;
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
