/** A front end's server drops what comes faster than about 1 MB or 1000 messages a second. */
const BURST = 2_000_000;
const PER_MS = 800;
/** What a message costs besides its text. */
const MESSAGE = 1000;
/** More than this from one cell helps nobody; the rest is counted and left out. */
const CELL_LIMIT = Number(process.env.GUARDPAGE_KERNEL_OUTPUT_LIMIT) || 10_000_000;

/** Paces what cells print, so that none of it is lost on the way, and cuts what never ends. */
export class Throttle {
  private credit = BURST;
  private at = performance.now();
  private readonly printed = new Map<number, { shown: number; cut: number }>();

  /** @returns how many milliseconds to wait before taking more */
  spend(characters: number): number {
    const now = performance.now();
    this.credit = Math.min(BURST, this.credit + (now - this.at) * PER_MS);
    this.at = now;
    this.credit -= characters + MESSAGE;
    return this.credit >= 0 ? 0 : -this.credit / PER_MS;
  }

  /** As much of `text` as run `run` may still print. */
  admit(run: number, text: string): string {
    let state = this.printed.get(run);
    if (state === undefined) {
      state = { shown: 0, cut: 0 };
      this.printed.set(run, state);
    }
    const room = CELL_LIMIT - state.shown;
    const admitted = text.length <= room ? text : text.slice(0, Math.max(0, room));
    state.shown += admitted.length;
    state.cut += text.length - admitted.length;
    return admitted;
  }

  /** What to say of the text of `run` that was left out; forgets the run. */
  conclude(run: number): string | undefined {
    const state = this.printed.get(run);
    this.printed.delete(run);
    if (!state || state.cut === 0) return undefined;
    const shown = CELL_LIMIT.toLocaleString('en');
    return `\n[output cut after ${shown} characters: ${state.cut.toLocaleString('en')} more are not shown]\n`;
  }
}
