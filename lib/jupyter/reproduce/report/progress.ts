import type { Progress } from '../reproduce';

/** Something text is written to: standard error. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR = 24;

/** Live progress: one line that is redrawn on a terminal, a line for each notebook elsewhere. */
export class ProgressLine {
  private notebooks = 0;
  private done = 0;
  private cells = 0;
  private run = 0;
  private readonly busy = new Set<string>();

  constructor(private readonly terminal: Terminal) {}

  take(progress: Progress): void {
    switch (progress.type) {
      case 'planned':
        this.notebooks = progress.notebooks;
        this.cells = progress.cells;
        break;
      case 'started':
        this.busy.add(progress.name);
        break;
      case 'cell':
        this.run += 1;
        break;
      case 'done':
        this.done += 1;
        this.busy.delete(progress.result.name);
        if (!this.terminal.isTTY) {
          const { name, outcome } = progress.result;
          this.terminal.write(`[${this.done}/${this.notebooks}] ${name}: ${outcome}\n`);
        }
    }
    this.draw();
  }

  /** Clears the line, so that something else can be written. */
  clear(): void {
    if (this.terminal.isTTY) this.terminal.write('\r\u001b[K');
  }

  draw(): void {
    if (!this.terminal.isTTY || this.done === this.notebooks) return;
    const filled = this.cells === 0 ? 0 : Math.floor((BAR * this.run) / this.cells);
    const bar = `[${'#'.repeat(filled)}${' '.repeat(BAR - filled)}]`;
    const text = `${bar} ${this.run}/${this.cells} cells  ${[...this.busy].join(', ')}`;
    this.terminal.write(`\r\u001b[K${text.slice(0, (this.terminal.columns ?? 80) - 1)}`);
  }
}
