import assert from 'node:assert/strict';
import { kernelConfig, type Era, type KernelOptions } from '../../lib/stack/config';
import { Machine } from '../../lib/stack/machine';
import { overrun } from '../../lib/stack/overrun';
import { command, startProbe, wakeProbe, type Probe } from '../../lib/stack/probe';
import { TASK } from '../../lib/stack/task-struct';
import { createTask } from '../../lib/stack/task';
import { wakeUpProcess } from '../../lib/stack/scheduler';

interface Lab {
  readonly m: Machine;
  readonly probe: Probe;
}

/** A machine with one sleeping thread, pid 85. */
function lab(kernel: string, options: KernelOptions = {}): Lab {
  const era: Era = ['2.6.32', '3.6', '3.14'].includes(kernel)
    ? '8k'
    : ['3.15', '4.4', '4.8'].includes(kernel)
      ? '16k'
      : 'vmap';
  const m = new Machine(kernelConfig(era, { kernel, ...options }));
  m.nextPid = 85;
  return { m, probe: startProbe(m, 0)! };
}

/** What the console says when the thread loads from or stores to `address`. */
function touch(kernel: string, address: bigint, what: 'peek' | 'poke' = 'poke'): string[] {
  const { m, probe } = lab(kernel);
  command(m, probe, { do: what, address });
  wakeProbe(m, probe);
  return m.console;
}

/** What it says when the sleeping thread's main loop returns to `address`. */
function returnTo(kernel: string, address: (l: Lab) => bigint, options: KernelOptions = {}): Lab {
  const it = lab(kernel, { stackProtector: false, ...options });
  const { m, probe } = it;
  // schedule()'s return address into kfn: found on the sleeper's stack.
  const sp = m.peek64(probe.task.taskStruct + TASK.THREAD_SP)!;
  const kfn = m.text.define('kfn');
  for (let slot = sp; ; slot += 8n) {
    const word = m.peek64(slot)!;
    if (word > kfn.address && word < kfn.address + BigInt(kfn.size)) {
      m.store64(slot, address(it));
      break;
    }
  }
  wakeUpProcess(m, probe.task);
  m.run();
  return it;
}

const UNMAPPED = 0xffffc9000bf00000n;
const NON_CANONICAL = 0xa5a5a5a5a5a5a5a5n;

describe('a page fault in the kernel', () => {
  const before = (kernel: string) => {
    const lines = touch(kernel, UNMAPPED);
    return lines.slice(
      0,
      lines.findIndex((line) => line.startsWith('RSP:')),
    );
  };
  const hex = '[0-9a-f]{16}';
  const heads: readonly (readonly [string, readonly (string | RegExp)[]])[] = [
    [
      '2.6.32',
      [
        'BUG: unable to handle kernel paging request at ffffc9000bf00000',
        new RegExp(`^IP: \\[<${hex}>\\] kfn\\.cold\\+0x28/0x30 \\[kstk\\]$`),
        /^PGD [0-9a-f]+( PUD 0)?$/,
        'Oops: 0002 [#1] SMP',
        'CPU 0 ',
        'Modules linked in: kstk',
        'Pid: 85, comm: kstk/0 Not tainted 2.6.32 #1',
        new RegExp(`^RIP: 0010:\\[<${hex}>\\]  \\[<${hex}>\\] kfn\\.cold\\+0x28/0x30 \\[kstk\\]$`),
      ],
    ],
    [
      '3.14',
      [
        'BUG: unable to handle kernel paging request at ffffc9000bf00000',
        /^IP: \[</,
        /^PGD /,
        'Oops: 0002 [#1] SMP',
        'Modules linked in: kstk',
        'CPU: 0 PID: 85 Comm: kstk/0 Not tainted 3.14 #1',
        new RegExp(`^task: ${hex} ti: ${hex} task\\.ti: ${hex}$`),
        /^RIP: 0010:\[</,
      ],
    ],
    [
      '4.9',
      [
        'BUG: unable to handle kernel paging request at ffffc9000bf00000',
        /^IP: \[</,
        /^PGD [0-9a-f]+ PUD [0-9a-f]+ PMD 0$/,
        'Oops: 0002 [#1] SMP',
        'Modules linked in: kstk',
        'CPU: 0 PID: 85 Comm: kstk/0 Not tainted 4.9 #1',
        new RegExp(`^task: ${hex} task\\.stack: ${hex}$`),
        /^RIP: 0010:\[</,
      ],
    ],
    [
      '4.14',
      [
        'BUG: unable to handle kernel paging request at ffffc9000bf00000',
        'IP: kfn.cold+0x28/0x30 [kstk]',
        /^PGD [0-9a-f]+ P4D [0-9a-f]+ PUD [0-9a-f]+ PMD 0$/,
        'Oops: 0002 [#1] SMP',
        'Modules linked in: kstk',
        'CPU: 0 PID: 85 Comm: kstk/0 Not tainted 4.14 #1',
        /^task: /,
        'RIP: 0010:kfn.cold+0x28/0x30 [kstk]',
      ],
    ],
    [
      '5.0',
      [
        'BUG: unable to handle kernel paging request at ffffc9000bf00000',
        '#PF error: [WRITE]',
        /^PGD .* P4D /,
        'Oops: 0002 [#1] SMP NOPTI',
        'CPU: 0 PID: 85 Comm: kstk/0 Not tainted 5.0 #1',
        'RIP: 0010:kfn.cold+0x28/0x30 [kstk]',
      ],
    ],
    [
      '6.1',
      [
        'BUG: unable to handle page fault for address: ffffc9000bf00000',
        '#PF: supervisor write access in kernel mode',
        '#PF: error_code(0x0002) - not-present page',
        /^PGD .* P4D /,
        'Oops: 0002 [#1] PREEMPT SMP NOPTI',
        'CPU: 0 PID: 85 Comm: kstk/0 Not tainted 6.1 #1',
        'RIP: 0010:kfn.cold+0x28/0x30 [kstk]',
      ],
    ],
    [
      '6.14',
      [
        'BUG: unable to handle page fault for address: ffffc9000bf00000',
        '#PF: supervisor write access in kernel mode',
        '#PF: error_code(0x0002) - not-present page',
        /^PGD .* P4D /,
        'Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI',
        'CPU: 0 UID: 0 PID: 85 Comm: kstk/0 Not tainted 6.14 #1',
        'RIP: 0010:kfn.cold+0x28/0x30 [kstk]',
      ],
    ],
    [
      '6.19',
      [
        'BUG: unable to handle page fault for address: ffffc9000bf00000',
        '#PF: supervisor write access in kernel mode',
        '#PF: error_code(0x0002) - not-present page',
        /^PGD .* P4D /,
        'Oops: Oops: 0002 [#1] SMP NOPTI',
        'CPU: 0 UID: 0 PID: 85 Comm: kstk/0 Not tainted 6.19 #1 PREEMPT(voluntary)',
        'RIP: 0010:kfn.cold+0x28/0x30 [kstk]',
      ],
    ],
  ];
  for (const [kernel, head] of heads) {
    it(`begins as ${kernel} begins it`, () => {
      const lines = before(kernel);
      assert.equal(lines.length, head.length, lines.join('\n'));
      lines.forEach((line, i) => {
        const expected = head[i];
        if (typeof expected === 'string') assert.equal(line, expected);
        else assert.match(line, expected);
      });
    });
  }

  it('ends with the executive summary of the version', () => {
    const end = (kernel: string) => {
      const lines = touch(kernel, UNMAPPED);
      return lines.slice(lines.lastIndexOf(' ret_from_fork+0x22/0x30') + 1);
    };
    assert.match(
      end('4.4').join('\n'),
      /^.*RIP {2}\[<[0-9a-f]+>\] kfn\.cold.*\n RSP <[0-9a-f]+>\nCR2: ffffc9000bf00000\n---\[ end trace 0000000000000000 \]---$/s,
    );
    assert.deepEqual(
      end('4.14').map((line) => line.replace(/RSP: [0-9a-f]+/, 'RSP')),
      [
        'RIP: kfn.cold+0x28/0x30 [kstk] RSP',
        'CR2: ffffc9000bf00000',
        '---[ end trace 0000000000000000 ]---',
      ],
    );
    const last = end('6.1');
    assert.deepEqual(last.slice(0, 5), [
      ' </TASK>',
      'Modules linked in: kstk',
      'CR2: ffffc9000bf00000',
      '---[ end trace 0000000000000000 ]---',
      'RIP: 0010:kfn.cold+0x28/0x30 [kstk]',
    ]);
    assert.equal(last[last.length - 1], 'note: kstk/0[85] exited with irqs disabled');
  });

  it('dumps the stack word by word up to 4.9, with the addresses of code', () => {
    for (const kernel of ['2.6.32', '3.14', '4.4', '4.9']) {
      const { m, probe } = lab(kernel);
      command(m, probe, { do: 'poke', address: UNMAPPED });
      wakeProbe(m, probe);
      const rsp = BigInt(`0x${/RSP: 0018:([0-9a-f]+)/.exec(m.console.join('\n'))![1]}`);
      const at = m.console.indexOf('Stack:');
      const words = m.console
        .slice(at + 1, at + 4)
        .join(' ')
        .trim()
        .split(/\s+/);
      // Up to 4.4 the dead task's stack stays as the oops found it from RSP up.
      words.forEach((word, i) => {
        if (m.config.rewindsStack) return;
        assert.equal(BigInt(`0x${word}`), m.peek64(rsp + BigInt(8 * i)), `${kernel}: word ${i}`);
      });
      assert.equal(words.length, 12);
      assert.match(m.console[at + 4], /^Call Trace:$/);
      assert.match(m.console[at + 6], /^ \[<[0-9a-f]{16}>\] (\? )?kthread\+0xda\/0x100$/);
    }
    assert.ok(!touch('4.10', UNMAPPED).some((line) => /^Stack:|\[</.test(line)));
  });

  it('hashes the pointers to the task that 4.15 and 4.16 still print', () => {
    const line = (hashPointers: boolean) => {
      const { m, probe } = lab('4.15', { hashPointers });
      command(m, probe, { do: 'peek', address: UNMAPPED });
      wakeProbe(m, probe);
      return m.console.find((text) => text.startsWith('task: '));
    };
    assert.match(line(true)!, /^task: 00000000[0-9a-f]{8} task\.stack: 00000000[0-9a-f]{8}$/);
    assert.match(line(false)!, /^task: ffff8[0-9a-f]{11} task\.stack: ffffc9[0-9a-f]{10}$/);
  });

  it('calls the first page a NULL pointer', () => {
    const first = (kernel: string, address: bigint) => touch(kernel, address, 'peek')[0];
    assert.equal(
      first('4.9', 8n),
      'BUG: unable to handle kernel NULL pointer dereference at 0000000000000008',
    );
    assert.equal(
      first('4.14', 0n),
      'BUG: unable to handle kernel NULL pointer dereference at           (null)',
    );
    assert.equal(
      first('5.2', 0n),
      'BUG: kernel NULL pointer dereference, address: 0000000000000000',
    );
    assert.equal(
      first('6.1', 4096n),
      'BUG: unable to handle page fault for address: 0000000000001000',
    );
  });

  it('suspects an exploit when code is fetched from a page that is not to be executed', () => {
    for (const kernel of ['2.6.32', '4.9', '6.1']) {
      const { m } = returnTo(kernel, ({ probe }) => probe.task.stack + 64n);
      const [first, second] = m.console;
      assert.equal(
        first,
        'kernel tried to execute NX-protected page - exploit attempt? (uid: 0)',
        kernel,
      );
      assert.match(second, /^BUG: unable to handle (kernel paging request at|page fault for)/);
      assert.match(m.console.join('\n'), /Oops: 0011 \[#1\]/);
    }
  });

  it('says that the thread overran its stack when the end magic is gone, and only then', () => {
    const said = (kernel: string, broken: boolean) => {
      const { m, probe } = lab(kernel, { stackEndCheck: false });
      const end = m.config.THREAD_INFO_IN_TASK ? 0 : m.config.threadInfo.size;
      if (broken) m.store64(probe.task.stack + BigInt(end), 0n);
      command(m, probe, { do: 'peek', address: UNMAPPED });
      wakeProbe(m, probe);
      return m.console.includes('Thread overran stack, or stack corrupted');
    };
    for (const kernel of ['2.6.32', '3.14', '4.4', '4.9', '5.8', '6.19']) {
      assert.equal(said(kernel, true), true, kernel);
      assert.equal(said(kernel, false), false, kernel);
    }
  });
});

describe('what the kernel says of how it was built', () => {
  const oops = (kernel: string, options: KernelOptions = {}) => {
    const { m, probe } = lab(kernel, options);
    command(m, probe, { do: 'peek', address: UNMAPPED });
    wakeProbe(m, probe);
    return m.console;
  };
  const flags = (kernel: string, options: KernelOptions) =>
    oops(kernel, options).flatMap((line) => /\[#1\](.*)$/.exec(line)?.[1] ?? []);

  it('is nothing in the tiny configuration', () => {
    for (const kernel of ['2.6.32', '4.4', '5.0', '6.1', '6.14', '6.19'])
      assert.deepEqual(flags(kernel, { smp: false }), [''], kernel);
    const [line] = oops('6.19', { smp: false }).filter((text) => text.startsWith('CPU:'));
    assert.equal(line, 'CPU: 0 UID: 0 PID: 85 Comm: kstk/0 Not tainted 6.19 #1 NONE');
  });

  it('is KASAN before the page-table isolation', () => {
    assert.deepEqual(flags('4.4', { kasan: true }), [' SMP KASAN']);
    assert.deepEqual(flags('6.1', { kasan: true }), [' PREEMPT SMP KASAN NOPTI']);
    assert.deepEqual(flags('6.1', { kasan: true, smp: false }), [' KASAN']);
  });
});

describe('the taint', () => {
  it('has a letter for each reason that the version knows, or a blank', () => {
    const second = (kernel: string) => {
      const { m, probe } = lab(kernel);
      for (const one of [probe, startProbe(m, 1)!]) {
        command(m, one, { do: 'peek', address: NON_CANONICAL });
        wakeProbe(m, one);
      }
      const lines = m.console.filter((text) => text.includes('Tainted: '));
      return lines[0].slice(lines[0].indexOf('Tainted: '));
    };
    // The blanks as in logs of these versions, or of their neighbours.
    assert.equal(second('2.6.32'), 'Tainted: G      D    2.6.32 #1');
    assert.equal(second('3.14'), 'Tainted: G      D      3.14 #1');
    assert.equal(second('3.15'), 'Tainted: G      D       3.15 #1');
    assert.equal(second('4.4'), 'Tainted: G      D         4.4 #1');
    assert.equal(second('5.7'), 'Tainted: G      D           5.7 #1');
    assert.equal(second('6.1'), 'Tainted: G      D            6.1 #1');
    assert.equal(second('6.19'), 'Tainted: G      D             6.19 #1 PREEMPT(voluntary)');
  });
});

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
      const doExit = m.text.define('do_exit');
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
  it('says where, as an address up to 4.8 and as a symbol since', () => {
    const said = (kernel: string) => {
      const { m, probe } = lab(kernel, { stackProtector: true, stackEndCheck: false });
      const sp = m.peek64(probe.task.taskStruct + TASK.THREAD_SP)!;
      const canary = m.peek64(probe.task.taskStruct + TASK.STACK_CANARY)!;
      let slot = sp;
      while (m.peek64(slot) !== canary) slot += 8n;
      m.store64(slot, 0n);
      wakeUpProcess(m, probe.task);
      m.run();
      return m.console[0];
    };
    assert.match(
      said('4.4'),
      /^Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: ffffffff81[0-9a-f]{6}$/,
    );
    assert.equal(
      said('6.1'),
      'Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: __schedule+0x9e7/0xa00',
    );
  });
});

describe('printk', () => {
  const config = kernelConfig('16k', { kernel: '6.1', smp: false });

  /** An invalid opcode in the idle task, after `entries` of the table that maps the kernel's data are gone. */
  function oopsWithout(entries: number): Machine {
    const m = new Machine(config);
    const data = m.walk(m.perCpu & -0x200000n).entries;
    const table = data[data.length - 1].address & ~0xfffn;
    for (let i = 512 - entries; i < 512; i++) m.memory.write64(table + BigInt(8 * i), 0n);
    m.cpu.flushTlb();
    m.raiseInvalidOpcode();
    m.run();
    return m;
  }

  it('finds the log in the kernel’s data: while that is mapped an oops is printed', () => {
    const { state, console } = oopsWithout(0);
    assert.equal(state, 'panic');
    assert.ok(console.includes('invalid opcode: 0000 [#1]'));
  });

  it('says nothing and faults without end once the upper half of the data is not mapped', () => {
    const { state, console, deliveries } = oopsWithout(256);
    assert.equal(state, 'hang');
    assert.deepEqual(console, []);
    assert.ok(deliveries.slice(1).every(({ delivery }) => delivery.kind === 'handler'));
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
