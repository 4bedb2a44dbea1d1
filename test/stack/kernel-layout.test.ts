import assert from 'node:assert/strict';
import fc from 'fast-check';
import { kernelConfig } from '../../lib/stack/config';
import { layoutOf } from '../../lib/stack/kernel-layout';
import { overrun } from '../../lib/stack/overrun';

const RAM = 64n << 20n;

describe('a stack at a given place', () => {
  const regions4 = fc.bigInt({ min: 0xffff888100000000n, max: 0xfffffdffffff0000n });
  const regions5 = fc.bigInt({ min: 0xff11000100000000n, max: 0xfffefffffffc0000n });
  const aligned = (base: bigint) => base & -0x8000n;

  it('lies in a vmalloc area that KASLR may have moved, clear of the direct map, with 4 levels and 5', () => {
    for (const region of [regions4, regions5]) {
      fc.assert(
        fc.property(region.map(aligned), (stackBase) => {
          const config = kernelConfig('vmap', { stackBase });
          const layout = layoutOf(config, RAM, 1);
          assert.ok(layout.VMALLOC_START <= stackBase && stackBase <= layout.VMALLOC_END);
          assert.ok(
            layout.PAGE_OFFSET + RAM <= layout.VMALLOC_START ||
              layout.PAGE_OFFSET > layout.VMALLOC_END,
          );
          assert.ok(layout.VMALLOC_END < layout.VMEMMAP_START);
          assert.ok(layout.VMALLOC_END < 0xfffffe0000000000n);
        }),
      );
    }
  });

  it('meets its guard page there', () => {
    for (const stackBase of [
      0xffffb2a683170000n,
      0xffff9d1240628000n,
      0xffffe8ff12340000n,
      0xffa0000000590000n,
      0xff6c00c0005b8000n,
    ]) {
      const report = overrun({ era: 'vmap', stackBase });
      assert.equal(report.stackBase, stackBase);
      assert.equal(report.detector, 'guard-page');
      assert.equal(report.rsp & ~15n, report.cr2! + 8n);
    }
  });

  it('may be in a direct map that KASLR has moved', () => {
    for (const stackBase of [0xffff9a3d00a00000n, 0xffff888000a00000n, 0xff11000000a00000n]) {
      const { victims } = overrun({ era: '16k', kernel: '6.1', stackBase, past: 512 });
      assert.ok(victims.length > 0, stackBase.toString(16));
    }
  });

  it('is refused where no kernel could have it', () => {
    const refused = (era: '16k' | 'vmap', stackBase: bigint, kernel = '6.1') =>
      assert.throws(() => overrun({ era, stackBase, kernel }), /stackBase: expected|levels:/);
    refused('vmap', 0x7fff00000000n);
    refused('vmap', 0xffffc90000001000n);
    refused('vmap', 0xffff888000100000n);
    refused('vmap', 0xfffffe0000010000n);
    refused('vmap', 0xffa0000000590000n, '4.9');
    refused('16k', 0xfffffdffffff0000n);
    // No RANDOMIZE_MEMORY before 4.8.
    refused('16k', 0xffffc90000590000n, '3.15');
    refused('16k', 0xffff9a3d00a00000n, '3.15');
  });

  it('lies elsewhere for another seed with KASLR, and the image is moved too', () => {
    const bases = [1, 2].map((seed) => overrun({ era: 'vmap', kaslr: true, seed, poke: 8 }));
    assert.notEqual(bases[0].stackBase, bases[1].stackBase);
    const { console } = overrun({ era: 'vmap', kaslr: true });
    assert.ok(
      console.some((line) =>
        /^Kernel Offset: 0x[0-9a-f]+ from 0xffffffff81000000 \(relocation range: 0xffffffff80000000-0xffffffffbfffffff\)$/.test(
          line,
        ),
      ),
    );
  });
});
