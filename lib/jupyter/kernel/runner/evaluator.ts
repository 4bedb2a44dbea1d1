import { Session } from 'node:inspector';
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

/** V8's own, whatever cells make of it. */
const { then } = Promise.prototype;
const { apply } = Reflect;

/**
 * Runs scripts through V8's inspector: what one script declares at its top, the next one sees;
 * and code that is terminated ends here, so that whoever called goes on.
 */
export class Evaluator {
  private readonly session = new Session();
  private readonly declared = new Set<string>();
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
    this.post('Runtime.evaluate', { expression, silent: true }, (error, value) => {
      if (error === null && !(value as EvaluateResult).exceptionDetails) {
        for (const name of fresh) this.declared.add(name);
      } else if (fresh.length > 1) {
        for (const name of fresh) this.declare([name]);
      }
    });
  }

  /**
   * Runs a cell, whose value is a promise. `done` is called in its own time, at the earliest in a
   * microtask. The promise is followed here and not by the inspector: one that is collected
   * before it is settled (the cell waits for nothing that can happen) would make it answer in the
   * middle of the collection, and end the process.
   */
  evaluate(code: string, done: (outcome: Outcome) => void): void {
    const options = { expression: code, silent: true, objectGroup: GROUP };
    this.post('Runtime.evaluate', options, (error, value) => {
      const { result, exceptionDetails: details } = (value ?? {}) as Partial<EvaluateResult>;
      if (error !== null || result === undefined) done({ kind: 'terminated' });
      else if (details) done({ kind: 'thrown', value: this.valueOf(details.exception ?? {}) });
      else {
        const returned = () => done({ kind: 'value' });
        const threw = (thrown: unknown) => done({ kind: 'thrown', value: thrown });
        apply(then, this.valueOf(result), [returned, threw]);
      }
      this.post('Runtime.releaseObjectGroup', { objectGroup: GROUP });
    });
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
    // The inspector takes no undefined.
    const argument = objectId
      ? { objectId }
      : unserializableValue
        ? { unserializableValue }
        : { value };
    if (argument.value === undefined) delete argument.value;
    this.post('Runtime.callFunctionOn', {
      objectId: this.hooksId,
      functionDeclaration: 'function (value) { this.caught(value) }',
      arguments: [argument],
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
