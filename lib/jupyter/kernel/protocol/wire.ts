import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Message } from './message';
import { isHeader, isObject } from './message';

const DELIMITER = Buffer.from('<IDS|MSG>');
const SEEN_LIMIT = 65_536;

/** Why a message was dropped. */
export type Refusal = 'no delimiter' | 'too short' | 'signature' | 'replayed' | 'malformed';

/**
 * Turns messages into ZeroMQ frames and back: identities, a delimiter, the signature, four JSON
 * objects, raw buffers. What is not signed with the connection's key, comes a second time or
 * does not parse is refused.
 */
export class Wire {
  private readonly algorithm: string;
  private readonly seen = new Set<string>();

  /**
   * @param key the connection's key; empty: nothing is signed and nothing checked
   * @param scheme as in the connection file, `hmac-sha256`
   */
  constructor(
    private readonly key: string,
    scheme: string,
  ) {
    this.algorithm = scheme.replace(/^hmac-/, '');
    if (key !== '') createHmac(this.algorithm, key);
  }

  encode(message: Message): Buffer[] {
    const parts = [message.header, message.parentHeader, message.metadata, message.content].map(
      (part) => Buffer.from(JSON.stringify(part)),
    );
    return [
      ...message.identities,
      DELIMITER,
      Buffer.from(this.sign(parts)),
      ...parts,
      ...message.buffers,
    ];
  }

  decode(frames: readonly Buffer[]): Message | Refusal {
    const at = frames.findIndex((frame) => frame.equals(DELIMITER));
    if (at < 0) return 'no delimiter';
    if (frames.length < at + 6) return 'too short';
    const parts = frames.slice(at + 2, at + 6);
    if (this.key !== '') {
      const signature = frames[at + 1];
      const expected = Buffer.from(this.sign(parts));
      if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
        return 'signature';
      }
      if (!this.isNew(signature.toString('latin1'))) return 'replayed';
    }
    const values = parts.map(parseJson);
    const [header, parent, metadata, content] = values;
    if (!isHeader(header) || !isObject(metadata) || !isObject(content)) return 'malformed';
    if (!isObject(parent)) return 'malformed';
    return {
      identities: frames.slice(0, at),
      header,
      parentHeader: isHeader(parent) ? parent : {},
      metadata,
      content,
      buffers: frames.slice(at + 6),
    };
  }

  private sign(parts: readonly Buffer[]): string {
    if (this.key === '') return '';
    const hmac = createHmac(this.algorithm, this.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  }

  /** Remembers the signatures seen, the oldest forgotten first. */
  private isNew(signature: string): boolean {
    if (this.seen.has(signature)) return false;
    this.seen.add(signature);
    if (this.seen.size > SEEN_LIMIT) {
      for (const old of this.seen) {
        this.seen.delete(old);
        if (this.seen.size <= SEEN_LIMIT / 2) break;
      }
    }
    return true;
  }
}

function parseJson(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString('utf8'));
  } catch {
    return undefined;
  }
}
