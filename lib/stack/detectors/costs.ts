/** Checks that run on the machine and can be counted. */
export const COUNTED_DETECTORS = [
  'stack-end-check',
  'stack-protector',
  'stack-usage',
  'stack-tracer',
  'irq-check',
] as const;
export type CountedDetector = (typeof COUNTED_DETECTORS)[number];

/** What a check has cost so far, counted where it runs. */
export interface DetectorCost {
  /** How often it was made. */
  readonly checks: number;
  /** Loads and stores of 8 bytes, and the bytes they moved. */
  readonly loads: number;
  readonly stores: number;
  readonly bytes: number;
}

const NOTHING: DetectorCost = { checks: 0, loads: 0, stores: 0, bytes: 0 };
const WORD = 8;

/** What was added from one look at a counter to a later one. */
export function costSince(before: DetectorCost, after: DetectorCost): DetectorCost {
  return {
    checks: after.checks - before.checks,
    loads: after.loads - before.loads,
    stores: after.stores - before.stores,
    bytes: after.bytes - before.bytes,
  };
}

/** The counters of one machine, and what its checks remember from one time to the next. */
export class DetectorCosts {
  private costs: Map<CountedDetector, DetectorCost> = new Map();
  /** DEBUG_STACK_USAGE: the least that any task has left unused so far, bytes; null before the first exit. */
  lowestUnused: number | null = null;
  private saved: { costs: Map<CountedDetector, DetectorCost>; lowestUnused: number | null } = {
    costs: new Map(),
    lowestUnused: null,
  };

  /** One check with so many loads and stores of a word. */
  note(detector: CountedDetector, loads: number, stores = 0): void {
    const before = this.of(detector);
    this.costs.set(detector, {
      checks: before.checks + 1,
      loads: before.loads + loads,
      stores: before.stores + stores,
      bytes: before.bytes + WORD * (loads + stores),
    });
  }

  of(detector: CountedDetector): DetectorCost {
    return this.costs.get(detector) ?? NOTHING;
  }

  snapshot(): void {
    this.saved = { costs: new Map(this.costs), lowestUnused: this.lowestUnused };
  }

  restore(): void {
    this.costs = new Map(this.saved.costs);
    this.lowestUnused = this.saved.lowestUnused;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const lines = COUNTED_DETECTORS.map((detector) => {
      const { checks, loads, stores, bytes } = this.of(detector);
      return `${detector.padEnd(16)} ${checks} checks, ${loads} loads, ${stores} stores, ${bytes} bytes`;
    });
    return lines.join('\n');
  }
}
