import { CompilerClient } from '../compiler/client';
import type { Channel, Channels } from '../protocol/channels';
import type { JsonObject, Message } from '../protocol/message';
import type { CommKind, Failure, Order, Report } from '../runner/protocol';
import { Executions } from './executions';
import { History } from './history';
import { kernelInfo } from './info';
import { Lookups } from './lookups';
import { Outputs } from './outputs';
import { Runner } from './runner';
import { Stdin } from './stdin';
import { asObject } from './content';

export interface KernelOptions {
  /** Where cells run and imports start from. */
  folder: string;
  /** Where the history is kept. */
  historyFile?: string;
  /** Called when the kernel has been told to end and has said so. */
  onShutdown(): void;
}

type Handler = (request: Message, channel: Channel) => JsonObject | Promise<JsonObject> | undefined;

/** A kernel's main part: takes requests, gives them to those who know, answers. */
export class Kernel {
  private readonly compiler: CompilerClient;
  private readonly outputs: Outputs;
  private readonly executions: Executions;
  private readonly stdin: Stdin;
  private readonly comms = new Map<string, string>();
  private readonly handlers: Record<string, Handler>;
  private runner: Runner;
  private early = 0;

  constructor(
    private readonly channels: Channels,
    private readonly options: KernelOptions,
  ) {
    this.compiler = new CompilerClient(options.folder);
    this.runner = this.startRunner();
    this.outputs = new Outputs(channels, (paused) => this.runner.pause(paused));
    this.stdin = new Stdin(channels);
    const history = new History(options.historyFile);
    this.executions = new Executions({
      channels,
      compiler: this.compiler,
      outputs: this.outputs,
      history,
      order: (order: Order) => this.runner.order(order),
      interruptChildren: () => this.runner.interruptChildren(),
    });
    const lookups = new Lookups(this.compiler);
    this.handlers = {
      kernel_info_request: () => kernelInfo(),
      complete_request: ({ content }) => lookups.complete(content),
      inspect_request: ({ content }) => lookups.inspect(content),
      is_complete_request: ({ content }) => lookups.isComplete(content),
      history_request: ({ content }) => ({ status: 'ok', history: history.ask(content) }),
      comm_info_request: ({ content }) => this.commInfo(content),
      interrupt_request: () => this.interrupt(),
      shutdown_request: ({ content }) => ({ status: 'ok', restart: content.restart === true }),
      connect_request: () => ({ status: 'ok' }),
    };
  }

  /** Tells front ends that the kernel is there. */
  announce(): void {
    this.outputs.status('starting', {});
  }

  receive(channel: Channel, message: Message): void {
    const { msg_type: type } = message.header;
    if (channel === 'stdin') {
      if (type === 'input_reply') this.stdin.answer(message);
    } else if (type === 'execute_request') {
      if (channel === 'shell') this.executions.push(message);
    } else if (type === 'comm_open' || type === 'comm_msg' || type === 'comm_close') {
      this.receiveComm(type, message);
    } else {
      void this.answer(channel, message);
    }
  }

  interrupt(): JsonObject {
    this.stdin.cancel();
    this.executions.interrupt();
    return { status: 'ok' };
  }

  /** Ends the process that runs the cells. */
  stop(): void {
    this.runner.kill();
  }

  private async answer(channel: Channel, request: Message): Promise<void> {
    const { header } = request;
    const handler = Object.hasOwn(this.handlers, header.msg_type)
      ? this.handlers[header.msg_type]
      : undefined;
    if (handler === undefined) return;
    const type = header.msg_type.replace(/_request$/, '_reply');
    this.outputs.status('busy', header);
    let content: JsonObject | undefined;
    try {
      content = await handler(request, channel);
    } catch (error) {
      content = {
        status: 'error',
        ename: 'Error',
        evalue: (error as Error).message,
        traceback: [],
      };
    }
    this.channels.reply(channel, request, type, content ?? { status: 'ok' });
    this.outputs.status('idle', header);
    // The cell goes on: front ends take the last word for the kernel's state.
    const { current } = this.executions;
    if (current) this.outputs.status('busy', current.header);
    if (header.msg_type === 'shutdown_request') this.options.onShutdown();
  }

  private commInfo({ target_name: wanted }: JsonObject): JsonObject {
    const comms: JsonObject = {};
    for (const [id, target] of this.comms) {
      if (wanted === undefined || wanted === target) comms[id] = { target_name: target };
    }
    return { status: 'ok', comms };
  }

  private receiveComm(kind: CommKind, message: Message): void {
    const { content, metadata, buffers, header } = message;
    const { comm_id: id, target_name: target = '', data } = content;
    if (typeof id !== 'string' || typeof target !== 'string') return;
    this.outputs.status('busy', header);
    const run = this.outputs.begin(message, false);
    this.commRuns.set(run, message);
    this.noteComm(kind, id, target);
    const order = { kind, id, target, data: asObject(data), metadata, buffers };
    this.runner.order({ type: 'comm', run, ...order });
  }

  /** Comm messages that the runner is still busy with. */
  private readonly commRuns = new Map<number, Message>();

  private noteComm(kind: CommKind, id: string, target: string): void {
    if (kind === 'comm_open') this.comms.set(id, target);
    else if (kind === 'comm_close') this.comms.delete(id);
  }

  private startRunner(): Runner {
    return new Runner(this.options.folder, {
      report: (report) => this.take(report),
      output: (name, text) => this.outputs.stream(0, name, text),
      died: (reason) => this.replaceRunner(reason),
    });
  }

  private take(report: Report): void {
    const { outputs } = this;
    switch (report.type) {
      case 'stream':
        return outputs.stream(report.run, report.name, report.text);
      case 'display':
        return outputs.display(report);
      case 'clear':
        return outputs.publish(report.run, 'clear_output', { wait: report.wait });
      case 'uncaught':
        return outputs.error(report.run, report.error);
      case 'comm': {
        const { kind, id, target, run, data, metadata, buffers } = report.message;
        this.noteComm(kind, id, target);
        const opening = kind === 'comm_open' ? { target_name: target } : {};
        return outputs.publish(run, kind, { comm_id: id, data, ...opening }, metadata, buffers);
      }
      case 'done':
        return this.done(report);
      case 'call':
        void this.answerCall(report);
        return;
      case 'ready':
        this.early = 0;
        return;
      case 'pong':
        return;
    }
  }

  private done(report: Extract<Report, { type: 'done' }>): void {
    this.comms.clear();
    for (const [id, target] of Object.entries(report.comms)) this.comms.set(id, target);
    const message = this.commRuns.get(report.run);
    if (message === undefined) return this.executions.ended(report);
    this.commRuns.delete(report.run);
    this.outputs.status('idle', message.header);
    const { current } = this.executions;
    if (current) this.outputs.status('busy', current.header);
  }

  private async answerCall({ id, method, args }: Extract<Report, { type: 'call' }>): Promise<void> {
    try {
      const value = await this.call(method, args);
      this.runner.order({ type: 'answer', id, value });
    } catch (error) {
      this.runner.order({ type: 'answer', id, error: (error as Error).message });
    }
  }

  private call(method: string, args: unknown[]): Promise<unknown> {
    const [first, second] = args as [string, string];
    if (method === 'transpile') return this.compiler.ask('transpile', first);
    if (method === 'resolve') return this.compiler.ask('resolve', first, second);
    const { current } = this.executions;
    if (!current) return Promise.reject(new Error('only a running cell can ask for input'));
    return this.stdin.ask(current, first, Boolean(args[1]));
  }

  /** The cells' process is gone; the kernel is not. */
  private replaceRunner(reason: string): void {
    this.early += 1;
    if (this.early > 3) {
      process.stderr.write(`The process for the cells does not start: ${reason}\n`);
      process.exit(1);
    }
    const evalue =
      `The process that ran the cells is gone: ${reason}. All variables are lost. ` +
      'A new process is ready: run the cells again from the top.';
    const error: Failure = {
      ename: 'ProcessDied',
      evalue,
      traceback: [`\u001b[1m\u001b[31mProcessDied\u001b[39m\u001b[22m: ${evalue}`],
    };
    this.runner = this.startRunner();
    this.comms.clear();
    for (const message of this.commRuns.values()) this.outputs.status('idle', message.header);
    this.commRuns.clear();
    this.stdin.cancel();
    void this.compiler.forget();
    if (!this.executions.died(error)) this.outputs.error(0, error);
  }
}
