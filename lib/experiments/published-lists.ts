import data from '../data/buddy-order2.json';

/** Free lists of one machine that a kernel log shows, when a stack was refused. */
export interface PublishedLists {
  readonly id: string;
  readonly kernel: string;
  readonly event: string;
  /** Only where the mail says it. */
  readonly ramMiB?: number;
  readonly zones: readonly PublishedZone[];
}

export interface PublishedZone {
  readonly zone: string;
  /** Free blocks by order. */
  readonly counts: readonly number[];
  /** The sum that the kernel printed with them. */
  readonly totalKB?: number;
  /** Blocks of that order and up all lie in the HIGHATOMIC reserve; of which type the others are is not known. */
  readonly highatomicFromOrder?: number;
}

export const PUBLISHED_LISTS: readonly PublishedLists[] = data.cases;

/** The blocks by order, those in the HIGHATOMIC reserve apart. */
export function blocksOf({ counts, highatomicFromOrder = Infinity }: PublishedZone): {
  readonly reserved: readonly number[];
  readonly others: readonly number[];
} {
  const inReserve = (order: number) => order >= highatomicFromOrder;
  return {
    reserved: counts.map((count, order) => (inReserve(order) ? count : 0)),
    others: counts.map((count, order) => (inReserve(order) ? 0 : count)),
  };
}
