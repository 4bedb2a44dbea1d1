import { statSync } from 'node:fs';

type Cache = NodeJS.Dict<NodeJS.Module>;

/** Knows which of the loaded files have changed since, and has them loaded anew. */
export class Freshness {
  /** When each file was last changed, as it was when it was loaded. */
  private readonly stamps = new Map<string, string>();

  /**
   * @param cache what `require` has loaded
   * @param isLocal which files may change under a notebook
   */
  constructor(
    private readonly cache: Cache,
    private readonly isLocal: (file: string) => boolean,
  ) {}

  /** Remembers the state of what has been loaded since the last call. */
  note(): void {
    for (const file of Object.keys(this.cache)) {
      if (!this.stamps.has(file) && this.isLocal(file)) this.stamps.set(file, stampOf(file));
    }
  }

  /** Forgets changed files, and whatever was loaded on top of them. */
  dropChanged(): void {
    const stale: string[] = [];
    for (const [file, stamp] of this.stamps) {
      if (this.cache[file] === undefined) this.stamps.delete(file);
      else if (stampOf(file) !== stamp) stale.push(file);
    }
    if (stale.length === 0) return;
    const importers = this.importers();
    const dropped = new Set<string>();
    for (let file = stale.pop(); file !== undefined; file = stale.pop()) {
      if (dropped.has(file)) continue;
      dropped.add(file);
      stale.push(...(importers.get(file) ?? []));
    }
    for (const file of dropped) {
      delete this.cache[file];
      this.stamps.delete(file);
    }
  }

  private importers(): Map<string, string[]> {
    const importers = new Map<string, string[]>();
    for (const [file, module] of Object.entries(this.cache)) {
      if (!this.isLocal(file)) continue;
      for (const { filename } of module?.children ?? []) {
        const known = importers.get(filename);
        if (known) known.push(file);
        else importers.set(filename, [file]);
      }
    }
    return importers;
  }
}

function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.mtimeMs}:${stat.size}` : 'gone';
}
