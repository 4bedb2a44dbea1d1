import { types } from 'node:util';
import { openComms } from '../api/comms';
import { report, stopFlag } from './bridge';
import { describe, noteThrown } from './errors';
import type { Evaluator, Outcome } from './evaluator';
import type { Shown } from './format';
import { present } from './format';
import { importModule, metaOf, modules } from './modules';
import type { Ended, ExecuteOrder } from './protocol';
import type { Run } from './runs';
import { beginRun, currentRun, killBackground, killRun, resetCurrent, within } from './runs';
import { addScript } from './stack';

const NOTHING = Symbol('no result');
/** Node's own, before the cells' timers. */
const later = setImmediate;

/** What an await throws in a cell that has been interrupted meanwhile. */
class Interrupted extends Error {
  override name = 'Interrupted';
}

/** What compiled cells call and set. */
export const hooks = {
  /** The value of the last expression. */
  result: NOTHING as unknown,
  /** How many declarations have been carried out. */
  reached: 0,
  meta: {},
  metaOf,
  import: importModule,
  modules,
  thrown: noteThrown,
  /** Whether a loop at the top of a cell is to be left: asked now and then. */
  turn: () => stopFlag[0],
  /** Behind such a loop. */
  stop() {
    if (stopFlag[0] !== 0) throw new Interrupted('the cell was interrupted');
  },
  /** Stands behind every `await`: a cell that was interrupted does not go on. */
  check<T>(value: T): T {
    if (currentRun()?.dead) throw new Interrupted('the cell was interrupted');
    return value;
  },
};

/** The cell that runs now. One at a time: the kernel queues. */
let active: { run: Run } | undefined;

export function execute(evaluator: Evaluator, order: ExecuteOrder): void {
  const run = beginRun(order.run, order.stdin);
  const { url, label, source, map, lineOffset } = order;
  active = { run };
  addScript(url, { label, source, map, lineOffset, run: order.run });
  evaluator.declare(order.names);
  hooks.result = NOTHING;
  hooks.reached = 0;
  within(run, () => {
    evaluator.evaluate(`${order.code}\n//# sourceURL=${url}`, (outcome) => {
      within(run, () => conclude(evaluator, run, outcome));
    });
  });
}

/** Turns the outcome into a report; showing a result may itself run the cell's code. */
function conclude(evaluator: Evaluator, run: Run, outcome: Outcome): void {
  if (run.done) return;
  const { kind } = outcome;
  if (kind === 'terminated' || (kind === 'thrown' && outcome.value instanceof Interrupted)) {
    return end(run, { status: 'interrupted' });
  }
  if (outcome.kind === 'thrown')
    return end(run, { status: 'error', error: describe(outcome.value) });
  const { result } = hooks;
  hooks.result = NOTHING;
  if (result === NOTHING || result === undefined) return end(run, { status: 'ok' });
  let shown: Shown | Promise<Shown> | undefined;
  let error: unknown;
  const ended = evaluator.guard(() => {
    try {
      shown = within(run, () => present(result));
    } catch (thrown) {
      error = thrown;
    }
  });
  if (!ended) return end(run, { status: 'interrupted' });
  if (shown === undefined) return end(run, { status: 'error', error: describe(error) });
  if (!types.isPromise(shown)) return end(run, succeeded(shown));
  shown.then(
    (bundle) => end(run, succeeded(bundle)),
    (thrown: unknown) => end(run, { status: 'error', error: describe(thrown) }),
  );
}

function succeeded(shown: Shown): Ended {
  return shown === null ? { status: 'ok' } : { status: 'ok', result: shown };
}

/** One turn later: what the cell threw in a promise nobody waits for is known by then. */
function end(run: Run, ended: Ended): void {
  const { reached } = hooks;
  later(() => {
    if (run.done) return;
    const { failure } = run;
    const isLate = ended.status === 'ok' && failure !== undefined;
    const final: Ended = isLate ? { status: 'error', error: failure, shown: true } : ended;
    report({ type: 'done', run: run.id, ended: final, reached, comms: openComms() });
    run.done = true;
    if (active?.run === run) active = undefined;
  });
}

/** Ends run `id` if it still runs; with 0, what earlier runs have left going. */
export function interrupt(id: number): void {
  resetCurrent();
  if (id === 0) killBackground();
  else if (active?.run.id === id) {
    const { run } = active;
    killRun(run);
    end(run, { status: 'interrupted' });
  }
}
