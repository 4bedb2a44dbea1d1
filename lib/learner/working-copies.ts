import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { withLockSync } from '../setup/lock';
import { writeAtomically } from '../setup/stamp';

/** Remembers of each copy which original it was made from. */
const STATE = '.copies.json';

/** What is remembered of one copy. */
interface CopyRecord {
  /** Hash of the original's file. */
  readonly file: string;
  /** Hash of the original's cells as {@link sourcesOf} has them: another hash means edited. */
  readonly sources: string;
  /** Hash of a newer original that was put beside an edited copy. */
  readonly offered?: string;
}

type State = Record<string, CopyRecord>;

/** What became of one notebook. `made`, `renewed`: the copy is the original; `kept`: it is edited. */
export interface CopyReport {
  readonly notebook: string;
  readonly what: 'made' | 'renewed' | 'unchanged' | 'kept';
  /** Where the new version was put just now, beside an edited copy. */
  readonly beside?: string;
}

/**
 * Brings the learner's copies up to date: missing ones are made, those whose cells are as in the original they were
 * made from are renewed, edited ones stay and get a new version beside them. Running a notebook edits nothing: outputs
 * and metadata don't count.
 *
 * @param originals the folder of the course's notebooks
 * @param folder the learner's own; made if need be
 * @throws errors of the file system
 */
export function updateCopies(originals: string, folder: string): readonly CopyReport[] {
  return inFolder(folder, (state) =>
    notebooksIn(originals).map((notebook) =>
      updateCopy(state, folder, notebook, readFileSync(join(originals, notebook), 'utf8')),
    ),
  );
}

/** Whether bringing back the original would lose the learner's work. */
export function isEdited(originals: string, folder: string, notebook: string): boolean {
  const copy = join(folder, notebook);
  if (!existsSync(copy)) return false;
  const { sources } = readState(folder)[notebook] ?? {};
  const mine = sourcesOf(readFileSync(copy, 'utf8'));
  const original = sourcesOf(readFileSync(join(originals, notebook), 'utf8'));
  return mine !== sources && mine !== original;
}

/**
 * Puts the original back; an edited copy is kept under another name.
 *
 * @returns the name of what was kept, if anything
 */
export function resetCopy(originals: string, folder: string, notebook: string): string | undefined {
  const edited = isEdited(originals, folder, notebook);
  return inFolder(folder, (state) => {
    let kept: string | undefined;
    if (edited) {
      kept = freeName(folder, notebook, 'backup');
      renameSync(join(folder, notebook), join(folder, kept));
    }
    writeCopy(state, folder, notebook, readFileSync(join(originals, notebook), 'utf8'));
    return kept;
  });
}

export function notebooksIn(originals: string): readonly string[] {
  return readdirSync(originals)
    .filter((name) => name.endsWith('.ipynb'))
    .sort();
}

function updateCopy(state: State, folder: string, notebook: string, original: string): CopyReport {
  const copy = join(folder, notebook);
  if (!existsSync(copy)) {
    writeCopy(state, folder, notebook, original);
    return { notebook, what: 'made' };
  }
  const record = state[notebook];
  const mine = sourcesOf(readFileSync(copy, 'utf8'));
  if (mine === sourcesOf(original) || mine === record?.sources) {
    if (record?.file === hash(original)) return { notebook, what: 'unchanged' };
    writeCopy(state, folder, notebook, original);
    return { notebook, what: 'renewed' };
  }
  if (record?.file === hash(original) || record?.offered === hash(original)) {
    return { notebook, what: 'kept' };
  }
  const beside = putBeside(state, folder, notebook, original);
  const base = record ?? { file: '', sources: '' };
  state[notebook] = { ...base, offered: hash(original) };
  return { notebook, what: 'kept', beside };
}

/** The new version goes where an older new version lies that nobody has edited, else to a free name. */
function putBeside(state: State, folder: string, notebook: string, original: string): string {
  for (let n = 1; ; n += 1) {
    const name = besideName(notebook, 'new', n);
    const file = join(folder, name);
    const free =
      !existsSync(file) || sourcesOf(readFileSync(file, 'utf8')) === state[name]?.sources;
    if (!free) continue;
    writeCopy(state, folder, name, original);
    return name;
  }
}

function writeCopy(state: State, folder: string, name: string, original: string): void {
  writeAtomically(join(folder, name), original);
  state[name] = { file: hash(original), sources: sourcesOf(original) };
}

const besideName = (notebook: string, why: string, n: number) =>
  `${basename(notebook, '.ipynb')}.${why}${n > 1 ? `-${n}` : ''}.ipynb`;

function freeName(folder: string, notebook: string, why: string): string {
  for (let n = 1; ; n += 1) {
    const name = besideName(notebook, why, n);
    if (!existsSync(join(folder, name))) return name;
  }
}

/** Reads the state, lets `work` change it and writes it, one process at a time. */
function inFolder<T>(folder: string, work: (state: State) => T): T {
  mkdirSync(folder, { recursive: true });
  return withLockSync(join(folder, `${STATE}.lock`), () => {
    const state = readState(folder);
    try {
      return work(state);
    } finally {
      writeAtomically(join(folder, STATE), `${JSON.stringify(state, null, 2)}\n`);
    }
  });
}

/** Empty if there is none or it can't be read: then what differs from the original counts as edited. */
function readState(folder: string): State {
  try {
    const state: unknown = JSON.parse(readFileSync(join(folder, STATE), 'utf8'));
    return typeof state === 'object' && state !== null ? { ...(state as State) } : {};
  } catch {
    return {};
  }
}

/** A hash of the kind and the text of all cells; of the whole text if it is no notebook. */
function sourcesOf(text: string): string {
  try {
    const { cells } = JSON.parse(text) as { cells: readonly StoredCell[] };
    return hash(JSON.stringify(cells.map(({ cell_type, source }) => [cell_type, textOf(source)])));
  } catch {
    return hash(text);
  }
}

interface StoredCell {
  readonly cell_type: string;
  readonly source: string | readonly string[];
}

const textOf = (source: StoredCell['source']) =>
  typeof source === 'string' ? source : source.join('');

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
