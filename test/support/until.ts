/**
 * Looks again and again until something is seen. A test that waits so takes as long as the
 * machine needs; one that sleeps and then looks fails on a slower machine.
 *
 * @param what for the error
 * @param look what is seen, or nothing yet (undefined, false)
 * @param ms when to give up
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 60_000,
): Promise<T> {
  for (const end = performance.now() + ms; ;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > end) throw new Error(`not seen in ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
