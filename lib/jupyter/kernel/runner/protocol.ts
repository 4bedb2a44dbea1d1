import type { JsonObject } from '../protocol/message';

/**
 * What the kernel and the process that runs the cells tell each other. `run` numbers one piece
 * of work, a cell or a comm message; whatever it causes carries its number.
 */

/** A cell, compiled. */
export interface ExecuteOrder {
  type: 'execute';
  run: number;
  /** JavaScript for the inspector's REPL mode. */
  code: string;
  /** The script's name in V8, unique. */
  url: string;
  /** What stack lines call it. */
  label: string;
  /** The cell as written. */
  source: string;
  /** A source map from `code` to `source`. */
  map: string;
  /** Lines that precede the cell in what `map` maps to. */
  lineOffset: number;
  /** Top-level names the cell declares. */
  names: string[];
  /** Whether the cell may ask for input. */
  stdin: boolean;
}

export type CommKind = 'comm_open' | 'comm_msg' | 'comm_close';

/** A comm message, either way. */
export interface CommOrder {
  type: 'comm';
  run: number;
  kind: CommKind;
  id: string;
  /** Only for `comm_open`. */
  target: string;
  data: JsonObject;
  metadata: JsonObject;
  buffers: Uint8Array[];
}

/** Stop what run `run` does, or what goes on in the background if it is 0. */
export interface InterruptOrder {
  type: 'interrupt';
  run: number;
}

/** The answer to a `call`. */
export interface AnswerOrder {
  type: 'answer';
  id: number;
  value?: unknown;
  error?: string;
}

/** Asks for a `pong`: whatever was ordered before has been received. */
export interface PingOrder {
  type: 'ping';
  id: number;
}

export type Order = ExecuteOrder | CommOrder | InterruptOrder | AnswerOrder | PingOrder;

/** A value as a front end can show it. */
export interface Bundle {
  data: JsonObject;
  metadata: JsonObject;
}

/** An exception as a front end shows it. */
export interface Failure {
  ename: string;
  evalue: string;
  traceback: string[];
}

export type Ended =
  | { status: 'ok'; result?: Bundle }
  | { status: 'error'; error: Failure; /** It has been shown already. */ shown?: boolean }
  | { status: 'interrupted' };

export type Report =
  | { type: 'ready' }
  | { type: 'stream'; run: number; name: 'stdout' | 'stderr'; text: string }
  | {
      type: 'display';
      run: number;
      bundle: Bundle;
      /** Names the display, so that it can be updated. */
      id?: string;
      update: boolean;
      buffers: Uint8Array[];
    }
  | { type: 'clear'; run: number; wait: boolean }
  | { type: 'comm'; message: CommOrder }
  /** Something thrown where nobody waits for it. */
  | { type: 'uncaught'; run: number; error: Failure }
  | {
      type: 'done';
      run: number;
      ended: Ended;
      /** How many of the declarations were carried out; see the cell transform. */
      reached: number;
      /** Comms that are open now, by id. */
      comms: Record<string, string>;
    }
  | { type: 'pong'; id: number }
  /** A question; if `sync`, the runner's main thread stands still until the answer. */
  | { type: 'call'; run: number; id: number; method: CallMethod; args: unknown[] };

export type CallMethod = 'input' | 'transpile' | 'resolve';

/** A local source file as the runner can load it. */
export interface Transpiled {
  code: string;
  map: string;
  source: string;
}
