import assert from 'node:assert/strict';
import { parseVmallocinfo, type VmallocinfoEntry } from '../../lib/mm/vmallocinfo';
import { isVmallocFailure } from '../../lib/mm/vm-struct';
import type { Vmalloc } from '../../lib/mm/vmalloc';
import { bareMachine } from './machine';
import { recordedMemory } from './recordings';

const THREAD_SIZE = 16384;
const CALLER = 'kernel_clone+0xbf/0x430';
const PHASES = recordedMemory();

/** The recorded guest: one CPU, 6.1, its vmalloc areas as listed in a phase. */
function guest(phase: string): Vmalloc {
  const { vmalloc } = bareMachine({ ram: 256 * 2 ** 20 });
  vmalloc.load(parseVmallocinfo(PHASES[phase].vmallocinfo));
  return vmalloc;
}

function createStack(vmalloc: Vmalloc): bigint {
  const area = vmalloc.vmalloc(THREAD_SIZE, { align: THREAD_SIZE, caller: CALLER, class: 'stack' });
  assert.ok(!isVmallocFailure(area));
  return area.addr;
}

/** Stacks of a listing; those that other processes of the guest made in the meantime are among them. */
function stacks(text: string): VmallocinfoEntry[] {
  return parseVmallocinfo(text).filter(({ caller }) => caller === CALLER);
}

function addresses(text: string): Set<bigint> {
  return new Set(stacks(text).map(({ addr }) => addr));
}

describe('the recorded creation of 500 threads, replayed', () => {
  it('what is loaded is printed as it was recorded, in every phase, unpurged areas included', () => {
    for (const phase of Object.keys(PHASES)) {
      assert.equal(guest(phase).vmallocinfo(), PHASES[phase].vmallocinfo, phase);
    }
  });

  it('from the areas before, 12 threads one after the other and 2 x 6 at once leave the recorded listing', () => {
    const vmalloc = guest('before');
    const cache = new StackCache(vmalloc);
    for (let i = 0; i < 12; i++) cache.free(cache.take());
    for (let round = 0; round < 2; round++) {
      const taken = Array.from({ length: 6 }, () => cache.take());
      taken.forEach((stack) => cache.free(stack));
    }
    assert.equal(vmalloc.vmallocinfo(), PHASES.after_seq_par.vmallocinfo);
  });

  // Compared: every address, hence also alignment (16 KiB), stride (0x8000 wherever nothing is in the
  // way), the skipped holes below 36 KiB, and the area that ends 4 KiB above each stack.
  it('the stacks of the 500 parked threads get the recorded addresses, every one', () => {
    const vmalloc = guest('after_seq_par');
    const before = addresses(PHASES.after_seq_par.vmallocinfo);
    const recorded = [...addresses(PHASES.parked500.vmallocinfo)].filter((a) => !before.has(a));
    const replayed = recorded.map(() => createStack(vmalloc));
    assert.deepEqual(replayed, recorded);
    assert.equal(vmalloc.vmallocinfo(), PHASES.parked500.vmallocinfo);
  });

  it('after the lazily freed 500, the next 500 lie above them, as recorded', () => {
    const vmalloc = guest('fragged');
    const before = addresses(PHASES.fragged.vmallocinfo);
    const recorded = [...addresses(PHASES.fragged_parked500.vmallocinfo)].filter(
      (a) => !before.has(a),
    );
    const replayed = recorded.map(() => createStack(vmalloc));
    assert.deepEqual(replayed, recorded);
  });

  it('every recorded stack is 16 KiB aligned, has a page above that is only a guard, and none touches the next', () => {
    for (const { vmallocinfo } of Object.values(PHASES)) {
      for (const stack of stacks(vmallocinfo)) {
        assert.equal(stack.addr % BigInt(THREAD_SIZE), 0n);
        assert.equal(stack.size, THREAD_SIZE + 4096);
        assert.equal(stack.pages, 4);
      }
      const areas = parseVmallocinfo(vmallocinfo).sort((a, b) => (a.addr < b.addr ? -1 : 1));
      for (let i = 1; i < areas.length; i++) {
        assert.ok(areas[i].addr >= areas[i - 1].addr + BigInt(areas[i - 1].size));
      }
    }
  });
});

/** The two stacks that a CPU keeps for the next fork (kernel/fork.c); one CPU. */
class StackCache {
  /** What the guest's earlier threads left: 0xffffc9000062c000 and 0xffffc90000634000. */
  private readonly slots: (bigint | null)[] = [0xffffc90000634000n, 0xffffc9000062c000n];

  constructor(private readonly vmalloc: Vmalloc) {}

  take(): bigint {
    const i = this.slots.findIndex((slot) => slot !== null);
    if (i < 0) return createStack(this.vmalloc);
    const stack = this.slots[i] as bigint;
    this.slots[i] = null;
    return stack;
  }

  free(stack: bigint): void {
    const i = this.slots.indexOf(null);
    if (i < 0) this.vmalloc.vfree(stack);
    else this.slots[i] = stack;
  }
}
