import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { layoutFor } from '../../lib/mm/layout';
import { Random } from '../../lib/random';
import { recordedConsole } from './recordings';

interface Recorded {
  kaslr: boolean;
  levels: 4 | 5;
  names: Record<string, bigint>;
}

/** The `KSTK layout` lines of the recorded boots, all of 6.1. */
function recordedLayouts(): Recorded[] {
  const boots: Recorded[] = [];
  for (const line of recordedConsole('layouts.txt')) {
    if (line.startsWith('Command line')) {
      boots.push({ kaslr: !line.includes('nokaslr'), levels: 4, names: {} });
    }
    const boot = boots.at(-1);
    if (!boot || !/^KSTK layout (PAGE_OFFSET|START_KERNEL_map|CR3)/.test(line)) continue;
    for (const [, name, value] of line.matchAll(/(\w+) ([0-9a-f]+)/g)) {
      boot.names[name] = BigInt(`0x${value}`);
    }
    if (boot.names.pgtable_l5 === 1n) boot.levels = 5;
  }
  return boots;
}

describe('address-space layout', () => {
  const boots = recordedLayouts();

  it('is that of the recorded boots without KASLR, with 4 and 5 levels', () => {
    const fixed = boots.filter(({ kaslr }) => !kaslr);
    assert.deepEqual(new Set(fixed.map(({ levels }) => levels)), new Set([4, 5]));
    for (const { levels, names } of fixed) {
      const layout = layoutFor({ version: '6.1', levels });
      assert.equal(layout.PAGE_OFFSET, names.PAGE_OFFSET);
      assert.equal(layout.VMALLOC_START, names.VMALLOC_START);
      assert.equal(layout.VMALLOC_END, names.VMALLOC_END);
      assert.equal(layout.VMEMMAP_START, names.VMEMMAP_START);
      assert.equal(layout.__START_KERNEL_map, names.START_KERNEL_map);
      assert.equal(layout.MODULES_VADDR, names.MODULES_VADDR);
      assert.equal(layout.MODULES_END + 1n, names.MODULES_END);
      assert.equal(layout.FIXADDR_TOP, names.FIXADDR_TOP);
      assert.equal(layout.CPU_ENTRY_AREA, names.CPU_ENTRY_AREA);
    }
  });

  // Compared with boots with KASLR: order of the regions, their alignment to 1 GiB, the size of the
  // vmalloc space, and that modules and the entry area stay where they are.
  it('with KASLR has the properties of the recorded boots', () => {
    const moved = boots.filter(({ kaslr }) => kaslr);
    assert.ok(moved.length >= 4);
    const drawn = (levels: 4 | 5) =>
      Array.from({ length: 40 }, (_, seed) => {
        const layout = layoutFor({
          version: '6.1',
          levels,
          kaslr: new Random(seed),
          ramBytes: 2 ** 28,
        });
        return { levels, names: layout as unknown as Record<string, bigint> };
      });
    for (const { levels, names } of [...moved, ...drawn(4), ...drawn(5)]) {
      const { PAGE_OFFSET, VMALLOC_START, VMALLOC_END, VMEMMAP_START } = names;
      const plain = layoutFor({ version: '6.1', levels });
      for (const start of [PAGE_OFFSET, VMALLOC_START, VMEMMAP_START]) {
        assert.equal(start % (1n << 30n), 0n);
      }
      assert.ok(plain.PAGE_OFFSET <= PAGE_OFFSET);
      assert.ok(PAGE_OFFSET < VMALLOC_START && VMALLOC_END < VMEMMAP_START);
      assert.ok((names.DIRECT_MAP_END ?? PAGE_OFFSET) < VMALLOC_START);
      assert.ok(VMEMMAP_START < 0xfffffe0000000000n);
      assert.equal(VMALLOC_END - VMALLOC_START, plain.VMALLOC_END - plain.VMALLOC_START);
      assert.equal(names.MODULES_VADDR, plain.MODULES_VADDR);
      assert.equal(names.CPU_ENTRY_AREA, plain.CPU_ENTRY_AREA);
    }
  });

  it('the same seed gives the same layout, another seed another', () => {
    const of = (seed: number) => layoutFor({ version: '6.1', levels: 4, kaslr: new Random(seed) });
    assert.deepEqual(of(1), of(1));
    assert.notEqual(of(1).PAGE_OFFSET, of(2).PAGE_OFFSET);
  });

  it('the direct map moved in 4.20, the vmalloc space stayed', () => {
    const old = layoutFor({ version: '4.9', levels: 4 });
    const now = layoutFor({ version: '4.20', levels: 4 });
    assert.equal(old.PAGE_OFFSET, 0xffff880000000000n);
    assert.equal(now.PAGE_OFFSET, 0xffff888000000000n);
    assert.equal(old.VMALLOC_START, now.VMALLOC_START);
    assert.equal(layoutFor({ version: '2.6.32', levels: 4 }).MODULES_VADDR, 0xffffffffa0000000n);
    assert.equal(old.CPU_ENTRY_AREA, null);
  });

  it('what the kernel of a version does not have is refused', () => {
    assert.throws(() => layoutFor({ version: '4.9', levels: 5 }), /5-level paging came with 4.14/);
    assert.throws(
      () => layoutFor({ version: '3.12', levels: 4, kaslr: new Random(1) }),
      /KASLR came with 3.14/,
    );
    assert.throws(() => layoutFor({ version: 'six', levels: 4 }), /expected a kernel version/);
    const early = layoutFor({ version: '4.4', levels: 4, kaslr: new Random(3) });
    assert.equal(early.PAGE_OFFSET, 0xffff880000000000n);
    assert.notEqual(early._text, 0xffffffff81000000n);
  });

  it('prints as the table of mm.rst, regions in order', () => {
    const text = inspect(layoutFor({ version: '6.1', levels: 4 }));
    assert.match(
      text,
      /^ ffffc90000000000 \| ffffe8ffffffffff \| +32 TB \| vmalloc\/ioremap space \(vmalloc_base\)$/m,
    );
    const starts = text
      .split('\n')
      .slice(1)
      .map((line) => line.trim().slice(0, 16));
    assert.deepEqual(starts, [...starts].sort());
  });
});
