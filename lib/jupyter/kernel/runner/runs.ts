import { promiseHooks } from 'node:v8';
import type { Failure } from './protocol';

/** One piece of work: a cell, or a comm message. What it starts belongs to it. */
export interface Run {
  readonly id: number;
  /** Interrupted: none of its code is to run again, and what it prints is dropped. */
  dead: boolean;
  /** Its end has been reported. */
  done: boolean;
  /** Whether it may ask for input. */
  readonly stdin: boolean;
  /** What stops the timers it started. */
  readonly stops: Map<object, () => void>;
  /** The first thing thrown in its callbacks. */
  failure?: Failure;
}

/** Work that nothing can be traced back to. */
export const NO_RUN: Run = {
  id: 0,
  dead: false,
  done: true,
  stdin: false,
  stops: new Map(),
};

let current: Run | null = null;
let last: Run = NO_RUN;

/** The run whose code runs now, as far as it can be told. */
export function currentRun(): Run | null {
  return current;
}

/** The run that was begun last: the best guess where nothing better is known. */
export function lastRun(): Run {
  return last;
}

export function beginRun(id: number, stdin: boolean): Run {
  last = { id, dead: false, done: false, stdin, stops: new Map() };
  return last;
}

/** A comm message is a run of its own, but what is untraceable still belongs to the last cell. */
export function beginComm(id: number): Run {
  return { id, dead: false, done: false, stdin: false, stops: new Map() };
}

/** Runs that have timers going. */
const background = new Set<Run>();

/** Notes what stops a timer that `run` has started. */
export function holdTimer(run: Run, handle: object, stop: () => void): void {
  run.stops.set(handle, stop);
  background.add(run);
}

export function releaseTimer(run: Run, handle: object): void {
  run.stops.delete(handle);
  if (run.stops.size === 0) background.delete(run);
}

/** Ends a run: its timers stop, and what is left of its code does not go on. */
export function killRun(run: Run): void {
  run.dead = true;
  for (const stop of run.stops.values()) stop();
  run.stops.clear();
  background.delete(run);
}

/** Ends whatever earlier runs have left going. */
export function killBackground(): void {
  for (const run of [...background]) killRun(run);
}

/** Calls `fn` as part of `run`. */
export function within<T>(run: Run | null, fn: () => T): T {
  const outer = current;
  current = run;
  try {
    return fn();
  } finally {
    current = outer;
  }
}

/** After an interrupt the stack that `within` would have unwound is gone. */
export function resetCurrent(): void {
  current = null;
}

class Returned {
  constructor(object: object) {
    return object;
  }
}

/**
 * Writes a private field into an object that is not its own: invisible to the reader of a
 * notebook, and three times as fast as a WeakMap.
 */
class Stamp extends Returned {
  #run: Run;

  constructor(object: object, run: Run) {
    super(object);
    this.#run = run;
  }

  static of(object: object): Run | null {
    return #run in object ? (object as Stamp).#run : null;
  }
}

/** The run in which a promise was made. */
export function runOfPromise(promise: object): Run | null {
  return Stamp.of(promise);
}

/**
 * Follows runs through promises. AsyncLocalStorage would do the same, but its bookkeeping does
 * not survive code that is terminated: Node aborts.
 */
export function followPromises(): void {
  promiseHooks.createHook({
    init(promise: Promise<unknown>) {
      if (current !== null) new Stamp(promise, current);
    },
    before(promise: Promise<unknown>) {
      current = Stamp.of(promise);
    },
    after() {
      current = null;
    },
  });
}
