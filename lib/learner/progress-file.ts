import { randomInt } from 'node:crypto';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { basename, join, dirname } from 'node:path';
import { UNTOUCHED, type ProgressEntry, type ProgressStore } from '../course/progress';
import { withLockSync } from '../setup/lock';
import { writeAtomically } from '../setup/stamp';

const VERSION = 1;
const HIGHEST_SEED = 2 ** 31 - 1;

interface Content {
  readonly version: number;
  /** The learner's, drawn once, when the file is made. Seed 0 is that of the stored notebooks. */
  readonly seed: number;
  readonly exercises: Readonly<Record<string, ProgressEntry>>;
}

/**
 * Progress in a file. Each change is read, changed and written under a lock, so that notebooks open at the same time
 * keep each other's entries. A file that can't be read is put aside, never overwritten; what can't be written is kept
 * in memory, and said once.
 */
export class ProgressFile implements ProgressStore {
  private readonly file: string;
  private readonly notices: string[] = [];
  /** Entries that could not be written yet. */
  private readonly pending = new Map<string, ProgressEntry>();
  private lastSeed = randomInt(1, HIGHEST_SEED);

  constructor(file: string) {
    this.file = file;
  }

  get seed(): number {
    this.transact((content) => (existsSync(this.file) ? undefined : content));
    return this.lastSeed;
  }

  entries(): Readonly<Record<string, ProgressEntry>> {
    let entries: Content['exercises'] = {};
    this.transact(({ exercises }) => {
      entries = exercises;
      return undefined;
    });
    return { ...entries, ...Object.fromEntries(this.pending) };
  }

  update(id: string, change: (entry: ProgressEntry) => ProgressEntry): void {
    let changed: ProgressEntry | undefined;
    const written = this.transact((content) => {
      const exercises = { ...content.exercises, ...Object.fromEntries(this.pending) };
      changed = change(exercises[id] ?? UNTOUCHED);
      return { ...content, exercises: { ...exercises, [id]: changed } };
    });
    if (written) this.pending.clear();
    else this.pending.set(id, changed ?? change(this.pending.get(id) ?? UNTOUCHED));
  }

  reset(newNumbers: boolean): string {
    this.pending.clear();
    let kept = '';
    this.transact((content) => {
      if (Object.keys(content.exercises).length > 0) kept = this.putAside('before-reset');
      const seed = newNumbers ? randomInt(1, HIGHEST_SEED) : content.seed;
      this.lastSeed = seed;
      return { version: VERSION, seed, exercises: {} };
    });
    return kept ? `The old progress is kept in ${kept}.` : 'There was no progress yet.';
  }

  takeNotice(): string | undefined {
    return this.notices.shift();
  }

  /**
   * Reads, lets `change` decide and writes what it returns, undisturbed by others.
   *
   * @returns whether the file holds now what it should
   */
  private transact(change: (content: Content) => Content | undefined): boolean {
    try {
      withLockSync(`${this.file}.lock`, () => {
        const content = this.read();
        this.lastSeed = content.seed;
        const changed = change(content);
        if (changed) writeAtomically(this.file, `${JSON.stringify(changed, null, 2)}\n`);
      });
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      this.say(
        `Progress cannot be kept in ${this.file} (${code}): it is kept until this notebook's kernel ends.`,
      );
      return false;
    }
  }

  private read(): Content {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return { version: VERSION, seed: this.lastSeed, exercises: {} };
    }
    const content = parse(text);
    if (content) return content;
    const seed = seedIn(text) ?? this.lastSeed;
    this.say(
      `The file with your progress was damaged. It is kept as ${this.putAside('damaged')}; a new one is begun.`,
    );
    return { version: VERSION, seed, exercises: {} };
  }

  /** Renames the file to a name that nothing has yet. */
  private putAside(why: string): string {
    for (let n = 1; ; n += 1) {
      const name = `${basename(this.file, '.json')}.${why}-${n}.json`;
      const place = join(dirname(this.file), name);
      if (existsSync(place)) continue;
      renameSync(this.file, place);
      return name;
    }
  }

  private say(notice: string): void {
    if (!this.notices.includes(notice)) this.notices.push(notice);
  }
}

/** Undefined for what is no progress file of this version. Entries that are none are left out. */
function parse(text: string): Content | undefined {
  try {
    const { version, seed, exercises } = JSON.parse(text) as Partial<Content>;
    if (version !== VERSION || !isSeed(seed)) return undefined;
    if (typeof exercises !== 'object' || exercises === null) return undefined;
    if (!Object.values(exercises).every(isEntry)) return undefined;
    return { version, seed, exercises };
  } catch {
    return undefined;
  }
}

const isSeed = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= HIGHEST_SEED;

function isEntry(value: unknown): value is ProgressEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { state, attempts, hints, solution } = value as Partial<ProgressEntry>;
  return (
    (state === 'open' || state === 'tried' || state === 'solved') &&
    Number.isInteger(attempts) &&
    Number.isInteger(hints) &&
    typeof solution === 'boolean'
  );
}

/** The seed of a damaged file, so that the learner's numbers stay as they were. */
function seedIn(text: string): number | undefined {
  const found = Number(/"seed":\s*(\d+)\b/.exec(text)?.[1]);
  return isSeed(found) ? found : undefined;
}
