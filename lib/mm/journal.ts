/**
 * An undo journal over typed arrays, so that going back to a snapshot costs in proportion to what
 * was written since, not to how large the arrays are.
 *
 * A store is journalled by calling `save` before it. Without a snapshot `save` costs one test.
 */
export class Journal {
  /** True while there is a snapshot to go back to. */
  active = false;
  private readonly cells: Indexable[] = [];
  private readonly indices: number[] = [];
  private readonly values: unknown[] = [];
  /** Stores remembered. The arrays keep their length: emptied, they would be grown anew each time. */
  private count = 0;

  /** Makes the present state the one `restore` returns to, and forgets an older snapshot. */
  snapshot(): void {
    this.forget();
    this.active = true;
  }

  /** Writes the old values back, newest first. The snapshot stays: `restore` may be repeated. */
  restore(): void {
    if (!this.active) throw new TypeError('restore: expected a snapshot() before it, got none');
    for (let i = this.count - 1; i >= 0; i--) {
      this.cells[i][this.indices[i]] = this.values[i];
    }
    this.forget();
  }

  /** Remembers the value of `cell[index]`, which is about to be overwritten. */
  save(cell: Indexable, index: number): void {
    if (!this.active) return;
    this.cells[this.count] = cell;
    this.indices[this.count] = index;
    this.values[this.count] = cell[index];
    this.count++;
  }

  /** A larger array took the place of `before`: what was saved is to be written back there. */
  moved(before: Indexable, after: Indexable): void {
    for (let i = 0; i < this.count; i++) {
      if (this.cells[i] === before) this.cells[i] = after;
    }
  }

  /** Number of stores since the snapshot. */
  get length(): number {
    return this.count;
  }

  private forget(): void {
    this.count = 0;
  }
}

/** A typed array or plain array whose elements can be saved and written back. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Indexable = { [index: number]: any };
