import { Reply, Router, XPublisher } from 'zeromq';
import type { Connection } from './connection';
import { address } from './connection';
import type { Header, JsonObject, Message } from './message';
import { Headers } from './message';
import { Outbox } from './outbox';
import { Wire } from './wire';

/** The sockets on which requests come in. */
export type Channel = 'shell' | 'control' | 'stdin';

const LINGER_MS = 1000;

/** What came in and answers to it. */
export type Receive = (channel: Channel, message: Message) => void;

/**
 * The five sockets of a kernel. Sends are queued a socket; refused messages are counted and
 * otherwise ignored.
 */
export class Channels {
  readonly headers = new Headers();
  /** How many messages were refused, by reason. */
  readonly refused: Record<string, number> = {};
  private readonly wire: Wire;
  private readonly routers: Record<Channel, Router>;
  private readonly iopub: XPublisher;
  private readonly heartbeat = new Reply({ linger: 0 });
  private readonly outboxes: Record<Channel | 'iopub', Outbox>;
  private closed = false;

  constructor(private readonly connection: Connection) {
    this.wire = new Wire(connection.key, connection.signature_scheme);
    const router = () => new Router({ linger: LINGER_MS, sendHighWaterMark: 0 });
    this.routers = { shell: router(), control: router(), stdin: router() };
    // With the default high-water mark iopub loses what a busy cell prints.
    this.iopub = new XPublisher({ linger: LINGER_MS, sendHighWaterMark: 0 });
    this.iopub.verbosity = 'allSubs';
    const box = (socket: Router | XPublisher) => new Outbox(socket, () => this.refuse('unsent'));
    this.outboxes = {
      shell: box(this.routers.shell),
      control: box(this.routers.control),
      stdin: box(this.routers.stdin),
      iopub: box(this.iopub),
    };
  }

  /** Binds all sockets and begins to receive. */
  async open(receive: Receive): Promise<void> {
    const { connection } = this;
    const bind = (socket: Router | XPublisher | Reply, port: number) =>
      socket.bind(address(connection, port));
    await Promise.all([
      bind(this.heartbeat, connection.hb_port),
      bind(this.iopub, connection.iopub_port),
      bind(this.routers.stdin, connection.stdin_port),
      bind(this.routers.control, connection.control_port),
      bind(this.routers.shell, connection.shell_port),
    ]);
    void this.echo();
    void this.welcome();
    for (const channel of ['control', 'shell', 'stdin'] as const) {
      void this.listen(channel, receive);
    }
  }

  /** Answers `request` on the channel it came from. */
  reply(channel: Channel, request: Message, msgType: string, content: JsonObject): void {
    this.send(channel, request.identities, msgType, request.header, content);
  }

  send(
    channel: Channel,
    identities: Buffer[],
    msgType: string,
    parent: Header,
    content: JsonObject,
  ): void {
    const header = this.headers.make(msgType);
    const message = { identities, header, parentHeader: parent, metadata: {}, content };
    this.outboxes[channel].push(this.wire.encode({ ...message, buffers: [] }));
  }

  /** Tells every front end. */
  publish(
    msgType: string,
    parent: Header | Record<string, never>,
    content: JsonObject,
    metadata: JsonObject = {},
    buffers: Buffer[] = [],
  ): void {
    const header = this.headers.make(msgType);
    const identities = [Buffer.from(`kernel.${msgType}`)];
    const message = { identities, header, parentHeader: parent, metadata, content, buffers };
    this.outboxes.iopub.push(this.wire.encode(message));
  }

  /** Sends what is queued, then closes. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await Promise.all(Object.values(this.outboxes).map((outbox) => outbox.flushed()));
    for (const socket of Object.values(this.routers)) socket.close();
    this.iopub.close();
    this.heartbeat.close();
  }

  private refuse(reason: string): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
  }

  private async listen(channel: Channel, receive: Receive): Promise<void> {
    const socket = this.routers[channel];
    while (!this.closed) {
      try {
        const message = this.wire.decode(await socket.receive());
        if (typeof message === 'string') this.refuse(message);
        else receive(channel, message);
      } catch (error) {
        if (this.closed || socket.closed) return;
        this.refuse(`error: ${(error as Error).message}`);
      }
    }
  }

  private async echo(): Promise<void> {
    while (!this.closed) {
      try {
        await this.heartbeat.send(await this.heartbeat.receive());
      } catch {
        if (this.closed || this.heartbeat.closed) return;
      }
    }
  }

  /** A new subscriber is told that it is subscribed, so that it need not guess. */
  private async welcome(): Promise<void> {
    while (!this.closed) {
      try {
        const [event] = await this.iopub.receive();
        if (event[0] !== 1) continue;
        const topic = event.subarray(1);
        const header = this.headers.make('iopub_welcome');
        const content = { subscription: topic.toString('utf8') };
        const rest = { parentHeader: {}, metadata: {}, content, buffers: [] };
        this.outboxes.iopub.push(this.wire.encode({ identities: [topic], header, ...rest }));
      } catch {
        if (this.closed || this.iopub.closed) return;
      }
    }
  }
}
