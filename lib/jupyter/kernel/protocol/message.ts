import { randomUUID } from 'node:crypto';

/** The protocol version spoken: 5.4, with the welcome message of an XPUB socket. */
export const PROTOCOL_VERSION = '5.4';

/** What every message begins with. */
export interface Header {
  msg_id: string;
  msg_type: string;
  session: string;
  username: string;
  date: string;
  version: string;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = Record<string, unknown>;

/** One message, apart from its signature. */
export interface Message {
  /** Whom a ROUTER socket received it from, or sends it to; on iopub, the topic. */
  identities: Buffer[];
  header: Header;
  /** The header of the request that caused it; empty if nothing did. */
  parentHeader: Header | Record<string, never>;
  metadata: JsonObject;
  content: JsonObject;
  buffers: Buffer[];
}

/** Makes the headers of one kernel: they share a session. */
export class Headers {
  readonly session = randomUUID();

  make(msgType: string): Header {
    return {
      msg_id: randomUUID(),
      msg_type: msgType,
      session: this.session,
      username: 'kernel',
      date: new Date().toISOString(),
      version: PROTOCOL_VERSION,
    };
  }
}

/** Whether `value` is what JSON calls an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether `value` can be answered: a header that names a message and its type. */
export function isHeader(value: unknown): value is Header {
  return (
    isObject(value) &&
    typeof value.msg_id === 'string' &&
    typeof value.msg_type === 'string' &&
    (value.session === undefined || typeof value.session === 'string')
  );
}
