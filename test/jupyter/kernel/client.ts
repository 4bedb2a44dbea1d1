import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Dealer, Request, Subscriber } from 'zeromq';
import type { Connection } from '../../../lib/jupyter/kernel/protocol/connection';
import type { Header, JsonObject, Message } from '../../../lib/jupyter/kernel/protocol/message';
import { Outbox } from '../../../lib/jupyter/kernel/protocol/outbox';
import { Wire } from '../../../lib/jupyter/kernel/protocol/wire';

export const ROOT = resolve(__dirname, '../../..');
export const MAIN = join(ROOT, 'lib/dist/jupyter/kernel/main.js');

/** One output of a cell: the message's type and content. */
export interface Output {
  type: string;
  content: JsonObject;
  metadata: JsonObject;
  buffers: Buffer[];
}

/** A cell that was run. */
export interface Execution {
  reply: JsonObject;
  outputs: Output[];
  stdout: string;
  stderr: string;
  /** `text/plain` of the execute_result. */
  result: string | undefined;
  /** The `error` message, without colours. */
  error: { ename: string; evalue: string; traceback: string } | undefined;
  ms: number;
}

export interface StartOptions {
  /** What is started, before the connection file; by default, this kernel. */
  argv?: string[];
  cwd?: string;
  env?: Record<string, string>;
  args?: string[];
  key?: string;
  /** For kernels that do not speak the protocol in full: ready is what has answered once. */
  lenient?: boolean;
}

type Answer = string | ((prompt: string, password: boolean) => string);

/** A plain text without ANSI colours. */
export function uncoloured(text: string): string {
  return text.replace(/\u001b\[[\d;]*m/g, '');
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((done) => {
          server.listen(0, '127.0.0.1', () => done((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** A front end as small as it can be: talks to a kernel over ZeroMQ. */
export class KernelClient {
  readonly session = randomUUID();
  readonly wire: Wire;
  readonly shell = new Dealer({ linger: 0, routingId: randomUUID() });
  readonly control = new Dealer({ linger: 0, routingId: randomUUID() });
  readonly stdin: Dealer;
  readonly iopub = new Subscriber({ linger: 0, receiveHighWaterMark: 0 });
  readonly heartbeat = new Request({ linger: 0 });
  private readonly outboxes: Record<'shell' | 'control' | 'stdin', Outbox>;
  private readonly listeners = new Set<(channel: string, message: Message) => void>();
  /** Outputs of the last cells, by request: some come after the cell's end. */
  private readonly collected = new Map<string, Output[]>();
  private closed = false;
  private answers: Answer[] = [];
  stderr = '';
  startedAt = 0;
  /** Milliseconds from the start to the first answer. */
  readyAfter = 0;

  private constructor(
    readonly process: ChildProcess,
    readonly connection: Connection,
    readonly folder: string,
    readonly connectionFile: string,
  ) {
    this.wire = new Wire(connection.key, connection.signature_scheme);
    // Input is asked of the peer that sent the request: both sockets need one name.
    this.stdin = new Dealer({ linger: 0, routingId: this.shell.routingId ?? undefined });
    const fail = (error: unknown) => {
      if (!this.closed) throw error;
    };
    this.outboxes = {
      shell: new Outbox(this.shell as never, fail),
      control: new Outbox(this.control as never, fail),
      stdin: new Outbox(this.stdin as never, fail),
    };
    process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
  }

  static async start(options: StartOptions = {}): Promise<KernelClient> {
    if (!options.argv && !existsSync(MAIN)) {
      throw new Error(`${MAIN} is not there: run 'npm run build' first`);
    }
    const [shell, control, stdin, iopub, hb] = await freePorts(5);
    const connection: Connection = {
      transport: 'tcp',
      ip: '127.0.0.1',
      shell_port: shell,
      control_port: control,
      stdin_port: stdin,
      iopub_port: iopub,
      hb_port: hb,
      key: options.key ?? randomUUID(),
      signature_scheme: 'hmac-sha256',
    };
    const folder = mkdtempSync(join(tmpdir(), 'kernel-test-'));
    const file = join(folder, 'connection.json');
    writeFileSync(file, JSON.stringify(connection));
    const startedAt = performance.now();
    const [command, ...args] = options.argv ?? [process.execPath, MAIN];
    const child = spawn(command, [...args, file, ...(options.args ?? [])], {
      cwd: options.cwd ?? join(ROOT, 'notebooks'),
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const client = new KernelClient(child, connection, folder, file);
    client.startedAt = startedAt;
    client.connect();
    await client.request('shell', 'kernel_info_request', {}, 30_000);
    client.readyAfter = performance.now() - startedAt;
    // iopub may connect later than shell: wait for the status of a request.
    for (let i = 0; i < (options.lenient ? 3 : 50); i += 1) {
      const header = client.send('shell', 'kernel_info_request', {});
      if (await client.waitIdle(header.msg_id, 200).catch(() => false)) return client;
    }
    if (options.lenient) return client;
    throw new Error('no status on iopub');
  }

  private connect(): void {
    const { ip, shell_port, control_port, stdin_port, iopub_port, hb_port } = this.connection;
    this.iopub.connect(`tcp://${ip}:${iopub_port}`);
    this.iopub.subscribe();
    this.shell.connect(`tcp://${ip}:${shell_port}`);
    this.control.connect(`tcp://${ip}:${control_port}`);
    this.stdin.connect(`tcp://${ip}:${stdin_port}`);
    this.heartbeat.connect(`tcp://${ip}:${hb_port}`);
    for (const channel of ['shell', 'control', 'stdin', 'iopub'] as const)
      void this.listen(channel);
  }

  private async listen(channel: 'shell' | 'control' | 'stdin' | 'iopub'): Promise<void> {
    const socket = this[channel];
    while (!this.closed) {
      try {
        const message = this.wire.decode(await socket.receive());
        if (typeof message === 'string') throw new Error(`the kernel sent: ${message}`);
        if (channel === 'stdin' && message.header.msg_type === 'input_request')
          this.answer(message);
        if (channel === 'iopub') this.collect(message);
        for (const listener of [...this.listeners]) listener(channel, message);
      } catch (error) {
        if (this.closed) return;
        throw error;
      }
    }
  }

  private collect({ header, parentHeader, content, metadata, buffers }: Message): void {
    const { msg_type: type } = header;
    if (type === 'status' || type === 'iopub_welcome') return;
    const outputs = this.collected.get(parentHeader.msg_id ?? '');
    outputs?.push({ type, content, metadata, buffers });
  }

  private answer({ content, header }: Message): void {
    const next = this.answers.shift();
    if (next === undefined) return;
    const { prompt, password } = content as { prompt: string; password: boolean };
    const value = typeof next === 'string' ? next : next(prompt, password);
    this.send('stdin', 'input_reply', { value }, header);
  }

  header(msgType: string): Header {
    return {
      msg_id: randomUUID(),
      msg_type: msgType,
      session: this.session,
      username: 'test',
      date: new Date().toISOString(),
      version: '5.4',
    };
  }

  send(
    channel: 'shell' | 'control' | 'stdin',
    msgType: string,
    content: JsonObject,
    parent: Header | Record<string, never> = {},
    buffers: Buffer[] = [],
  ): Header {
    const header = this.header(msgType);
    const message = {
      identities: [],
      header,
      parentHeader: parent,
      metadata: {},
      content,
      buffers,
    };
    this.outboxes[channel].push(this.wire.encode(message));
    return header;
  }

  /** Sends frames as they are. */
  sendFrames(channel: 'shell' | 'control' | 'stdin', frames: Buffer[]): void {
    this.outboxes[channel].push(frames);
  }

  on(listener: (channel: string, message: Message) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Waits for a message that `wanted` accepts. */
  wait(
    wanted: (channel: string, message: Message) => boolean,
    timeout = 15_000,
    what = 'a message',
  ): Promise<Message> {
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        off();
        fail(new Error(`waited ${timeout} ms for ${what}; stderr: ${this.stderr.slice(-500)}`));
      }, timeout);
      const off = this.on((channel, message) => {
        if (!wanted(channel, message)) return;
        clearTimeout(timer);
        off();
        done(message);
      });
    });
  }

  waitIdle(msgId: string, timeout = 15_000): Promise<Message> {
    const isIdle = (channel: string, { header, parentHeader, content }: Message) =>
      channel === 'iopub' &&
      header.msg_type === 'status' &&
      parentHeader.msg_id === msgId &&
      content.execution_state === 'idle';
    return this.wait(isIdle, timeout, 'idle');
  }

  async request(
    channel: 'shell' | 'control',
    msgType: string,
    content: JsonObject,
    timeout = 15_000,
  ): Promise<JsonObject> {
    const { msg_id: id } = this.send(channel, msgType, content);
    const isReply = (from: string, { parentHeader }: Message) =>
      from === channel && parentHeader.msg_id === id;
    return (await this.wait(isReply, timeout, `the answer to ${msgType}`)).content;
  }

  /** Runs a cell and collects what comes until it is idle and answered. */
  execute(
    code: string,
    options: { content?: JsonObject; timeout?: number; input?: Answer[] } = {},
  ): Promise<Execution> {
    return this.begin(code, options).done;
  }

  /** As `execute`, but also what there is of it so far. */
  begin(
    code: string,
    {
      content = {},
      timeout = 20_000,
      input,
    }: { content?: JsonObject; timeout?: number; input?: Answer[] } = {},
  ): { done: Promise<Execution>; outputs: Output[]; header: Header } {
    const started = performance.now();
    const allow_stdin = input !== undefined;
    this.answers = input ?? [];
    const full = { code, silent: false, store_history: true, user_expressions: {}, allow_stdin };
    const header = this.send('shell', 'execute_request', {
      ...full,
      stop_on_error: true,
      ...content,
    });
    const outputs: Output[] = [];
    this.collected.set(header.msg_id, outputs);
    if (this.collected.size > 100) this.collected.delete(this.collected.keys().next().value!);
    let reply: JsonObject | undefined;
    let idle = false;
    const isDone = (channel: string, message: Message) => {
      if (message.parentHeader.msg_id !== header.msg_id) return false;
      if (channel === 'shell') reply = message.content;
      else if (channel === 'iopub' && message.header.msg_type === 'status') {
        idle ||= message.content.execution_state === 'idle';
      }
      return idle && reply !== undefined;
    };
    const done = this.wait(isDone, timeout, `the end of ${JSON.stringify(code.slice(0, 60))}`).then(
      () => toExecution(reply!, outputs, performance.now() - started),
    );
    return { done, outputs, header };
  }

  async interrupt(): Promise<void> {
    await this.request('control', 'interrupt_request', {});
  }

  /** Resolves to the exit code. */
  exited(): Promise<number | null> {
    const { exitCode, signalCode } = this.process;
    if (exitCode !== null || signalCode !== null) return Promise.resolve(exitCode);
    return new Promise((done) => this.process.once('exit', (code) => done(code)));
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.send('control', 'shutdown_request', { restart: false });
      const late = setTimeout(() => this.process.kill('SIGKILL'), 3000);
      await this.exited();
      clearTimeout(late);
    }
    this.close();
  }

  close(): void {
    this.closed = true;
    for (const socket of [this.shell, this.control, this.stdin, this.iopub, this.heartbeat])
      socket.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function toExecution(reply: JsonObject, outputs: Output[], ms: number): Execution {
  const of = (type: string) => outputs.filter((output) => output.type === type);
  const stream = (name: string) =>
    of('stream')
      .filter(({ content }) => content.name === name)
      .map(({ content }) => content.text)
      .join('');
  const [result] = of('execute_result');
  const [error] = of('error');
  const data = result?.content.data as Record<string, string> | undefined;
  return {
    reply,
    outputs,
    stdout: uncoloured(stream('stdout')),
    stderr: uncoloured(stream('stderr')),
    result: data?.['text/plain'],
    error: error && {
      ename: String(error.content.ename),
      evalue: String(error.content.evalue),
      traceback: uncoloured((error.content.traceback as string[]).join('\n')),
    },
    ms,
  };
}
