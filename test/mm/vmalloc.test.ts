import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { isFault } from '../../lib/x86/fault';
import { isVmallocFailure, type VmallocFailure, type VmStruct } from '../../lib/mm/vm-struct';
import { lazyMaxPages } from '../../lib/mm/vmalloc-rules';
import { bareMachine, type BareMachine } from './machine';

const STACK = { align: 16384, caller: 'kernel_clone+0xbf/0x430', class: 'stack' } as const;

function area(result: VmStruct | VmallocFailure): VmStruct {
  assert.ok(!isVmallocFailure(result), inspect(result));
  return result;
}

describe('vmalloc', () => {
  it('an area is its size and a guard page at the high end, which has no memory', () => {
    const { vmalloc, cpu, layout, pageAllocator } = bareMachine();
    const stack = area(vmalloc.vmalloc(16384, { ...STACK, owner: 9 }));
    assert.equal(stack.addr, layout.VMALLOC_START);
    assert.equal(stack.size, 20480);
    assert.equal(stack.mappedSize, 16384);
    assert.equal(pageAllocator.pageInfo.pagesOf('stack'), 4);
    assert.equal(cpu.fillBytes(stack.addr, 16384, 0xa5), null);
    const above = cpu.store8(stack.addr + 16384n, 1);
    assert.ok(isFault(above) && above.reason === 'not-present');
    assert.deepEqual(vmalloc.findVmArea(stack.addr + 20479n), stack);
    assert.equal(vmalloc.findVmArea(stack.addr + 20480n), null);
    for (const pfn of stack.pages) assert.equal(pageAllocator.pageInfo.ownerOf(pfn), 9);
  });

  it('its page-table entries have the bits of recorded stacks; vmallocToPage() reads them', () => {
    const { vmalloc, pageTable, directMap } = bareMachine();
    const stack = area(vmalloc.vmalloc(16384, STACK));
    stack.pages.forEach((pfn, i) => {
      const va = stack.addr + BigInt(i * 4096);
      // Recorded: pte stack va ffffc90000c6c000 … value 8000000006913163, level 1.
      assert.equal(pageTable.lookup(va)?.raw, 0x8000000000000163n | (BigInt(pfn) << 12n));
      assert.equal(vmalloc.vmallocToPage(va + 0xff8n), pfn);
      assert.equal(vmalloc.vmallocToPage(directMap.physToVirt(BigInt(pfn) << 12n)), pfn);
    });
  });

  it('back-to-back stacks start every 32 KiB; a small area fills the hole, then 4 KiB stay unmapped', () => {
    const { vmalloc } = bareMachine();
    const stacks = Array.from({ length: 3 }, () => area(vmalloc.vmalloc(16384, STACK)));
    assert.deepEqual(
      stacks.map(({ addr }) => addr - stacks[0].addr),
      [0n, 0x8000n, 0x10000n],
    );
    const small = area(vmalloc.vmalloc(8192));
    assert.equal(small.addr, stacks[0].addr + 0x5000n);
    assert.equal(small.addr + BigInt(small.size), stacks[1].addr);
    const [below, at] = [-1n, 0n].map((d) => vmalloc.vmallocToPage(stacks[1].addr + d * 4096n));
    assert.deepEqual([below, at], [null, stacks[1].pages[0]]);
  });

  it('a freed area is unmapped and its pages are free at once; its addresses wait for the purge', () => {
    const { vmalloc, pageAllocator } = bareMachine();
    const first = area(vmalloc.vmalloc(16384, STACK));
    const free = pageAllocator.freePageCount;
    vmalloc.vfree(first.addr);
    assert.equal(pageAllocator.freePageCount, free + 4);
    assert.equal(vmalloc.vmallocToPage(first.addr), null);
    assert.equal(vmalloc.findVmArea(first.addr), null);
    assert.equal(vmalloc.lazyPages, 5);
    const second = area(vmalloc.vmalloc(16384, STACK));
    assert.equal(second.addr, first.addr + 0x8000n);
    const report = vmalloc.purge();
    assert.deepEqual([report.areas, report.pages, report.flush.state], [1, 5, 'discharged']);
    assert.equal(area(vmalloc.vmalloc(16384, STACK)).addr, first.addr);
  });

  it('until the purge a CPU may go on using the old translation, and reads a page that is free', () => {
    const { vmalloc, cpu, memory } = bareMachine();
    const stack = area(vmalloc.vmalloc(16384, STACK));
    assert.equal(cpu.store64(stack.addr, 1n), null);
    vmalloc.vfree(stack.addr);
    memory.write64(BigInt(stack.pages[0]) << 12n, 2n);
    assert.equal(cpu.load64(stack.addr), 2n);
    vmalloc.purge();
    assert.ok(isFault(cpu.load64(stack.addr)));
  });

  it('without a CPU the flush is the caller’s duty', () => {
    const { vmalloc, cpu } = bareMachine();
    const stack = area(vmalloc.vmalloc(16384, STACK));
    cpu.store64(stack.addr, 1n);
    vmalloc.vfree(stack.addr);
    const { flush } = vmalloc.purge(null);
    assert.equal(flush.state, 'owed');
    assert.ok(!isFault(cpu.load64(stack.addr)));
    flush.discharge(cpu);
    assert.ok(isFault(cpu.load64(stack.addr)));
  });

  it('the purge comes when more than fls(CPUs) x 32 MiB wait: after 1,639 stacks with one CPU', () => {
    assert.deepEqual([1, 2, 4, 8, 64].map(lazyMaxPages), [8192, 16384, 24576, 32768, 57344]);
    const { vmalloc } = bareMachine();
    let freed = 0;
    while (vmalloc.purges === 0) {
      vmalloc.vfree(area(vmalloc.vmalloc(16384, STACK)).addr);
      freed++;
    }
    assert.equal(freed, Math.floor(8192 / 5) + 1);
    assert.equal(vmalloc.lazyPages, 0);
  });

  it('/proc/vmallocinfo shows waiting areas at the end since 5.5, in their place from 4.13, not before', () => {
    const of = (version: string) => {
      const { vmalloc } = bareMachine({ version });
      const stacks = Array.from({ length: 3 }, () => area(vmalloc.vmalloc(16384, STACK)));
      vmalloc.vfree(stacks[2].addr);
      vmalloc.vfree(stacks[0].addr);
      return vmalloc
        .vmallocinfo()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => `${line.slice(14, 18)} ${line.split(' ').at(-1)}`);
    };
    assert.deepEqual(of('6.1'), ['8000 N0=4', '0000 vm_area', '0000 vm_area']);
    assert.deepEqual(of('4.13'), ['0000 vm_area', '8000 N0=4', '0000 vm_area']);
    assert.deepEqual(of('4.12'), ['8000 N0=4']);
  });

  it('a hole that fits exactly is passed over before 5.2, when the search has noticed nothing larger; later the lowest hole is taken', () => {
    const last = (version: string) => {
      const { vmalloc, layout } = bareMachine({ version });
      const [, hole] = [0, 1, 2].map(() => area(vmalloc.vmalloc(4 * 4096)));
      vmalloc.vfree(hole.addr);
      vmalloc.purge();
      area(vmalloc.vmalloc(6 * 4096));
      return Number((area(vmalloc.vmalloc(4 * 4096)).addr - layout.VMALLOC_START) >> 12n);
    };
    assert.equal(last('6.1'), 5);
    assert.equal(last('4.9'), 5 + 5 + 5 + 7);
  });

  it('of two places of freed stacks 5.16 and 5.17 use the lower; other kernels may pass over it, for they look for room for any alignment', () => {
    const used = (version: string) => {
      const { vmalloc } = bareMachine({ version });
      const stacks = Array.from({ length: 8 }, () => {
        const stack = area(vmalloc.vmalloc(16384, STACK));
        area(vmalloc.vmalloc(2 * 4096));
        return stack.addr;
      });
      for (const i of [5, 3]) {
        vmalloc.vfree(stacks[i]);
        vmalloc.purge();
      }
      return stacks.indexOf(area(vmalloc.vmalloc(16384, STACK)).addr);
    };
    const versions = ['5.2', '5.15', '5.16', '5.17', '5.18', '6.1', '6.19'];
    assert.deepEqual(versions.map(used), [5, 5, 3, 3, 5, 5, 5]);
  });

  it('without VM_NO_GUARD stripped, the next area begins where the last page ends', () => {
    const { vmalloc, cpu } = bareMachine({ version: '5.4' });
    const open = area(vmalloc.vmalloc(4096, { guard: false }));
    const next = area(vmalloc.vmalloc(4096));
    assert.equal(open.size, 4096);
    assert.equal(next.addr, open.addr + 4096n);
    assert.equal(cpu.store8(open.addr + 4096n, 1), null);
  });

  it('vmap() gives every area its guard page since 5.16, and leaves the pages to their owner', () => {
    for (const [version, size] of [
      ['5.15', 8192],
      ['5.16', 12288],
    ] as const) {
      const { vmalloc, pageAllocator, cpu, directMap } = bareMachine({ version });
      const pfns = [3, 1].map(() => pageAllocator.allocPages(0) as number).reverse();
      const mapped = area(vmalloc.vmap(pfns, { guard: false, caller: 'init+0x1/0x2' }));
      assert.equal(mapped.size, size);
      assert.match(vmalloc.vmallocinfo(), / init\+0x1\/0x2 pages=2 vmap N0=2$/m);
      cpu.store64(mapped.addr + 4096n, 77n);
      assert.equal(cpu.load64(directMap.physToVirt(BigInt(pfns[1]) << 12n)), 77n);
      vmalloc.vunmap(mapped.addr);
      for (const pfn of pfns) pageAllocator.freePages(pfn, 0);
    }
  });

  it('the page array of a large area lies in vmalloc space itself and is freed with it', () => {
    const { vmalloc } = bareMachine();
    const large = area(vmalloc.vmalloc(1024 * 4096, { caller: 'pcpu_create_chunk+0x167/0x1b0' }));
    assert.equal(
      vmalloc.vmallocinfo(),
      [
        '0xffffc90000000000-0xffffc90000401000 4198400 pcpu_create_chunk+0x167/0x1b0 pages=1024 vmalloc vpages N0=1024',
        '0xffffc90000401000-0xffffc90000404000   12288 pcpu_create_chunk+0x167/0x1b0 pages=2 vmalloc N0=2',
        '',
      ].join('\n'),
    );
    vmalloc.vfree(large.addr);
    assert.deepEqual([...vmalloc.vmStructs()], []);
    assert.equal(vmalloc.lazyPages, 1025 + 3);
  });

  it('when addresses run out it purges once, then fails in the words of the version', () => {
    const fill = (version: string) => {
      const { vmalloc, layout } = bareMachine({ version });
      const start = layout.VMALLOC_START;
      const range = { start, end: start + 0x10000n };
      const first = area(vmalloc.vmalloc(16384, { ...STACK, ...range }));
      area(vmalloc.vmalloc(16384, { ...STACK, ...range }));
      vmalloc.vfree(first.addr);
      area(vmalloc.vmalloc(16384, { ...STACK, ...range }));
      assert.equal(vmalloc.purges, 1);
      const failed = vmalloc.vmalloc(16384, { ...STACK, ...range });
      assert.ok(isVmallocFailure(failed) && failed.failure === 'no-address');
      return failed.messages[0];
    };
    assert.equal(
      fill('4.9'),
      'vmap allocation for size 20480 failed: use vmalloc=<size> to increase size',
    );
    assert.equal(
      fill('6.19'),
      'vmalloc_node_range for size 20480 failed: Address range restricted to 0xffffc90000000000 - 0xffffc90000010000',
    );
  });

  it('when pages run out everything taken so far goes back', () => {
    const { vmalloc, pageAllocator } = bareMachine();
    area(vmalloc.vmalloc(4096));
    const take = () => pageAllocator.allocPages(0, { nowarn: true, noretry: true });
    const taken: number[] = [];
    for (let pfn = take(); pfn !== null; pfn = take()) taken.push(pfn);
    for (const pfn of taken.slice(0, 500)) pageAllocator.freePages(pfn, 0);
    const free = pageAllocator.freePageCount;
    const failed = vmalloc.vmalloc(8 * 2 ** 20);
    assert.ok(isVmallocFailure(failed) && failed.failure === 'no-memory');
    assert.match(
      failed.messages[0],
      /^vmalloc error: size \d+, page order 0, failed to allocate pages$/,
    );
    // Table pages stay, as they do in Linux.
    assert.ok(free - pageAllocator.freePageCount <= 5, `${free - pageAllocator.freePageCount}`);
    pageAllocator.check();
  });

  it('since 6.19 the pages of a stack come from one block as long as there is one', () => {
    const contiguous = (version: string) => {
      const { vmalloc, pageAllocator } = bareMachine({ version });
      pageAllocator.allocPages(0);
      const areas = Array.from({ length: 50 }, () => {
        const found = area(vmalloc.vmalloc(16384, STACK));
        pageAllocator.allocPages(0);
        return found;
      });
      const aligned = areas.filter(({ pages }) => pages[0] % 4 === 0 && pages[3] === pages[0] + 3);
      vmalloc.vfree(areas[7].addr);
      pageAllocator.check();
      return aligned.length;
    };
    assert.equal(contiguous('6.19'), 50);
    assert.ok(contiguous('6.14') < 50);
  });

  it('misuse is refused', () => {
    const { vmalloc, layout } = bareMachine();
    assert.throws(
      () => vmalloc.vmalloc(0),
      /size: expected a whole number of bytes above 0, got 0/,
    );
    assert.throws(() => vmalloc.vmalloc(1, { align: 3 }), /align: expected a power of two, got 3/);
    assert.throws(() => vmalloc.vfree(layout.VMALLOC_START), /expected the start of an area/);
  });

  it('restore() brings back areas, tables, pages and what waits, round after round', () => {
    for (const version of ['4.9', '5.4', '6.1']) {
      const machine = bareMachine({ version, pcp: true });
      const { vmalloc, pageAllocator, memory, directMap } = machine;
      const stacks = Array.from({ length: 20 }, () => area(vmalloc.vmalloc(16384, STACK)));
      for (const stack of stacks.slice(5, 9)) vmalloc.vfree(stack.addr);
      memory.checkpoint();
      for (const part of [vmalloc, pageAllocator, directMap]) part.snapshot();
      const before = state(machine);
      const outcomes = [0, 1, 2].map(() => {
        for (let i = 0; i < 300; i++) {
          const fresh = area(vmalloc.vmalloc(16384, STACK));
          if (i % 3 !== 0) vmalloc.vfree(fresh.addr);
          if (i % 100 === 50) vmalloc.purge();
        }
        vmalloc.vfree(stacks[12].addr);
        const large = [10, 10, 9].map((order) => pageAllocator.allocPages(order) as number);
        pageAllocator.freePages(large[0], 10);
        directMap.setMemory(directMap.start + 0x3000n * 4096n, 3, { writable: false });
        const after = state(machine);
        memory.rollback();
        for (const part of [vmalloc, pageAllocator, directMap]) part.restore();
        assert.equal(state(machine), before);
        pageAllocator.check();
        return after;
      });
      assert.equal(outcomes[1], outcomes[0]);
      assert.equal(outcomes[2], outcomes[0]);
      assert.notEqual(outcomes[0], before);
    }
  });

  function state({ vmalloc, pageAllocator, pageTable, directMap }: BareMachine): string {
    return [
      vmalloc.vmallocinfo(),
      vmalloc.lazyPages,
      pageAllocator.buddyinfo(),
      pageAllocator.pagetypeinfo(),
      pageAllocator.perCpuPages(),
      JSON.stringify(pageAllocator.counters),
      pageTable.dump(),
      directMap.meminfo(),
    ].join('\n');
  }
});
