import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { JsonObject } from '../protocol/message';
import { isObject } from '../protocol/message';

interface Entry {
  session: number;
  line: number;
  input: string;
  output: string | null;
}

/** With or without outputs, as the protocol wants it. */
type Row = [number, number, string] | [number, number, [string, string | null]];

/** What was run; kept over restarts if a file is given, one JSON object a line. */
export class History {
  private readonly entries: Entry[] = [];
  private readonly session: number;
  /** Ends a line that a crash has cut short. */
  private lineBreak = '';

  constructor(private readonly file?: string) {
    if (file !== undefined && existsSync(file)) this.read(file);
    this.session = (this.entries.at(-1)?.session ?? 0) + 1;
  }

  add(line: number, input: string, output: string | null): void {
    const entry = { session: this.session, line, input, output };
    this.entries.push(entry);
    if (this.file === undefined) return;
    try {
      mkdirSync(dirname(this.file), { recursive: true });
      appendFileSync(this.file, `${this.lineBreak}${JSON.stringify(entry)}\n`);
      this.lineBreak = '';
    } catch {
      // A history that cannot be written is still one for this session.
    }
  }

  /** Answers a history_request; what it asks for wrongly is left out. */
  ask(request: JsonObject): Row[] {
    const { output = false, hist_access_type: type, n } = request;
    const limit = typeof n === 'number' ? Math.max(0, n) : undefined;
    const row = ({ session, line, input, output: shown }: Entry): Row =>
      output ? [session, line, [input, shown]] : [session, line, input];
    if (type === 'range') return this.range(request).map(row);
    if (type === 'search') return this.search(request, limit).map(row);
    return tail(this.entries, limit ?? 10).map(row);
  }

  private range({ session = 0, start = 1, stop }: JsonObject): Entry[] {
    const wanted = Number(session) <= 0 ? this.session + Number(session) : Number(session);
    const from = Number(start);
    const to = typeof stop === 'number' ? stop : Infinity;
    return this.entries.filter(
      (entry) => entry.session === wanted && entry.line >= from && entry.line < to,
    );
  }

  private search({ pattern = '*', unique = false }: JsonObject, limit = Infinity): Entry[] {
    const wanted = glob(String(pattern));
    let found = this.entries.filter(({ input }) => wanted.test(input));
    if (unique) {
      const last = new Map(found.map((entry) => [entry.input, entry]));
      found = found.filter((entry) => last.get(entry.input) === entry);
    }
    return tail(found, limit);
  }

  private read(file: string): void {
    const text = readFileSync(file, 'utf8');
    if (text !== '' && !text.endsWith('\n')) this.lineBreak = '\n';
    for (const line of text.split('\n')) {
      try {
        const entry: unknown = JSON.parse(line);
        if (isObject(entry) && typeof entry.input === 'string') {
          this.entries.push(entry as unknown as Entry);
        }
      } catch {
        // A line cut short by a crash, or the empty one at the end.
      }
    }
  }
}

function tail<T>(all: T[], n: number): T[] {
  return n >= all.length ? all : all.slice(all.length - n);
}

/** `*` and `?` as in file names, matched against the whole text. */
function glob(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '[^]*')
    .replace(/\?/g, '[^]');
  return new RegExp(`^${source}$`);
}
