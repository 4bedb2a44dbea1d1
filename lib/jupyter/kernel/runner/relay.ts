import { Session } from 'node:inspector';
import { Socket } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import { workerData } from 'node:worker_threads';
import { Link } from './link';
import type { InterruptOrder, Order, Report } from './protocol';
import { ACKNOWLEDGED, OUTSTANDING, STOP, WAKE } from './shared';

/**
 * A thread of the process that runs the cells. It carries orders and reports while the main
 * thread is busy with a cell, gathers what a cell prints, and breaks the main thread off when
 * it is to be interrupted.
 */

/** How long the main thread may take to stop by itself, and to answer a termination. */
const PATIENCE_MS = 40;
const RETRY_MS = 150;
const RETRIES = 60;
const GATHER_MS = 8;
const GATHER_CHARS = 64 * 1024;

const { port, shared } = workerData as { port: MessagePort; shared: Int32Array };
const session = new Session();
session.connectToMainThread();

const socket = new Socket({ fd: 3, readable: true, writable: true });
const link = new Link<Report, Order>(socket, deliver);
// Without the kernel this process has no reason to live, whatever its main thread is doing.
for (const event of ['end', 'close', 'error'] as const) {
  socket.on(event, end);
}

/** Ends the process, and with it what the cells have started. */
function end(): void {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
}

function deliver(order: Order): void {
  if (order.type === 'interrupt') interrupt(order);
  else port.postMessage(order);
  if (order.type === 'answer' || order.type === 'interrupt') {
    Atomics.add(shared, WAKE, 1);
    Atomics.notify(shared, WAKE);
  }
}

/** Asks the main thread to stop; if it is too busy to be asked, terminates what it runs. */
function interrupt(order: InterruptOrder): void {
  Atomics.store(shared, ACKNOWLEDGED, 0);
  Atomics.store(shared, STOP, 1);
  port.postMessage(order);
  const insist = (tries: number) => {
    if (Atomics.load(shared, ACKNOWLEDGED) !== 0 || tries === 0) return;
    session.post('Runtime.terminateExecution');
    setTimeout(() => insist(tries - 1), RETRY_MS);
  };
  setTimeout(() => insist(RETRIES), PATIENCE_MS);
}

type Stream = Extract<Report, { type: 'stream' }>;
let gathered: Stream | undefined;
let timer: NodeJS.Timeout | undefined;

function flush(): void {
  clearTimeout(timer);
  timer = undefined;
  if (gathered === undefined) return;
  const report = gathered;
  gathered = undefined;
  link.send(report, () => {
    Atomics.sub(shared, OUTSTANDING, report.text.length);
    Atomics.notify(shared, OUTSTANDING);
  });
}

port.on('message', (report: Report) => {
  if (report.type !== 'stream') {
    flush();
    link.send(report);
    return;
  }
  if (gathered && (gathered.run !== report.run || gathered.name !== report.name)) flush();
  if (gathered) gathered.text += report.text;
  else gathered = report;
  if (gathered.text.length >= GATHER_CHARS) flush();
  else timer ??= setTimeout(flush, GATHER_MS);
});
