/** The part of a ZeroMQ socket an outbox needs. */
export interface Sender {
  send(frames: Buffer[]): Promise<void>;
}

/**
 * Sends in order, one message at a time: ZeroMQ refuses a second send while one is under way,
 * and what is lost that way is lost without a word.
 */
export class Outbox {
  private readonly waiting: Buffer[][] = [];
  private sending = false;
  private done: (() => void)[] = [];

  constructor(
    private readonly socket: Sender,
    private readonly onError: (error: unknown) => void,
  ) {}

  push(frames: Buffer[]): void {
    this.waiting.push(frames);
    if (!this.sending) void this.drain();
  }

  /** Resolves when all that was pushed is with ZeroMQ. */
  flushed(): Promise<void> {
    if (!this.sending) return Promise.resolve();
    return new Promise((resolve) => this.done.push(resolve));
  }

  private async drain(): Promise<void> {
    this.sending = true;
    for (let next = 0; this.waiting.length > 0;) {
      const frames = this.waiting[next];
      next += 1;
      if (next === this.waiting.length || next === 1024) {
        this.waiting.splice(0, next);
        next = 0;
      }
      try {
        await this.socket.send(frames);
      } catch (error) {
        this.onError(error);
      }
    }
    this.sending = false;
    for (const resolve of this.done.splice(0)) resolve();
  }
}
