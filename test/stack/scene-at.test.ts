import assert from 'node:assert/strict';
import { ERAS, kernelConfig, type Era } from '../../lib/stack/config';
import { overrun } from '../../lib/stack/overrun';
import type { MemoryProfile } from '../../lib/stack/population';
import { buildScene, CLASS_OF, NEIGHBOURS, pfnOf, type NeighbourKind } from '../../lib/stack/scene';

const SLOT = 0x8000n;

const scene = (
  era: Era,
  stackBase: bigint,
  neighbour: NeighbourKind,
  memory: MemoryProfile = 'light',
) => buildScene(kernelConfig(era, { stackBase }), { seed: 3, neighbour, memory, stackBase });

describe('a stack at a given base', () => {
  it('has the neighbour asked for just below it in the direct map', () => {
    for (const memory of ['light', 'fragmented'] as const) {
      for (const neighbour of NEIGHBOURS) {
        if (neighbour === 'any') continue;
        const stackBase = memory === 'light' ? 0xffff880003014000n : 0xffff880001804000n;
        const { machine, chosen } = scene('8k', stackBase, neighbour, memory);
        assert.equal(chosen.task.stack, stackBase);
        const { pageAllocator } = machine;
        assert.equal(
          pageAllocator.pageInfo.classOf(pfnOf(machine, chosen) - 1),
          CLASS_OF[neighbour],
        );
        pageAllocator.check();
      }
    }
  });

  it('hits that neighbour', () => {
    for (const era of ['8k', '16k'] as const) {
      for (const neighbour of ['slab', 'free', 'stack', 'anon'] as const) {
        const stackBase = 0xffff880003014000n;
        const { victims } = overrun({ era, stackBase, neighbour, past: 512 });
        assert.deepEqual(
          victims.map((victim) => victim.class),
          [CLASS_OF[neighbour]],
          `${era} ${neighbour}`,
        );
      }
    }
  });

  it('has a live stack in the next lower slot of the vmalloc area, low and high, in old and new kernels', () => {
    for (const [kernel, stackBase] of [
      ['6.1', 0xffffc900005a8000n],
      ['4.9', 0xffffc900005a8000n],
      ['6.1', 0xffffc90000094000n],
      ['4.9', 0xffffc900000ac000n],
      ['6.1', 0xffffc90000268000n],
    ] as const) {
      const { outcome, victims } = overrun({
        ...{ era: 'vmap', kernel, stackBase, neighbour: 'stack', jump: 0x4200 },
      });
      assert.equal(outcome, 'silent', `${kernel} ${stackBase.toString(16)}`);
      assert.deepEqual(
        victims.map((victim) => victim.class),
        ['stack'],
      );
    }
  });

  it('can be had in every slot from the first on', () => {
    for (let base = 0xffffc90000000000n; base <= 0xffffc900000b0000n; base += 0x2c000n) {
      const { machine, chosen } = scene('vmap', base, 'any');
      assert.equal(chosen.task.stack, base);
      machine.pageAllocator.check();
    }
  });

  it('leaves the other stacks where they are, or moves them by whole strides from it', () => {
    const stacks = (base?: bigint) => {
      const config = kernelConfig('vmap', { stackBase: base });
      const { machine, chosen } = buildScene(config, {
        seed: 3,
        neighbour: 'any',
        stackBase: base,
      });
      const others = machine.tasks.filter((task) => task !== chosen.task || base === undefined);
      return others.map(({ pid, comm, stack }) => ({ pid, comm, stack }));
    };
    assert.deepEqual(stacks(0xffffc90000590000n), stacks());
    const low = 0xffffc90000094000n;
    const moved = stacks(low);
    assert.deepEqual(
      moved.map(({ pid, comm }) => ({ pid, comm })),
      stacks().map(({ pid, comm }) => ({ pid, comm })),
    );
    for (const { stack } of moved) assert.equal((stack - low) % SLOT, 0n);
  });
});

describe('a neighbour that can not be had', () => {
  const refused = (options: Parameters<typeof overrun>[0], says: RegExp) =>
    assert.throws(
      () => overrun(options),
      (error: Error) => error instanceof RangeError && says.test(error.message),
    );

  it('is refused, and what can be had is named', () => {
    for (const stackBase of [undefined, 0xffffc900005a8000n]) {
      refused(
        { era: 'vmap', neighbour: 'slab', stackBase },
        /^neighbour: expected stack or any with VMAP_STACK.*got slab/,
      );
    }
    refused(
      { era: 'vmap', neighbour: 'stack', stackBase: 0xffffc90000004000n },
      /^neighbour: expected any, or a stack base from 0xffffc90000008000/,
    );
    refused(
      { era: '8k', neighbour: 'slab', stackBase: 0xffff880000c00000n },
      /^neighbour: expected .* above 0xffff880001000000 for slab/,
    );
  });

  it('is no reason to hide a base that can not be had, and who lies there is said', () => {
    for (const era of ERAS) {
      for (const neighbour of ['stack', 'any'] as const) {
        refused({ era, neighbour, stackBase: 0x1000n }, /^stackBase: expected/);
      }
    }
    refused(
      { era: '8k', stackBase: 0xffff880001000000n },
      /^stackBase: expected .* where 0xffff880001000000 is a page of class reserved/,
    );
  });
});
