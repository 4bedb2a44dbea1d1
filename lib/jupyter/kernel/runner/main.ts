/**
 * The process that runs the cells. Nothing of the kernel's own state lives here: if a cell takes
 * the process down, the kernel says so and starts another one.
 */
import { acknowledge, connect, report } from './bridge';
import { receiveComm } from '../api/comms';
import { ownConsole } from './console';
import { execute, hooks, interrupt } from './execution';
import { Evaluator } from './evaluator';
import { cellGlobals, ownModules, prepareImports } from './modules';
import { surviveExit } from './process-exit';
import type { Order } from './protocol';
import { followPromises } from './runs';
import { mapStacks } from './stack';
import { ownTimers } from './timers';
import { catchUncaught } from './uncaught';
import { ownShow } from '../api/display';
import { ownPrompt } from '../api/input';

function obey(evaluator: Evaluator, order: Order): void {
  switch (order.type) {
    case 'execute':
      return execute(evaluator, order);
    case 'comm':
      return receiveComm(evaluator, order);
    case 'interrupt':
      acknowledge();
      return interrupt(order.run);
    case 'ping':
      return report({ type: 'pong', id: order.id });
    case 'answer':
      return;
  }
}

const evaluator = new Evaluator(hooks);
connect((order) => obey(evaluator, order));
mapStacks();
surviveExit();
catchUncaught();
ownConsole();
ownModules();
ownTimers(evaluator);
ownPrompt();
ownShow();
hooks.meta = cellGlobals();
followPromises();
void prepareImports();
report({ type: 'ready' });
