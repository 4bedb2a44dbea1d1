import assert from 'node:assert/strict';
import { kernelConfig, type Era, type KernelOptions } from '../../lib/stack/config';
import { FAULTED } from '../../lib/stack/kernel-access';
import { Machine } from '../../lib/stack/machine';
import { overrun } from '../../lib/stack/overrun';
import { command, startProbe, stopProbe, wakeProbe, type Probe } from '../../lib/stack/probe';
import { buildScene } from '../../lib/stack/scene';
import { replay } from '../../lib/stack/replay';
import { publishedTrace } from '../../lib/stack/published-traces';
import { wakeUpProcess } from '../../lib/stack/scheduler';
import { createTask } from '../../lib/stack/task';

const KERNELS: readonly (readonly [Era, string])[] = [
  ['8k', '2.6.32'],
  ['8k', '3.6'],
  ['8k', '3.14'],
  ['16k', '3.15'],
  ['16k', '4.4'],
  ['16k', '4.8'],
];

function machineWithProbe(era: Era, options: KernelOptions): { m: Machine; probe: Probe } {
  const m = new Machine(kernelConfig(era, options));
  const probe = startProbe(m, 0)!;
  assert.equal(probe.task.state, 'sleeping');
  return { m, probe };
}

function field(m: Machine, name: string): bigint {
  const found = m.config.threadInfo.fields.find((one) => one.name === name);
  if (!found) throw new Error(`${m.config.version} has no ${name}`);
  return BigInt(found.offset);
}

/** Says which fields of the task's thread_info the CPU loads while `run` runs. */
function fieldsRead(m: Machine, { task }: Probe, run: () => void): string[] {
  const seen = new Set<string>();
  const watched = (address: bigint) => {
    const offset = Number(address - task.stack);
    const hit = m.config.threadInfo.fields.find((one) => one.offset === offset);
    if (hit) seen.add(hit.name);
  };
  const [load32, load64] = [m.load32.bind(m), m.load64.bind(m)];
  m.load32 = (address) => (watched(address), load32(address));
  m.load64 = (address) => (watched(address), load64(address));
  run();
  m.load32 = load32;
  m.load64 = load64;
  return [...seen].sort();
}

const wakeAndStop = (m: Machine, probe: Probe) => {
  wakeProbe(m, probe);
  stopProbe(m, probe);
  m.run();
};

describe('thread_info on the stack', () => {
  it('is read by the wake-up, the schedule and the exit of its thread, field by field as the version has them', () => {
    const read = (era: Era, kernel: string, smp: boolean) => {
      const { m, probe } = machineWithProbe(era, { kernel, smp });
      const names = fieldsRead(m, probe, () => wakeAndStop(m, probe));
      assert.deepEqual(m.console, [], kernel);
      assert.equal(probe.task.state, 'exited', kernel);
      return names.join(' ');
    };
    assert.equal(read('8k', '2.6.32', true), 'cpu exec_domain preempt_count');
    assert.equal(read('8k', '3.6', true), 'cpu exec_domain preempt_count');
    assert.equal(read('8k', '3.6', false), 'exec_domain preempt_count');
    assert.equal(read('8k', '3.14', true), 'cpu exec_domain');
    assert.equal(read('16k', '3.15', false), 'exec_domain');
    assert.equal(read('16k', '4.4', true), 'cpu');
    assert.equal(read('16k', '4.4', false), '');
  });

  it('is not read since 4.9, when it lies in task_struct', () => {
    for (const kernel of ['4.9', '6.1']) {
      const { m, probe } = machineWithProbe('16k', { kernel });
      assert.equal(m.threadInfo, null);
      assert.deepEqual(
        fieldsRead(m, probe, () => wakeAndStop(m, probe)),
        [],
      );
    }
  });

  it('changes nothing while it is intact', () => {
    for (const [era, kernel] of KERNELS.filter((_, i) => i % 2 === 0)) {
      for (const within of [{ poke: -512 }, { irq: 1024 }]) {
        const { outcome, machine, task, console } = overrun({ era, kernel, ...within });
        assert.deepEqual(
          { outcome, machine, task, console },
          { outcome: 'none', machine: 'alive', task: 'alive', console: [] },
          `${kernel} ${JSON.stringify(within)}`,
        );
      }
    }
  });

  it('is a copy of its parent’s in a new thread', () => {
    const { m } = machineWithProbe('8k', { kernel: '3.14' });
    m.store64(m.idleTask.stack + field(m, 'addr_limit'), 0x123456789n);
    m.store32(m.idleTask.stack + field(m, 'cpu'), 7);
    const entry = m.text.named('ret_from_fork').address;
    const { stack, taskStruct } = createTask(m, {
      kind: 'kthread',
      comm: 'x',
      entry,
      argument: 0n,
    })!;
    assert.equal(m.peek64(stack + field(m, 'addr_limit')), 0x123456789n);
    assert.equal(m.load32(stack + field(m, 'cpu')), 0);
    assert.equal(m.peek64(stack + field(m, 'task')), taskStruct);
    assert.equal(
      m.peek64(stack + field(m, 'exec_domain')),
      m.peek64(m.idleTask.stack + field(m, 'exec_domain')),
    );
  });
});

describe('a wild thread_info->cpu', () => {
  it('ends a thread that overran its stack at its next schedule, in cpuacct_charge(), as CVE-2016-1583 did', () => {
    for (const [era, kernel] of KERNELS) {
      const { console, detector, phase, machine } = overrun({
        era,
        kernel,
        cpuacct: true,
        past: 512,
        frames: 'dense',
        frame: 128,
        neighbour: 'slab',
      });
      if (kernel === '4.8') {
        // this_cpu_ptr() since 4.6.
        assert.ok(!console.some((line) => /cpuacct_charge/.test(line)));
        continue;
      }
      assert.equal(phase, 'immediate', kernel);
      assert.ok(
        console.some((line) => /^(RIP:|IP:).*cpuacct_charge\+/.test(line)),
        kernel,
      );
      // The run queue's lock is taken, or preempt_count says that an interrupt is being handled.
      const inInterrupt = ['2.6.32', '3.6'].includes(kernel);
      assert.equal(machine, inInterrupt ? 'panic' : 'hang', kernel);
      assert.equal(detector, inInterrupt ? 'kernel-warning' : 'page-fault', kernel);
    }
  });

  it('does nothing without SMP, where task_cpu() is 0', () => {
    const { phase, machine } = overrun({
      era: '16k',
      kernel: '4.4',
      smp: false,
      poke: -16,
    });
    assert.deepEqual({ phase, machine }, { phase: null, machine: 'alive' });
  });

  it('makes whoever wakes the thread fault, far from the array that it indexes', () => {
    for (const [era, kernel] of KERNELS) {
      const { m, probe } = machineWithProbe(era, { kernel });
      m.store32(probe.task.stack + field(m, 'cpu'), 0xa5a5a5a5);
      wakeProbe(m, probe);
      assert.notEqual(m.state, 'alive', kernel);
      assert.ok(
        m.console.some((line) => /^(RIP:|IP:).*try_to_wake_up\+/.test(line)),
        kernel,
      );
      assert.notEqual(probe.task.state, 'runnable');
    }
  });

  it('is met when the machine goes on, not before', () => {
    const { m, probe } = machineWithProbe('8k', { kernel: '3.14' });
    m.store32(probe.task.stack + field(m, 'cpu'), 0xa5a5a5a5);
    wakeUpProcess(m, probe.task);
    assert.deepEqual([m.console, m.state], [[], 'alive']);
    m.run();
    assert.equal(m.state, 'panic');
    assert.ok(m.console.includes('Kernel panic - not syncing: Attempted to kill the idle task!'));
  });

  it('is mended by the fallback of 2.6.39 on if the masks can be read at its bit', () => {
    const { m, probe } = machineWithProbe('16k', { kernel: '4.8' });
    const at = probe.task.stack + field(m, 'cpu');
    m.store32(at, 200);
    wakeProbe(m, probe);
    assert.deepEqual(m.console, []);
    assert.equal(m.load32(at), 0);
  });

  it('of the thread below is met when that one is woken, and not before', () => {
    // The return address into jump() comes to lie over cpu and what follows; a stray store there.
    for (const kernel of ['3.14', '2.6.32']) {
      for (const overran of [{ jump: 8192 - 32 }, { poke: 8192 - 24 }]) {
        const { phase, console, ownDamage, victims } = overrun({
          era: '8k',
          kernel,
          neighbour: 'stack',
          seed: 4, // another stack lies below that one too
          ...overran,
        });
        assert.deepEqual(ownDamage.threadInfo, []);
        assert.deepEqual(
          victims.map(({ class: kind }) => kind),
          ['stack'],
        );
        assert.equal(phase, 'wake', kernel);
        assert.ok(
          console.some((line) => /try_to_wake_up\+/.test(line)),
          kernel,
        );
      }
    }
  });
});

describe('a wild preempt_count', () => {
  const damaged = (value: number, kernel = '3.6') => {
    const { m, probe } = machineWithProbe('8k', { kernel, smp: false });
    wakeProbe(m, probe);
    m.store32(probe.task.stack + field(m, 'preempt_count'), value);
    return { m, probe };
  };

  it('is reported at each schedule() of its thread, in the words of the time, and nothing else', () => {
    const { m, probe } = damaged(0x00000002);
    wakeProbe(m, probe);
    assert.equal(m.console[0], 'BUG: scheduling while atomic: kstk/0/1/0x00000002');
    assert.equal(m.console[1], 'Modules linked in: kstk');
    assert.match(m.console[2], /^Pid: 1, comm: kstk\/0 /);
    assert.equal(m.console[3], 'Call Trace:');
    assert.equal(m.state, 'alive');
    const one = m.console.length;
    wakeProbe(m, probe);
    assert.equal(m.console.length, 2 * one);
  });

  it('makes a panic of an oops if it says that an interrupt is being handled', () => {
    const ends = [0x00000002, 0x00010000, 0x00000100, 0x04000000].map((count) => {
      const { m, probe } = damaged(count);
      command(m, probe, { do: 'peek', address: 0x1000n });
      wakeProbe(m, probe);
      return m.state === 'panic' ? m.console[m.console.length - 1] : m.state;
    });
    const panic = 'Kernel panic - not syncing: Fatal exception in interrupt';
    assert.deepEqual(ends, ['alive', panic, panic, panic]);
  });

  it('is of no account since 3.14, when the count of the thread that runs is per-CPU data', () => {
    const { m, probe } = machineWithProbe('8k', { kernel: '3.14', smp: false });
    m.store32(probe.task.stack + field(m, 'saved_preempt_count'), 0x00010000);
    wakeAndStop(m, probe);
    assert.deepEqual(m.console, []);
  });
});

describe('a wild thread_info->exec_domain', () => {
  it('is followed when its thread exits, in the versions that have it', () => {
    for (const [era, kernel] of KERNELS) {
      if (kernel.startsWith('4')) continue;
      const { m, probe } = machineWithProbe(era, { kernel });
      m.store64(probe.task.stack + field(m, 'exec_domain'), 0xa5a5a5a5a5a5a5a5n);
      wakeProbe(m, probe);
      assert.deepEqual(m.console, [], kernel);
      wakeAndStop(m, probe);
      assert.match(m.console[0], /^general protection fault: 0000 /, kernel);
      assert.ok(m.console.some((line) => /^RIP.*do_exit\+/.test(line)));
    }
  });

  it('is followed when its thread forks: the child has a copy', () => {
    const { m } = machineWithProbe('8k', { kernel: '3.14' });
    m.store64(m.idleTask.stack + field(m, 'exec_domain'), 0x1000n);
    const entry = m.text.named('ret_from_fork').address;
    const before = m.tasks.length;
    assert.throws(
      () => createTask(m, { kind: 'kthread', comm: 'x', entry, argument: 0n }),
      (thrown) => thrown === FAULTED,
    );
    assert.equal(m.tasks.length, before);
  });
});

describe('a wild thread_info->addr_limit', () => {
  const shell = (limit: bigint | null) => {
    const scene = buildScene(kernelConfig('16k', { kernel: '4.4' }), { seed: 1, neighbour: 'any' });
    const { machine: m, load } = scene;
    if (limit !== null) m.store64(load.shell.stack + field(m, 'addr_limit'), limit);
    load.round(1);
    assert.equal(m.state, 'alive');
    return m.console;
  };

  it('below a program’s addresses makes its write() fail; above them nobody notices', () => {
    assert.deepEqual(shell(null), []);
    assert.deepEqual(shell(2n ** 64n - 1n), []);
    assert.deepEqual(shell(0xa5a5a5a5a5a5a5a5n), []);
    assert.deepEqual(shell(0x1000n), ['sh: write error: Bad address']);
  });
});

describe('a trace that went too deep', () => {
  it('is noticed when its thread sleeps, if the kernel charges CPU time, else when it is woken', () => {
    const [charged, plain] = [true, false].map((cpuacct) =>
      replay(publishedTrace('05'), { era: '8k', cpuacct }),
    );
    assert.equal(charged.phase, 'immediate');
    assert.ok(charged.console.some((line) => /cpuacct_charge/.test(line)));
    assert.equal(plain.phase, 'wake');
    assert.ok(plain.console.some((line) => /try_to_wake_up/.test(line)));
  });
});
