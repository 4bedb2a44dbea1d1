import { setTimeout as sleep } from 'node:timers/promises';
import type { CompilerClient } from '../compiler/client';
import type { Channels } from '../protocol/channels';
import type { JsonObject, Message } from '../protocol/message';
import { isObject } from '../protocol/message';
import type { Ended, ExecuteOrder, Failure, Order, Report } from '../runner/protocol';
import type { History } from './history';
import type { Outputs } from './outputs';

type Done = Extract<Report, { type: 'done' }>;

/** How long the runner may take to stop before what it has started is interrupted too. */
const CHILDREN_MS = 300;

const INTERRUPTED: Failure = {
  ename: 'Interrupted',
  evalue: 'the cell was interrupted',
  traceback: ['\u001b[31mInterrupted\u001b[39m: the cell was interrupted; all variables are kept'],
};

export interface ExecutionParts {
  channels: Channels;
  compiler: CompilerClient;
  outputs: Outputs;
  history: History;
  order(order: Order): void;
  interruptChildren(): void;
}

/** The cells: one at a time, in the order in which they came. */
export class Executions {
  private readonly queue: Message[] = [];
  private running: Message | undefined;
  private isInterrupted = false;
  /** The run that the runner has been given, and who waits for its end. */
  private waiting: { run: number; resolve(done: Done): void } | undefined;
  private count = 0;
  private serial = 0;

  constructor(private readonly parts: ExecutionParts) {}

  /** The request that runs now. */
  get current(): Message | undefined {
    return this.running;
  }

  get executionCount(): number {
    return this.count;
  }

  push(request: Message): void {
    this.queue.push(request);
    if (!this.running) void this.work();
  }

  /** Stops what runs now; if nothing does, what went on in the background. */
  interrupt(): void {
    const { running, parts, waiting } = this;
    if (running === undefined) {
      parts.order({ type: 'interrupt', run: 0 });
      return;
    }
    this.isInterrupted = true;
    parts.compiler.cancel();
    if (waiting === undefined) return;
    parts.order({ type: 'interrupt', run: waiting.run });
    parts.outputs.mute(waiting.run);
    void sleep(CHILDREN_MS).then(() => {
      if (this.waiting === waiting) parts.interruptChildren();
    });
  }

  /** The runner has ended a run. */
  ended(done: Done): void {
    if (this.waiting?.run !== done.run) return;
    const { resolve } = this.waiting;
    this.waiting = undefined;
    resolve(done);
  }

  /** The runner is gone. */
  died(error: Failure): boolean {
    if (this.waiting === undefined) return false;
    const { run } = this.waiting;
    this.ended({ type: 'done', run, ended: { status: 'error', error }, reached: 0, comms: {} });
    return true;
  }

  private async work(): Promise<void> {
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      this.running = next;
      this.isInterrupted = false;
      const { outputs } = this.parts;
      outputs.status('busy', next.header);
      let failed = true;
      try {
        failed = await this.execute(next);
      } catch (error) {
        this.reply(next, failure({ ename: 'KernelError', evalue: String(error), traceback: [] }));
      }
      outputs.status('idle', next.header);
      this.running = undefined;
      if (failed && next.content.stop_on_error !== false) this.abort();
    }
  }

  /** Answers what came behind a cell that failed. */
  private abort(): void {
    const { outputs } = this.parts;
    for (const request of this.queue.splice(0)) {
      outputs.status('busy', request.header);
      this.reply(request, { status: 'aborted' });
      outputs.status('idle', request.header);
    }
  }

  private reply(request: Message, content: JsonObject): void {
    const full = { execution_count: this.count, ...content };
    this.parts.channels.reply('shell', request, 'execute_reply', full);
  }

  /** @returns whether it failed */
  private async execute(request: Message): Promise<boolean> {
    const { code, silent = false, store_history: store = true } = request.content;
    if (typeof code !== 'string') {
      const evalue = `execute_request: code: expected a string, got ${typeof code}`;
      this.reply(request, failure({ ename: 'BadRequest', evalue, traceback: [evalue] }));
      return true;
    }
    const isSilent = silent === true;
    const isKept = !isSilent && store !== false;
    const { outputs, history } = this.parts;
    const run = outputs.begin(request, isSilent);
    if (isKept && code.trim() !== '') this.count += 1;
    outputs.publish(run, 'execute_input', { code, execution_count: this.count });
    const ended = await this.runCell(run, code, `cell [${this.count}]`, isStdinAllowed(request));
    const shown = ended.status === 'ok' ? ended.result?.data['text/plain'] : undefined;
    if (isKept && code.trim() !== '') {
      history.add(this.count, code, typeof shown === 'string' ? shown : null);
    }
    outputs.conclude(run);
    if (ended.status !== 'ok') {
      const error = ended.status === 'error' ? ended.error : INTERRUPTED;
      if (!(ended.status === 'error' && ended.shown)) outputs.error(run, error);
      this.reply(request, failure(error));
      return true;
    }
    if (ended.result) outputs.result(run, ended.result, this.count);
    const expressions = await this.expressions(request, run);
    this.reply(request, { status: 'ok', payload: [], user_expressions: expressions });
    return false;
  }

  private async runCell(run: number, code: string, label: string, stdin: boolean): Promise<Ended> {
    const { compiler, outputs, order } = this.parts;
    if (code.trim() === '') return { status: 'ok' };
    const compiled = await compiler.ask('compile', code, label).catch(notCompiled);
    if (this.isInterrupted) return { status: 'interrupted' };
    if (!compiled.ok) return { status: 'error', error: compiled.error };
    for (const warning of compiled.warnings) outputs.stream(run, 'stderr', `${warning}\n`);
    this.serial += 1;
    const { code: script, map, lineOffset, names, token } = compiled;
    const url = `cell-${this.serial}.ts`;
    const job: ExecuteOrder = {
      ...{ type: 'execute', run, code: script, url, label, source: code },
      ...{ map, lineOffset, names, stdin },
    };
    const done = await new Promise<Done>((resolve) => {
      this.waiting = { run, resolve };
      order(job);
    });
    await compiler.commit(token, done.ended.status === 'ok', done.reached).catch(() => undefined);
    return done.ended;
  }

  /** Expressions that a front end wants the values of, next to the cell. */
  private async expressions(request: Message, run: number): Promise<JsonObject> {
    const wanted = request.content.user_expressions;
    const results: JsonObject = {};
    if (!isObject(wanted)) return results;
    for (const [name, expression] of Object.entries(wanted)) {
      const code = String(expression);
      const ended = await this.runCell(run, code, `expression ${name}`, false);
      if (ended.status === 'ok') {
        const { data, metadata } = ended.result ?? {
          data: { 'text/plain': 'undefined' },
          metadata: {},
        };
        results[name] = { status: 'ok', data, metadata };
      } else {
        results[name] = failure(ended.status === 'error' ? ended.error : INTERRUPTED);
      }
    }
    return results;
  }
}

function notCompiled(error: Error): { ok: false; error: Failure } {
  const { message: evalue } = error;
  return {
    ok: false,
    error: { ename: 'CompilerError', evalue, traceback: [`CompilerError: ${evalue}`] },
  };
}

function isStdinAllowed({ content }: Message): boolean {
  return content.allow_stdin !== false;
}

function failure({ ename, evalue, traceback }: Failure): JsonObject {
  return { status: 'error', ename, evalue, traceback };
}
