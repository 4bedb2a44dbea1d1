/**
 * Cuts what was printed at several moments apart: something that was there already begins a new listing.
 *
 * @param keyOf what can be in one listing only once
 * @param startOf index in the listing so far at which the new one began; its end unless given
 */
export function listings<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  startOf: (listing: readonly T[], next: T) => number = (listing) => listing.length,
): T[][] {
  let current: T[] = [];
  let keys = new Set<string>();
  const all = [current];
  for (const item of items) {
    const key = keyOf(item);
    if (keys.has(key)) {
      current = current.splice(startOf(current, item));
      keys = new Set(current.map(keyOf));
      all.push(current);
    }
    keys.add(key);
    current.push(item);
  }
  return all;
}

/** Says that there are more listings than the one that is read. */
export function whichListing(count: number, read: number = 0): string[] {
  if (count <= 1) return [];
  return [
    `The text holds ${count} listings; this is the first${read > 0 ? ' that can be read' : ''}.`,
  ];
}
