import type { MessagePort } from 'node:worker_threads';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { join } from 'node:path';
import type { CallMethod, Order, Report } from './protocol';
import type { Run } from './runs';
import { currentRun, lastRun } from './runs';
import { ACKNOWLEDGED, OUTSTANDING, OUTSTANDING_LIMIT, SHARED_LENGTH, STOP, WAKE } from './shared';

/** The main thread's way to the kernel. */
const shared = new Int32Array(new SharedArrayBuffer(4 * SHARED_LENGTH));
let port: MessagePort | undefined;
let nextCall = 1;
const calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
/** Orders that came while the main thread waited for an answer. */
const early: Order[] = [];
let receiver: (order: Order) => void = () => undefined;
/** Node's own, before what the cells see in its place. */
const later = setImmediate;

/** Whether this is a kernel's process at all. */
export function isConnected(): boolean {
  return port !== undefined;
}

export function connect(receive: (order: Order) => void): void {
  const channel = new MessageChannel();
  const { port1, port2 } = channel;
  new Worker(join(__dirname, 'relay.js'), {
    workerData: { port: port2, shared },
    transferList: [port2],
    stdout: true,
    stderr: true,
    execArgv: [],
  }).unref();
  port = port1;
  receiver = receive;
  port1.on('message', (order: Order) => {
    receiveEarly();
    if (order.type === 'answer') settle(order);
    else receive(order);
  });
}

function receiveEarly(): void {
  for (const order of early.splice(0)) receiver(order);
}

function settle(order: Extract<Order, { type: 'answer' }>): void {
  const call = calls.get(order.id);
  calls.delete(order.id);
  if (order.error !== undefined) call?.reject(new Error(order.error));
  else call?.resolve(order.value);
}

export function report(message: Report): void {
  port?.postMessage(message);
}

/** Prints; waits if the kernel is far behind. */
export function print(name: 'stdout' | 'stderr', text: string, run: Run | null): void {
  const known = run ?? currentRun();
  if (known?.dead || text === '') return;
  const { id } = known ?? lastRun();
  while (Atomics.load(shared, OUTSTANDING) > OUTSTANDING_LIMIT) {
    Atomics.wait(shared, OUTSTANDING, Atomics.load(shared, OUTSTANDING), 100);
  }
  Atomics.add(shared, OUTSTANDING, text.length);
  report({ type: 'stream', run: id, name, text });
}

/** Not 0 while the cell is to stop. */
export const stopFlag = shared.subarray(STOP, STOP + 1);

export function acknowledge(): void {
  Atomics.store(shared, STOP, 0);
  Atomics.store(shared, ACKNOWLEDGED, 1);
}

export function call(method: CallMethod, ...args: unknown[]): Promise<unknown> {
  const id = nextCall++;
  const run = (currentRun() ?? lastRun()).id;
  return new Promise((resolve, reject) => {
    calls.set(id, { resolve, reject });
    report({ type: 'call', run, id, method, args });
  });
}

/**
 * Asks the kernel and stands still until it answers.
 *
 * @throws Error with the kernel's own words if it refuses, or if the run is interrupted
 */
export function callSync(method: CallMethod, ...args: unknown[]): unknown {
  if (port === undefined) throw new Error('not in a notebook kernel');
  const id = nextCall++;
  const run = (currentRun() ?? lastRun()).id;
  let seen = Atomics.load(shared, WAKE);
  report({ type: 'call', run, id, method, args });
  for (;;) {
    Atomics.wait(shared, WAKE, seen, 1000);
    seen = Atomics.load(shared, WAKE);
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: Order } | undefined;
      if (received === undefined) break;
      const order = received.message;
      if (order.type === 'answer' && order.id === id) {
        if (order.error !== undefined) throw new Error(order.error);
        return order.value;
      }
      if (order.type === 'answer') settle(order);
      else if (early.push(order) === 1) later(receiveEarly);
      if (order.type === 'interrupt') throw new Error('interrupted');
    }
  }
}
