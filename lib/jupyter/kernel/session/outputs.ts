import type { Channels } from '../protocol/channels';
import type { Header, Message } from '../protocol/message';
import type { Bundle, Failure, Report } from '../runner/protocol';
import { Throttle } from './throttle';

/** One piece of work as front ends know it. */
interface Work {
  parent: Header;
  silent: boolean;
}

const REMEMBERED = 5000;

/** Publishes what runs put out, each under the request that caused it. */
export class Outputs {
  private readonly works = new Map<number, Work>();
  private readonly throttle = new Throttle();
  private last = 0;
  /** A run that has been interrupted: what it still prints is dropped. */
  private muted = 0;

  constructor(
    private readonly channels: Channels,
    private readonly pause: (paused: boolean) => void,
  ) {}

  /** Numbers a new piece of work. */
  begin({ header }: Message, silent: boolean): number {
    this.last += 1;
    this.works.set(this.last, { parent: header, silent });
    if (this.works.size > REMEMBERED) {
      const [oldest] = this.works.keys();
      this.works.delete(oldest);
    }
    return this.last;
  }

  status(state: 'busy' | 'idle' | 'starting', parent: Header | Record<string, never>): void {
    this.channels.publish('status', parent, { execution_state: state });
  }

  /** Drops what a run has printed and will print, however much is on its way. */
  mute(run: number): void {
    this.muted = run;
    this.pause(false);
  }

  /** @param run 0: what is not known to come from any */
  stream(run: number, name: 'stdout' | 'stderr', text: string): void {
    if (run === this.muted && run !== 0) return;
    const admitted = this.throttle.admit(run || this.last, text);
    if (admitted === '') return;
    this.publish(run, 'stream', { name, text: admitted });
    this.pace(admitted.length);
  }

  error(run: number, { ename, evalue, traceback }: Failure): void {
    this.publish(run, 'error', { ename, evalue, traceback });
  }

  result(run: number, { data, metadata }: Bundle, count: number): void {
    this.publish(run, 'execute_result', { execution_count: count, data, metadata });
  }

  display({ run, bundle, id, update, buffers }: Extract<Report, { type: 'display' }>): void {
    const { data, metadata } = bundle;
    const content = { data, metadata, transient: id === undefined ? {} : { display_id: id } };
    this.publish(run, update ? 'update_display_data' : 'display_data', content, {}, buffers);
    let size = 0;
    for (const value of Object.values(data)) size += typeof value === 'string' ? value.length : 0;
    this.pace(size);
  }

  /** Nothing more will be waited for from this run; later output still finds its cell. */
  conclude(run: number): void {
    const cut = this.throttle.conclude(run);
    if (cut !== undefined) this.publish(run, 'stream', { name: 'stderr', text: cut });
  }

  publish(
    run: number,
    msgType: string,
    content: Record<string, unknown>,
    metadata: Record<string, unknown> = {},
    buffers: Uint8Array[] = [],
  ): void {
    const work = this.works.get(run) ?? this.works.get(this.last);
    if (work?.silent) return;
    const frames = buffers.map((bytes) => Buffer.from(bytes));
    this.channels.publish(msgType, work?.parent ?? {}, content, metadata, frames);
  }

  private pace(size: number): void {
    const wait = this.throttle.spend(size);
    if (wait < 5) return;
    this.pause(true);
    setTimeout(() => this.pause(false), wait);
  }
}
