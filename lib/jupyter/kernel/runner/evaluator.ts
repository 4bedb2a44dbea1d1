import { Session } from 'node:inspector';
import { promiseHooks } from 'node:v8';
import { HOOKS } from './hook-name';
import { resetCurrent } from './runs';

/** What `Runtime.evaluate` came to. */
export type Outcome =
  { kind: 'value' } | { kind: 'thrown'; value: unknown } | { kind: 'terminated' };

interface RemoteObject {
  objectId?: string;
  value?: unknown;
  unserializableValue?: string;
}

interface EvaluateResult {
  result: RemoteObject;
  exceptionDetails?: { exception?: RemoteObject };
}

const GROUP = 'cells';

/**
 * V8's own read-eval-print mode, through the inspector: what one cell declares, the next one
 * sees; `await` works at the top; and code that is terminated ends here, so that whoever called
 * goes on.
 */
export class Evaluator {
  private readonly session = new Session();
  private readonly declared = new Set<string>();
  private readonly pending = new Set<Promise<unknown>>();
  private hooksId = '';
  private job: (() => void) | undefined;
  private caught: unknown;

  /** @param hooks what compiled cells call */
  constructor(hooks: object) {
    this.session.connect();
    const all = Object.assign(hooks, {
      run: () => {
        const { job } = this;
        this.job = undefined;
        job?.();
      },
      caught: (value: unknown) => {
        this.caught = value;
      },
    });
    Object.defineProperty(globalThis, HOOKS, { value: all });
    this.post('Runtime.evaluate', { expression: HOOKS }, (_error, value) => {
      this.hooksId = (value as EvaluateResult).result.objectId ?? '';
    });
  }

  /** Declares names, once: what cells assign to. They are seen by all later cells. */
  declare(names: readonly string[]): void {
    const fresh = names.filter((name) => !this.declared.has(name));
    if (fresh.length === 0) return;
    const expression = `let ${fresh.join(', ')};`;
    this.post('Runtime.evaluate', { expression, replMode: true, silent: true }, (error, value) => {
      if (error === null && !(value as EvaluateResult).exceptionDetails) {
        for (const name of fresh) this.declared.add(name);
      }
    });
  }

  /** Runs a cell. `done` is called at once unless the cell awaits. */
  evaluate(code: string, done: (outcome: Outcome) => void): void {
    const options = {
      expression: code,
      replMode: true,
      awaitPromise: true,
      silent: true,
      objectGroup: GROUP,
    };
    const release = this.keepNextPromise();
    this.post('Runtime.evaluate', options, (error, value) => {
      release();
      const details = (value as EvaluateResult | undefined)?.exceptionDetails;
      if (error !== null || value === undefined) done({ kind: 'terminated' });
      else if (details === undefined) done({ kind: 'value' });
      else {
        done({ kind: 'thrown', value: this.valueOf(details.exception ?? {}) });
      }
      this.post('Runtime.releaseObjectGroup', { objectGroup: GROUP });
    });
  }

  /**
   * Keeps the promise of the evaluation that comes next from being collected while it is pending: Node 22
   * ends when V8 collects one that the inspector waits for. It is the first promise that is made.
   *
   * @returns lets go of it
   */
  private keepNextPromise(): () => void {
    let kept: Promise<unknown> | undefined;
    const stop = promiseHooks.onInit((promise) => {
      stop();
      kept = promise;
      this.pending.add(promise);
    }) as () => void;
    return () => {
      stop();
      if (kept) this.pending.delete(kept);
    };
  }

  /**
   * Calls `job`, which must not throw, so that a termination ends it and not the caller. Node's
   * bookkeeping of timers and ticks breaks if its own frames are terminated.
   *
   * @returns whether it came to its end
   */
  guard(job: () => void): boolean {
    const outer = this.job;
    this.job = job;
    let ended = false;
    const expression = `${HOOKS}.run()`;
    this.post('Runtime.evaluate', { expression, silent: true }, (error) => {
      ended = error === null;
    });
    this.job = outer;
    if (!ended) resetCurrent();
    return ended;
  }

  /** The value behind what the inspector tells of an exception. */
  private valueOf(remote: RemoteObject): unknown {
    this.caught = undefined;
    const { objectId, value, unserializableValue } = remote;
    const argument = objectId ? { objectId } : { value, unserializableValue };
    this.post('Runtime.callFunctionOn', {
      objectId: this.hooksId,
      functionDeclaration: 'function (value) { this.caught(value) }',
      arguments: [JSON.parse(JSON.stringify(argument))],
      silent: true,
    });
    const { caught } = this;
    this.caught = undefined;
    return caught;
  }

  private post(
    method: string,
    params: object,
    done: (error: Error | null, value?: object) => void = () => undefined,
  ): void {
    this.session.post(method, params, done);
  }
}
