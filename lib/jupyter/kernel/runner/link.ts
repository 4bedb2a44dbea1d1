import { deserialize, serialize } from 'node:v8';
import type { Duplex } from 'node:stream';

/**
 * Objects over a byte stream: each one V8-serialised (binary data stay binary) and preceded by
 * its length.
 */
export class Link<Out, In> {
  private chunks: Buffer[] = [];
  private size = 0;
  private want = -1;

  constructor(
    readonly stream: Duplex,
    private readonly receive: (message: In) => void,
  ) {
    stream.on('data', (chunk: Buffer) => this.feed(chunk));
  }

  /** Returns false if the other side does not keep up. */
  send(message: Out, sent?: () => void): boolean {
    const body = serialize(message);
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32LE(body.length);
    return this.stream.write(Buffer.concat([head, body]), sent);
  }

  private feed(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    for (;;) {
      if (this.want < 0) {
        if (this.size < 4) return;
        this.want = this.take(4).readUInt32LE();
      }
      if (this.size < this.want) return;
      const body = this.take(this.want);
      this.want = -1;
      this.receive(deserialize(body) as In);
    }
  }

  private take(n: number): Buffer {
    const all = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
    this.size -= n;
    this.chunks = this.size > 0 ? [all.subarray(n)] : [];
    return all.subarray(0, n);
  }
}
