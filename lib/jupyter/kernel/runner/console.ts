import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { print, report } from './bridge';
import { currentRun, lastRun } from './runs';

type Name = 'stdout' | 'stderr';
type Done = (error?: Error | null) => void;

/** A standard stream whose text goes to the cell that writes it, at once. */
class CellStream extends Writable {
  private readonly decoder = new StringDecoder('utf8');
  readonly isTTY = false;

  constructor(
    private readonly name: Name,
    readonly fd: number,
  ) {
    super({ decodeStrings: false });
  }

  override write(chunk: unknown, encoding?: unknown, done?: unknown): boolean {
    const bytes = chunk instanceof Uint8Array;
    if (typeof chunk !== 'string' && !bytes) {
      throw new TypeError(`write: expected a string or bytes, got ${typeof chunk}`);
    }
    print(this.name, bytes ? this.decoder.write(Buffer.from(chunk)) : chunk, null);
    const callback = typeof encoding === 'function' ? encoding : done;
    if (typeof callback === 'function') process.nextTick(callback as Done);
    return true;
  }

  override _write(_chunk: unknown, _encoding: string, done: Done): void {
    done();
  }
}

/** Gives the cells a console and standard streams of their own. */
export function ownConsole(): void {
  const stdout = new CellStream('stdout', 1);
  const stderr = new CellStream('stderr', 2);
  Object.defineProperty(process, 'stdout', { value: stdout, configurable: true });
  Object.defineProperty(process, 'stderr', { value: stderr, configurable: true });
  const own = new Console({ stdout, stderr, colorMode: true, ignoreErrors: false });
  own.clear = () => {
    const run = currentRun() ?? lastRun();
    if (!run.dead) report({ type: 'clear', run: run.id, wait: false });
  };
  // The methods move into the console that is there, so that every importer sees them.
  for (const key of Object.keys(own) as (keyof Console)[]) {
    Object.defineProperty(console, key, {
      value: own[key],
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
  process.on('warning', (warning) => print('stderr', `${String(warning)}\n`, null));
}
