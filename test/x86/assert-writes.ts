import { strict as assert } from 'node:assert';
import type { PhysMemory } from '../../lib/x86/phys-memory';

/**
 * Since the last checkpoint exactly these quadwords of memory changed. Pages are compared
 * with what they held then, so that the cost is that of the pages written.
 */
export function assertWrites(
  memory: PhysMemory,
  writes: readonly { address: bigint; value: bigint }[],
): void {
  const named = writes.map(({ address }) => Number(address >> 12n));
  for (const pfn of new Set([...named, ...memory.dirtyPfns()])) {
    const expected = Buffer.from(memory.atCheckpoint(pfn));
    for (const { address, value } of writes) {
      if (Number(address >> 12n) !== pfn) continue;
      expected.writeBigUInt64LE(value, Number(address & 0xfffn));
    }
    const got = memory.readBytes(BigInt(pfn) << 12n, 4096);
    assert.ok(expected.equals(got), `page frame ${pfn}: accessed and dirty bits`);
  }
}
