import type { Failure } from '../runner/protocol';
import type { CellNames } from './names';

/** A cell, ready to run. */
export interface CompiledCell {
  ok: true;
  code: string;
  map: string;
  lineOffset: number;
  names: string[];
  /** What to say on stderr before it runs. */
  warnings: string[];
  /** For `commit`. */
  token: number;
}

/** What a cell has declared. */
export interface Committed {
  /** Its declaration file. */
  dts: string;
  names: CellNames;
  /** Values that exist, if the cell did not come to its end. */
  kept?: Set<string>;
}

/** A cell that does not run. */
export interface RefusedCell {
  ok: false;
  error: Failure;
}

export interface Completion {
  matches: { text: string; type: string }[];
  start: number;
  end: number;
}

export interface Inspection {
  plain: string;
  markdown: string;
}

export interface Completeness {
  status: 'complete' | 'incomplete' | 'invalid' | 'unknown';
  indent?: string;
}

/** What the compiler can be asked. Positions count UTF-16 units. */
export interface Compiler {
  /** Checks and compiles; `label` is what messages call the cell. */
  compile(code: string, label: string): CompiledCell | RefusedCell;
  /** The cell was run: all of it, or up to declaration `reached`. Returns what later cells see. */
  commit(token: number, finished: boolean, reached: number): Committed | null;
  /** Takes over what an earlier compiler had been told. */
  restore(all: Committed[]): void;
  complete(code: string, position: number): Completion;
  inspect(code: string, position: number, detail: number): Inspection | null;
  isComplete(code: string): Completeness;
  transpile(file: string): { code: string; map: string; source: string };
  resolve(request: string, from: string): string | null;
  /** The variables are gone. */
  forget(): void;
}

export interface Question {
  id: number;
  method: keyof Compiler;
  args: unknown[];
}

export type Answer = { id: number; value: unknown } | { id: number; error: string };
