import assert from 'node:assert/strict';
import { kernelConfig, type Era } from '../../lib/stack/config';
import { Machine } from '../../lib/stack/machine';
import { overrun } from '../../lib/stack/overrun';
import { command, startProbe, stopProbe, wakeProbe, type Probe } from '../../lib/stack/probe';
import { kernelStackKb } from '../../lib/stack/stack-accounting';
import { createTask } from '../../lib/stack/task';
import { TASK } from '../../lib/stack/task-struct';
import { wakeUpProcess } from '../../lib/stack/scheduler';

const UNMAPPED = 0xffffc9000bf00000n;
const KERNELS: readonly (readonly [Era, string])[] = [
  ['8k', '2.6.32'],
  ['8k', '3.14'],
  ['16k', '4.4'],
  ['16k', '4.8'],
  ['vmap', '4.9'],
  ['vmap', '5.14'],
  ['vmap', '6.1'],
  ['16k', '6.1'],
];

function lab(era: Era, kernel: string): { m: Machine; probe: Probe } {
  const m = new Machine(kernelConfig(era, { kernel }));
  return { m, probe: startProbe(m, 0)! };
}

/** What everybody holds of each cache and of the memory for stacks. */
function held(m: Machine): string {
  const objects = [...m.caches].map(([name, cache]) => {
    return `${name} ${cache.slabinfo().slice(18, 24).trim()}`;
  });
  return [...objects, `stacks ${kernelStackKb(m)}`, `cached ${m.cachedStacks.length}`].join('\n');
}

function kill(m: Machine, probe: Probe): void {
  command(m, probe, { do: 'poke', address: UNMAPPED });
  wakeProbe(m, probe);
}

const fixing = (m: Machine) => m.console.filter((line) => line.startsWith('Fixing recursive'));

describe('a task that an oops kills', () => {
  it('gives back what one gives back that exits by itself', () => {
    for (const [era, kernel] of KERNELS) {
      const [killed, stopped] = [lab(era, kernel), lab(era, kernel)];
      kill(killed.m, killed.probe);
      stopProbe(stopped.m, stopped.probe);
      stopped.m.run();
      assert.deepEqual(
        [killed.probe.task.state, stopped.probe.task.state],
        ['dead', 'exited'],
        kernel,
      );
      assert.equal(held(killed.m), held(stopped.m), `${era} ${kernel}`);
      assert.equal(killed.m.taskAt(killed.probe.task.taskStruct), undefined);
      assert.equal(killed.m.state, 'alive');
      assert.deepEqual(fixing(killed.m), []);
    }
  });

  it('leaves its stack to the next thread, with VMAP_STACK through the cache', () => {
    for (const [era, kernel] of KERNELS) {
      const { m, probe } = lab(era, kernel);
      kill(m, probe);
      assert.deepEqual(m.cachedStacks, era === 'vmap' ? [probe.task.stack] : []);
      const next = startProbe(m, 1)!;
      assert.equal(next.task.stack, probe.task.stack, `${era} ${kernel}`);
    }
  });

  it('gives back the memory of a program with it', () => {
    const m = new Machine(kernelConfig('vmap'));
    m.nextPid = 40;
    const free = () => [...m.pageAllocator.buddyinfo()].join('');
    const main = m.text.at(m.text.define('broken_syscall', 0x40), 0, (machine) => {
      machine.load64(UNMAPPED);
    });
    const run = () => {
      const task = createTask(m, { kind: 'user', comm: 'bad', entry: main, argument: 0n })!;
      wakeUpProcess(m, task);
      m.run();
      assert.equal(task.state, 'dead');
    };
    for (let i = 0; i < 4; i++) run();
    const before = [held(m), free()];
    for (let i = 0; i < 20; i++) run();
    assert.deepEqual([held(m), free()], before);
  });

  it('faults again over an object that was damaged, and then keeps everything for ever', () => {
    for (const [era, kernel] of KERNELS) {
      const { m, probe } = lab(era, kernel);
      const before = held(m);
      const { taskStruct } = probe.task;
      const sighand = m.peek64(taskStruct + TASK.SIGHAND)!;
      m.store64(sighand + 16n, 0xa5a5a5a5a5a5a5a5n);
      kill(m, probe);
      assert.equal(m.state, 'alive', kernel);
      assert.equal(fixing(m).length, 1, kernel);
      assert.ok(m.console.some((line) => /general protection fault.*\[#2\]/.test(line)));
      assert.ok(m.console.some((line) => /^RIP:.*do_exit\+/.test(line)));
      assert.equal(probe.task.state, 'dead');
      assert.equal(held(m), before, kernel);
    }
  });

  it('faults again over an object of its own also when it was about to exit by itself', () => {
    const { m, probe } = lab('vmap', '6.1');
    const sighand = m.peek64(probe.task.taskStruct + TASK.SIGHAND)!;
    m.store64(sighand + 16n, 0xa5a5a5a5a5a5a5a5n);
    stopProbe(m, probe);
    m.run();
    assert.match(m.console[0], /general protection fault/);
    assert.equal(fixing(m).length, 1);
    assert.equal(m.state, 'alive');
  });

  it('is judged by the bottom of its stack as it left it, not as the next thread has it', () => {
    // The pushes go over the end magic and hit the guard page; the next child takes the stack from the cache.
    const { task, ownDamage } = overrun({
      era: 'vmap',
      kernel: '5.7',
      irq: 64,
      stackEndCheck: false,
    });
    assert.equal(task, 'killed');
    assert.equal(ownDamage.endMagic, true);
  });
});
