import assert from 'node:assert/strict';
import { kernelConfig } from '../../lib/stack/config';
import { buildScene } from '../../lib/stack/scene';

describe('stopping threads', () => {
  for (const [era, kernel] of [
    ['8k', '2.6.32'],
    ['16k', '4.4'],
    ['vmap', '6.1'],
  ] as const) {
    it(`ends each before the next, with two switches a thread, on ${kernel}`, () => {
      const { machine, load, probes } = buildScene(kernelConfig(era, { kernel }), {
        seed: 1,
        neighbour: 'any',
      });
      const order: number[] = [];
      const told = machine.onExit;
      machine.onExit = (task) => {
        order.push(task.pid);
        told?.(task);
      };
      const before = machine.switches;
      load.stop(probes);
      assert.deepEqual(
        order,
        probes.map(({ task }) => task.pid),
      );
      assert.ok(probes.every(({ task }) => task.state === 'exited'));
      assert.equal(machine.switches - before, 2 * probes.length + 2);
      assert.deepEqual(machine.console, []);
    });
  }

  it('leaves out those that do not sleep', () => {
    const { machine, load, probes } = buildScene(kernelConfig('vmap'), {
      seed: 1,
      neighbour: 'any',
    });
    load.stop(probes.slice(0, 2));
    load.stop(probes.slice(0, 3));
    assert.deepEqual(
      probes.slice(0, 4).map(({ task }) => task.state),
      ['exited', 'exited', 'exited', 'sleeping'],
    );
    assert.equal(machine.state, 'alive');
  });
});
