import { readFileSync } from 'node:fs';
import type { Notebook, NotebookCell } from '../run-notebook';
import type { Output } from '../outputs';
import type { Finding } from './finding';

/** A notebook as its file holds it. */
export interface StoredNotebook extends Notebook {
  readonly cells: readonly StoredCell[];
  readonly metadata: StoredMetadata;
  readonly nbformat: number;
  readonly nbformat_minor: number;
}

export interface StoredCell extends NotebookCell {
  readonly id?: string;
  readonly metadata: NotebookCell['metadata'] & { readonly guardpage?: CellSettings };
  readonly execution_count?: number | null;
  readonly outputs?: readonly Output[];
}

export interface StoredMetadata {
  readonly kernelspec?: { readonly name?: string };
  readonly guardpage?: NotebookSettings;
  readonly [key: string]: unknown;
}

/** What a cell's metadata may say under `guardpage`. */
export interface CellSettings {
  /** Seconds. */
  readonly timeout?: number;
  readonly sanitise?: readonly unknown[];
  readonly images?: string;
  readonly tolerance?: { readonly relative?: number; readonly absolute?: number };
}

/** What a notebook's metadata may say under `guardpage`, and what `--update` writes there. */
export interface NotebookSettings extends CellSettings {
  /** Why the notebook is not run. */
  readonly skip?: string;
  /** What made the stored outputs. */
  readonly produced?: Readonly<Record<string, string | number>>;
  /** Cell id → hash of the source that its outputs come from. */
  readonly sources?: Readonly<Record<string, string>>;
}

/** A notebook that was read, or why it could not be. */
export type Reading =
  { readonly text: string; readonly notebook: StoredNotebook } | { readonly finding: Finding };

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'it is a folder',
  ENOTDIR: 'part of the path is a file',
  EACCES: 'permission denied',
  ELOOP: 'a link that leads to itself',
};

/** Reads a notebook of nbformat 4 and checks as much of its shape as the runner relies on. */
export function readNotebook(file: string): Reading {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const got = READ_ERRORS[code] ?? message;
    return unfit('unreadable', `expected a readable notebook, got: ${got}`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    return unfit('invalid-notebook', `expected JSON, got: ${(error as Error).message}`);
  }
  const wrong = flaw(content);
  if (wrong !== undefined) return unfit('invalid-notebook', wrong);
  return { text, notebook: content as StoredNotebook };
}

function unfit(kind: 'unreadable' | 'invalid-notebook', message: string): Reading {
  return { finding: { kind, message } };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isText = (value: unknown): boolean =>
  typeof value === 'string' ||
  (Array.isArray(value) && value.every((line) => typeof line === 'string'));

/** What keeps a value from being a notebook; undefined if nothing does. */
function flaw(content: unknown): string | undefined {
  if (!isObject(content)) return 'expected a notebook, got JSON that is no object';
  const { nbformat, cells, metadata } = content;
  if (nbformat !== 4) {
    const got = nbformat === undefined ? 'none' : JSON.stringify(nbformat);
    return `expected nbformat 4, got ${got}: open the notebook in JupyterLab and save it`;
  }
  if (!isObject(metadata)) return 'metadata: expected an object';
  if (!Array.isArray(cells)) return 'cells: expected a list';
  for (const [index, cell] of cells.entries()) {
    const wrong = cellFlaw(cell);
    if (wrong !== undefined) return `cells[${index}]${wrong}`;
  }
  return undefined;
}

function cellFlaw(cell: unknown): string | undefined {
  if (!isObject(cell)) return ': expected an object';
  if (typeof cell.cell_type !== 'string') return '.cell_type: expected text';
  if (!isText(cell.source)) return '.source: expected text or a list of lines';
  if (!isObject(cell.metadata)) return '.metadata: expected an object';
  if (cell.cell_type !== 'code') return undefined;
  const { outputs = [] } = cell;
  if (!Array.isArray(outputs)) return '.outputs: expected a list';
  for (const [index, output] of outputs.entries()) {
    const wrong = outputFlaw(output);
    if (wrong !== undefined) return `.outputs[${index}]${wrong}`;
  }
  return undefined;
}

function outputFlaw(output: unknown): string | undefined {
  if (!isObject(output)) return ': expected an object';
  switch (output.output_type) {
    case 'stream':
      return isText(output.text) ? undefined : '.text: expected text or a list of lines';
    case 'display_data':
    case 'execute_result':
      return isObject(output.data) ? undefined : '.data: expected an object';
    case 'error':
      return typeof output.ename === 'string' ? undefined : '.ename: expected text';
    default:
      return '.output_type: expected stream, display_data, execute_result or error';
  }
}
