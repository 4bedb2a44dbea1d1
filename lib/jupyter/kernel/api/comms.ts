import { randomUUID } from 'node:crypto';
import { report } from '../runner/bridge';
import { asJson } from '../runner/format';
import type { Evaluator } from '../runner/evaluator';
import type { CommKind, CommOrder } from '../runner/protocol';
import type { Run } from '../runner/runs';
import { beginComm, currentRun, lastRun, within } from '../runner/runs';
import { reportUncaught } from '../runner/uncaught';

/** What travels through a comm. */
export interface CommMessage {
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  buffers: Uint8Array[];
}

type Handler = (message: CommMessage) => void | Promise<void>;

/** A handler, and the cell that set it: what it prints is shown there. */
interface Registered<T> {
  handler: T;
  run: Run | null;
}

function register<T>(handler: T): Registered<T> {
  return { handler, run: currentRun() };
}

/** Calls `work` in the name of the cell that set the handler. */
function inName<T>({ run }: Registered<unknown>, work: () => T): T {
  return run === null || run.dead ? work() : within(run, work);
}

/** A channel between the kernel and something in the front end. */
export class Comm {
  private readonly handlers: Record<'message' | 'close', Registered<Handler>[]> = {
    message: [],
    close: [],
  };
  /** Until one side closes it. */
  open = true;

  /** @internal */
  constructor(
    readonly id: string,
    readonly target: string,
  ) {}

  /** @throws Error if it is closed; TypeError if JSON cannot hold the data */
  send(data: Record<string, unknown>, more: Partial<CommMessage> = {}): void {
    if (!this.open) throw new Error(`the comm ${this.target} is closed`);
    tell('comm_msg', this, { metadata: {}, buffers: [], ...more, data });
  }

  onMessage(handler: Handler): void {
    this.handlers.message.push(register(handler));
  }

  onClose(handler: Handler): void {
    this.handlers.close.push(register(handler));
  }

  close(data: Record<string, unknown> = {}): void {
    if (!this.open) return;
    this.open = false;
    comms.delete(this.id);
    tell('comm_close', this, { data, metadata: {}, buffers: [] });
  }

  /** @internal */
  async receive(kind: 'message' | 'close', message: CommMessage): Promise<void> {
    for (const one of this.handlers[kind]) await inName(one, () => one.handler(message));
  }
}

const comms = new Map<string, Comm>();
type Opened = (comm: Comm, message: CommMessage) => void | Promise<void>;

const targets = new Map<string, Registered<Opened>>();

function tell(kind: CommKind, comm: Comm, { buffers, ...rest }: CommMessage): void {
  const data = asJson(rest.data, 'data');
  const metadata = asJson(rest.metadata, 'metadata');
  const run = currentRun() ?? lastRun();
  if (run.dead) return;
  const { id, target } = comm;
  const message: CommOrder = {
    type: 'comm',
    run: run.id,
    kind,
    id,
    target,
    data,
    metadata,
    buffers,
  };
  report({ type: 'comm', message });
}

/** Opens a comm to a target that the front end has registered. */
export function openComm(
  target: string,
  data: Record<string, unknown> = {},
  more: Partial<CommMessage> = {},
): Comm {
  const comm = new Comm(randomUUID(), target);
  comms.set(comm.id, comm);
  tell('comm_open', comm, { metadata: {}, buffers: [], ...more, data });
  return comm;
}

/** Names what front ends may open comms to. */
export function registerTarget(target: string, opened: Opened): void {
  targets.set(target, register(opened));
}

/** The comms that are open, target by id. */
export function openComms(): Record<string, string> {
  return Object.fromEntries([...comms.values()].map(({ id, target }) => [id, target]));
}

/** @internal */
export function receiveComm(evaluator: Evaluator, order: CommOrder): void {
  const run = beginComm(order.run);
  const finish = () => {
    run.done = true;
    const ended = { status: 'ok' as const };
    report({ type: 'done', run: run.id, ended, reached: 0, comms: openComms() });
  };
  const fail = (error: unknown) => reportUncaught(error, run);
  let handled: Promise<void> | undefined;
  evaluator.guard(() => {
    handled = within(run, () => handle(order).catch(fail));
  });
  if (handled) void handled.then(finish);
  else finish();
}

async function handle(order: CommOrder): Promise<void> {
  const { kind, id, target, data, metadata, buffers } = order;
  const message = { data, metadata, buffers };
  if (kind === 'comm_open') {
    const opened = targets.get(target);
    const comm = new Comm(id, target);
    if (opened === undefined) {
      comm.close({ error: `no comm target named ${target}` });
      return;
    }
    comms.set(id, comm);
    await inName(opened, () => opened.handler(comm, message));
    return;
  }
  const comm = comms.get(id);
  if (comm === undefined) return;
  if (kind === 'comm_close') {
    comm.open = false;
    comms.delete(id);
    await comm.receive('close', message);
  } else {
    await comm.receive('message', message);
  }
}
