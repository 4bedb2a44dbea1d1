import { NR_PAGE_ORDERS } from './free-lists';
import { migrateTypeName, migrateTypesOf } from './migrate-type';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES, type Zone } from './zone';

const ORDERS = [...Array(NR_PAGE_ORDERS).keys()];

/** The text of /proc/buddyinfo: free blocks by order, smallest first, one line a zone. */
export function buddyinfoText(zones: readonly Zone[], node = 0): string {
  return zones.map((zone) => buddyinfoLine(node, zone.name, [...zone.free.nrFree])).join('');
}

/** One line of /proc/buddyinfo, with its line end. */
export function buddyinfoLine(node: number, zone: string, counts: readonly number[]): string {
  const columns = counts.map((count) => `${String(count).padStart(6)} `).join('');
  return `Node ${node}, zone ${zone.padStart(8)} ${columns}\n`;
}

/** The text of /proc/pagetypeinfo: free blocks by order and migrate type, and pageblocks by type. */
export function pagetypeinfoText(zones: readonly Zone[], version: string, node = 0): string {
  const types = migrateTypesOf(version);
  const free = zones.map((zone) =>
    types
      .map((type) =>
        pagetypeLine(
          node,
          zone.name,
          migrateTypeName(type),
          ORDERS.map((order) => zone.free.count(order, type)),
        ),
      )
      .join(''),
  );
  const blocks = zones.map((zone) => {
    const counts = zone.pageblockCounts();
    return pageblockLine(
      node,
      zone.name,
      types.map((type) => counts[type]),
    );
  });
  return [
    `Page block order: ${PAGEBLOCK_ORDER}\nPages per block:  ${PAGEBLOCK_PAGES}\n\n`,
    freeCountHead(),
    ...free,
    '\n',
    pageblockHead(types.map(migrateTypeName)),
    ...blocks,
  ].join('');
}

export function freeCountHead(): string {
  const orders = ORDERS.map((order) => `${String(order).padStart(6)} `).join('');
  return `${'Free pages count per migrate type at order'.padEnd(43)} ${orders}\n`;
}

export function pagetypeLine(
  node: number,
  zone: string,
  type: string,
  counts: readonly number[],
): string {
  const columns = counts.map((count) => `${String(count).padStart(6)} `).join('');
  return `Node ${String(node).padStart(4)}, zone ${zone.padStart(8)}, type ${type.padStart(12)} ${columns}\n`;
}

export function pageblockHead(types: readonly string[]): string {
  return `${'Number of blocks type'.padEnd(23)}${types.map((type) => `${type.padStart(12)} `).join('')}\n`;
}

export function pageblockLine(node: number, zone: string, counts: readonly number[]): string {
  const columns = counts.map((count) => `${String(count).padStart(12)} `).join('');
  return `Node ${node}, zone ${zone.padStart(8)} ${columns}\n`;
}
