import timers from 'node:timers';
import type { Evaluator } from './evaluator';
import type { Run } from './runs';
import { currentRun, holdTimer, releaseTimer, within } from './runs';
import { reportUncaught } from './uncaught';

type Callback = (...args: unknown[]) => unknown;
type Start = (callback: Callback, ...rest: unknown[]) => object;
type Stop = (handle: unknown) => void;

/** Node's own. */
const later = setImmediate;

const runOfHandle = new WeakMap<object, Run>();

/**
 * Makes timers, ticks and microtasks belong to the run that starts them: they end with an
 * interrupt, what they throw is shown at their cell, and a loop in one of them can be broken.
 */
export function ownTimers(evaluator: Evaluator): void {
  const call = (run: Run, callback: Callback, self: unknown, args: unknown[]) => {
    if (run.dead) return;
    evaluator.guard(() => {
      try {
        within(run, () => callback.apply(self, args));
      } catch (error) {
        reportUncaught(error, run);
      }
    });
  };

  const own = (name: 'setTimeout' | 'setInterval' | 'setImmediate', stop: Stop) => {
    const original = timers[name] as unknown as Start;
    const start: Start = function (callback, ...rest) {
      const run = currentRun();
      if (run === null || typeof callback !== 'function') return original(callback, ...rest);
      if (run.dead) return original(() => undefined);
      const handle: object = original(
        function (this: unknown, ...args) {
          if (name !== 'setInterval') releaseTimer(run, handle);
          call(run, callback, this, args);
        },
        ...rest,
      );
      holdTimer(run, handle, () => stop(handle));
      runOfHandle.set(handle, run);
      return handle;
    };
    replace(name, start, original);
  };
  own('setTimeout', timers.clearTimeout as Stop);
  own('setInterval', timers.clearInterval as Stop);
  own('setImmediate', timers.clearImmediate as Stop);
  for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate'] as const) {
    const original = timers[name] as Stop;
    const stop: Stop = (handle) => {
      if (typeof handle === 'object' && handle !== null) {
        const run = runOfHandle.get(handle);
        if (run) releaseTimer(run, handle);
      }
      original(handle);
    };
    replace(name, stop, original);
  }
  ownTicks(evaluator);
  globalThis.queueMicrotask = (callback) => {
    if (typeof callback !== 'function') {
      throw new TypeError(`queueMicrotask: expected a function, got ${typeof callback}`);
    }
    const run = currentRun();
    void Promise.resolve().then(() => {
      try {
        if (!run?.dead) callback();
      } catch (error) {
        reportUncaught(error, run);
      }
    });
  };
}

/** In `globalThis` and in `node:timers`, with what else hangs on the original. */
function replace(name: keyof typeof timers, value: unknown, original: unknown): void {
  Object.defineProperties(value, Object.getOwnPropertyDescriptors(original));
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  Object.defineProperty(timers, name, { value, writable: true, configurable: true });
}

/** One tick of Node's for all that a cell asks for before it: entering V8 anew is not free. */
function ownTicks(evaluator: Evaluator): void {
  const original = process.nextTick.bind(process) as (
    callback: Callback,
    ...rest: unknown[]
  ) => void;
  const waiting: { run: Run; callback: Callback; args: unknown[] }[] = [];
  let isScheduled = false;
  const drain = () => {
    const ended = evaluator.guard(() => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const { run, callback, args } = next;
        if (run.dead) continue;
        try {
          within(run, () => callback(...args));
        } catch (error) {
          reportUncaught(error, run);
        }
      }
    });
    // Broken off: first the interrupt is to be received, then whoever is left gets its turn.
    isScheduled = !ended;
    if (!ended) later(drain);
  };
  const nextTick = (callback: Callback, ...args: unknown[]) => {
    const run = currentRun();
    if (run === null || typeof callback !== 'function') {
      original(callback, ...args);
      return;
    }
    waiting.push({ run, callback, args });
    if (isScheduled) return;
    isScheduled = true;
    original(drain);
  };
  process.nextTick = nextTick as typeof process.nextTick;
}
