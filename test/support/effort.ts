/**
 * Seed and number of runs of a property: fixed in `npm test`. `npm run nightly` sets
 * GUARDPAGE_RUNS to a factor and GUARDPAGE_SEED to another seed, which it prints.
 */
export function effort(numRuns: number): { seed: number; numRuns: number } {
  const { GUARDPAGE_RUNS = '1', GUARDPAGE_SEED = '1' } = process.env;
  return { seed: Number(GUARDPAGE_SEED), numRuns: Math.ceil(numRuns * Number(GUARDPAGE_RUNS)) };
}
