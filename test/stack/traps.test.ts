import assert from 'node:assert/strict';
import type { KernelOptions } from '../../lib/stack/config';
import { overrun } from '../../lib/stack/overrun';
import { command, startProbe, wakeProbe } from '../../lib/stack/probe';
import { TASK } from '../../lib/stack/task-struct';
import { createTask } from '../../lib/stack/task';
import { wakeUpProcess } from '../../lib/stack/scheduler';
import { lab, returnTo, touch } from './oops-lab';

const UNMAPPED = 0xffffc9000bf00000n;
const NON_CANONICAL = 0xa5a5a5a5a5a5a5a5n;

describe('a general protection fault', () => {
  const firstOf = (kernel: string, address: bigint) => touch(kernel, address, 'peek')[0];

  it('names the address since 5.6, and who prints it since 6.10', () => {
    assert.equal(firstOf('3.14', NON_CANONICAL), 'general protection fault: 0000 [#1] SMP');
    assert.equal(firstOf('5.3', NON_CANONICAL), 'general protection fault: 0000 [#1] SMP NOPTI');
    assert.equal(
      firstOf('5.6', NON_CANONICAL),
      'general protection fault, probably for non-canonical address 0xa5a5a5a5a5a5a5a5: 0000 [#1] SMP NOPTI',
    );
    assert.match(firstOf('6.10', NON_CANONICAL), /^Oops: general protection fault, probably for/);
  });

  it('knows no address when a return went astray', () => {
    const { m } = returnTo('6.1', () => NON_CANONICAL);
    assert.equal(m.console[0], 'general protection fault: 0000 [#1] PREEMPT SMP NOPTI');
    assert.ok(m.console.includes('RIP: 0010:0xa5a5a5a5a5a5a5a5'));
  });
});

describe('a double fault that is no guard hit', () => {
  /** RSP in a hole two pages below the stack. */
  const astray = (kernel: string, options: KernelOptions = {}) => {
    const { m, probe } = lab(kernel, options);
    const rsp = probe.task.stack - 0x1800n;
    command(m, probe, { do: 'poke', address: UNMAPPED, rsp });
    wakeProbe(m, probe);
    return m;
  };

  it('halts the machine from 3.14 to 5.5, and is an oops since', () => {
    const old = astray('4.14');
    assert.equal(old.console[0], 'PANIC: double fault, error_code: 0x0');
    assert.ok(old.console.includes('Kernel panic - not syncing: Machine halted.'));
    assert.equal(old.state, 'panic');
    assert.equal(old.oopses, 0);
    const between = astray('5.7');
    assert.equal(between.console[0], 'traps: PANIC: double fault, error_code: 0x0');
    assert.equal(between.console[1], 'double fault: 0000 [#1] SMP NOPTI');
    // No guard page, no NMI yet: the task dies.
    assert.equal(between.state, 'alive');
    const now = astray('6.1');
    assert.equal(now.console[1], 'double fault: 0000 [#1] PREEMPT SMP NOPTI');
    assert.ok(now.console.includes('Kernel panic - not syncing: Fatal exception in interrupt'));
  });

  it('closes the bracket at the end of a panic since 4.17', () => {
    const last = (kernel: string) => astray(kernel).console.slice(-1)[0];
    assert.equal(last('4.14'), '---[ end Kernel panic - not syncing: Machine halted.');
    assert.equal(last('4.17'), '---[ end Kernel panic - not syncing: Machine halted. ]---');
  });
});

describe('who dies', () => {
  it('is the machine with panic_on_oops', () => {
    const { m, probe } = lab('6.1', { panicOnOops: true });
    command(m, probe, { do: 'poke', address: UNMAPPED });
    wakeProbe(m, probe);
    assert.equal(m.state, 'panic');
    assert.ok(m.console.includes('Kernel panic - not syncing: Fatal exception'));
  });

  it('is the machine when it was the idle task', () => {
    for (const kernel of ['2.6.32', '6.1']) {
      const { m } = lab(kernel);
      const broken = m.text.at(m.text.define('broken_idle_hook', 0x40), 0, (machine) => {
        machine.load64(UNMAPPED);
      });
      m.cpu.rip = broken;
      m.run();
      assert.ok(m.console.includes('Kernel panic - not syncing: Attempted to kill the idle task!'));
      assert.equal(m.state, 'panic');
    }
  });

  it('is the machine when it was init', () => {
    const said = (kernel: string) => {
      const { m } = lab(kernel);
      m.nextPid = 1;
      const main = m.text.at(m.text.define('broken_syscall', 0x40), 0, (machine) => {
        machine.load64(NON_CANONICAL);
      });
      const init = createTask(m, { kind: 'user', comm: 'init', entry: main, argument: 0n })!;
      wakeUpProcess(m, init);
      m.run();
      assert.equal(m.state, 'panic', kernel);
      return m.console.find((line) => line.startsWith('Kernel panic'));
    };
    assert.equal(said('2.6.32'), 'Kernel panic - not syncing: Attempted to kill init!');
    assert.equal(
      said('6.1'),
      'Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b',
    );
  });

  it('is nobody else: the task alone, and the next oops counts on', () => {
    const { m, probe } = lab('6.1');
    const second = startProbe(m, 1)!;
    for (const one of [probe, second]) {
      command(m, one, { do: 'poke', address: UNMAPPED });
      wakeProbe(m, one);
    }
    assert.equal(m.state, 'alive');
    assert.deepEqual([probe.task.state, second.task.state], ['dead', 'dead']);
    assert.ok(m.console.includes('Oops: 0002 [#2] PREEMPT SMP NOPTI'));
    assert.ok(m.console.some((line) => /Comm: kstk\/1 Tainted: G {6}D/.test(line)));
  });

  it('goes on below the overrun stack before 4.8, and from its top since', () => {
    // do_exit() calls schedule(): its return address shows where the stack was.
    const lowest = (kernel: string) => {
      const { m, probe } = lab(kernel, { stackEndCheck: false });
      const rsp = probe.task.stack + 2048n;
      command(m, probe, { do: 'poke', address: UNMAPPED, rsp });
      wakeProbe(m, probe);
      const doExit = m.text.named('do_exit');
      const found: bigint[] = [];
      for (let at = probe.task.stack; at < probe.task.stack + 16384n; at += 8n) {
        const word = m.peek64(at)!;
        if (word >= doExit.address && word < doExit.address + BigInt(doExit.size))
          found.push(at - probe.task.stack);
      }
      assert.equal(found.length, 1, kernel);
      return found[0];
    };
    assert.ok(lowest('4.4') < 2048n);
    assert.ok(lowest('4.8') > 15000n);
  });
});

describe('the stack protector', () => {
  it('says where, as an address up to 4.16, which %p hashes from 4.15 on, and as a symbol since', () => {
    const said = (kernel: string, hashPointers = false) => {
      const { m, probe } = lab(kernel, {
        stackProtector: true,
        stackEndCheck: false,
        hashPointers,
      });
      const sp = m.peek64(probe.task.taskStruct + TASK.THREAD_SP)!;
      const canary = m.peek64(probe.task.taskStruct + TASK.STACK_CANARY)!;
      let slot = sp;
      while (m.peek64(slot) !== canary) slot += 8n;
      m.store64(slot, 0n);
      wakeUpProcess(m, probe.task);
      m.run();
      return m.console[0];
    };
    const text = 'Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: ';
    for (const kernel of ['4.4', '4.9', '4.16'])
      assert.match(said(kernel), new RegExp(`^${text}ffffffff81[0-9a-f]{6}$`), kernel);
    assert.match(said('4.16', true), new RegExp(`^${text}00000000[0-9a-f]{8}$`));
    for (const kernel of ['4.17', '6.1'])
      assert.equal(said(kernel), `${text}__schedule+0x9e7/0xa00`, kernel);
  });
});

describe('exited with irqs disabled', () => {
  const kernel = { kernel: '6.1', stackProtector: false, stackEndCheck: false } as const;
  const dense = { frames: 'dense', frame: 256, past: 4096 } as const;

  it('is noted of a sleeper whose switch frame is damaged: it faults before interrupts are on again', () => {
    // All nine recorded general protection faults of a woken sleeper have the note.
    const { console, phase } = overrun({ era: '16k', ...kernel, ...dense, neighbour: 'stack' });
    assert.equal(phase, 'wake');
    const at = console.findIndex((line) => line.startsWith('general protection fault'));
    const end = console.findIndex((line) => line.startsWith('---[ end trace'));
    assert.ok(at >= 0 && end > at);
    assert.ok(console.slice(end).some((line) => /^note: .* exited with irqs disabled$/.test(line)));
  });

  it('is not noted where interrupts were on: the handler switches them on again', () => {
    const { m, probe } = returnTo('6.1', () => 0xa5a5a5a5a5a5a5a5n);
    assert.equal(probe.task.state, 'dead');
    assert.ok(m.console.some((line) => line.startsWith('general protection fault')));
    assert.ok(!m.console.some((line) => /irqs disabled/.test(line)));
  });
});
