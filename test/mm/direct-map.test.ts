import assert from 'node:assert/strict';
import { isFault } from '../../lib/x86/fault';
import { bareMachine } from './machine';
import { recordedMemory } from './recordings';

const MIB = 2 ** 20;

describe('direct map', () => {
  it('uses the largest leaves that fit, 4 KiB ones for the first 2 MiB', () => {
    const { directMap, pageTable } = bareMachine({ ram: 3 * 1024 * MIB + 4096 * 5 });
    assert.deepEqual(directMap.leaves, { '4K': 512 + 5, '2M': 511, '1G': 2 });
    const size = (offset: number) => pageTable.lookup(directMap.start + BigInt(offset))?.pageSize;
    assert.equal(size(0), 4096);
    assert.equal(size(2 * MIB), 2 * MIB);
    assert.equal(size(1024 * MIB), 1024 * MIB);
    assert.equal(size(3 * 1024 * MIB), 4096);
    assert.equal(size(3 * 1024 * MIB + 5 * 4096), undefined);
  });

  it('a 2 MiB leaf has the bits of the recorded guest: present, writable, accessed, dirty, global, not executable', () => {
    const { directMap, pageTable } = bareMachine({ gbPages: false });
    // Recorded: directmap-alias va ffff888006913000 … value 80000000068001e3, level 2.
    const leaf = pageTable.lookup(directMap.start + 0x2000000n);
    assert.equal(leaf?.level, 2);
    assert.equal(leaf?.raw, 0x80000000020001e3n);
  });

  it('every address of RAM translates to itself, there and back', () => {
    const { directMap, cpu, memory } = bareMachine();
    for (const pa of [0n, 0x1ff8n, 0x200000n, 0x3fffff8n]) {
      memory.write64(pa, 0x1000n + pa);
      const va = directMap.physToVirt(pa);
      assert.equal(cpu.load64(va), 0x1000n + pa);
      assert.equal(directMap.virtToPhys(va), pa);
    }
  });

  it('an address outside RAM or outside the map is refused', () => {
    const { directMap, layout } = bareMachine();
    assert.throws(() => directMap.physToVirt(BigInt(64 * MIB)), /expected one inside RAM/);
    assert.throws(
      () => directMap.virtToPhys(layout.VMALLOC_START),
      /expected one in the direct map/,
    );
    assert.throws(() => directMap.setMemory(directMap.end, 1, {}), /pages inside the direct map/);
  });

  it('one read-only page splits the leaf it lies in: 512 leaves, one table page, 511 more TLB entries', () => {
    const { directMap, cpu, pageAllocator } = bareMachine({ gbPages: false });
    const entries = directMap.tlbEntries;
    const tables = pageAllocator.pageInfo.pagesOf('pagetable');
    const va = directMap.start + 0x2010_000n;
    const report = directMap.setMemory(va, 1, { writable: false });
    assert.deepEqual(
      { ...report, flush: report.flush.state },
      {
        error: null,
        splits1G: 0,
        splits2M: 1,
        tablePages: 1,
        tlbEntries: { before: 543, after: 1054 },
        flush: 'owed',
      },
    );
    report.flush.discharge(cpu);
    assert.equal(pageAllocator.pageInfo.pagesOf('pagetable'), tables + 1);
    assert.equal(directMap.tlbEntries, entries + 511);
    assert.ok(isFault(cpu.store64(va, 1n)));
    assert.equal(cpu.store64(va - 8n, 1n), null);
    assert.equal(cpu.store64(va + 4096n, 1n), null);
  });

  it('a range that covers leaves whole changes them as they are', () => {
    const { directMap, cpu } = bareMachine({ gbPages: false });
    const before = { ...directMap.leaves };
    const report = directMap.setMemory(directMap.start + 0x800000n, 1024, { writable: false });
    assert.equal(report.splits2M, 0);
    assert.deepEqual(directMap.leaves, before);
    report.flush.discharge(cpu);
    assert.ok(isFault(cpu.store64(directMap.start + 0xbffff8n, 1n)));
    assert.equal(cpu.store64(directMap.start + 0xc00000n, 1n), null);
  });

  it('one page of a 1 GiB leaf costs two splits', () => {
    const { directMap } = bareMachine({ ram: 2048 * MIB });
    const report = directMap.setMemory(directMap.start + 0x40001000n, 1, { executable: true });
    assert.deepEqual([report.splits1G, report.splits2M, report.tablePages], [1, 1, 2]);
    assert.deepEqual(directMap.leaves, { '4K': 1024, '2M': 511 + 511, '1G': 0 });
  });

  it('a page taken out is a guard page in the direct map; until the flush the old translation may be used', () => {
    const { directMap, cpu } = bareMachine({ gbPages: false });
    const va = directMap.start + 0x2010_000n;
    assert.equal(cpu.store64(va, 7n), null);
    const { flush } = directMap.setMemory(va, 1, { present: false });
    assert.equal(cpu.load64(va), 7n);
    flush.discharge(cpu);
    const fault = cpu.load64(va);
    assert.ok(isFault(fault) && fault.reason === 'not-present' && fault.address === va);
    assert.equal(directMap.setMemory(va, 1, { present: true }).error, null);
    assert.equal(cpu.load64(va), 7n);
  });

  it('without memory for a table the change is refused and nothing is lost', () => {
    const { directMap, pageAllocator, cpu } = bareMachine({ gbPages: false });
    while (pageAllocator.allocPages(0, { noretry: true, nowarn: true }) !== null);
    const va = directMap.start + 0x2010_000n;
    assert.equal(directMap.setMemory(va, 1, { writable: false }).error, 'no-memory');
    assert.equal(cpu.store64(va, 1n), null);
  });

  it('prints the DirectMap lines of /proc/meminfo', () => {
    const { directMap } = bareMachine({ ram: 256 * MIB });
    assert.equal(
      directMap.meminfo(),
      'DirectMap4k:        2048 kB\nDirectMap2M:      260096 kB\nDirectMap1G:           0 kB\n',
    );
    const recorded = recordedMemory().before.meminfo.split('\n');
    for (const [i, line] of directMap.meminfo().split('\n').slice(0, 3).entries()) {
      assert.equal(line.length, recorded.filter((l) => l.startsWith('DirectMap'))[i].length);
    }
  });
});
