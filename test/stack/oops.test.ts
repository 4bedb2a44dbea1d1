import assert from 'node:assert/strict';
import type { KernelOptions } from '../../lib/stack/config';
import { overrun } from '../../lib/stack/overrun';
import { command, startProbe, wakeProbe } from '../../lib/stack/probe';
import { lab, returnTo, touch } from './oops-lab';

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

  it('has the frames of its handler at the head of the trace from 6.4 to 6.14', () => {
    const trace = (kernel: string) => {
      const lines = touch(kernel, UNMAPPED);
      const [start, end] = [lines.indexOf('Call Trace:'), lines.indexOf(' </TASK>')];
      return lines.slice(start + 1, end).filter((line) => !/kthread|ret_from_fork/.test(line));
    };
    for (const kernel of ['6.1', '6.3', '6.15', '6.19'])
      assert.deepEqual(trace(kernel), [' <TASK>'], kernel);
    const handler = [' ? asm_exc_page_fault+0x22/0x30', ' ? kfn.cold+0x28/0x30 [kstk]'];
    for (const kernel of ['6.4', '6.14'])
      assert.deepEqual(trace(kernel).slice(0, 3), [' <TASK>', ...handler], kernel);
    // A guard hit: the handler of the #DF has a stack of its own, as in a log of 6.10.0-rc6.
    const lines = overrun({ era: 'vmap', kernel: '6.10', frame: 256 }).console;
    assert.deepEqual(lines.slice(lines.indexOf('Call Trace:') + 1).slice(0, 6), [
      ' <#DF>',
      ' ? asm_exc_double_fault+0x22/0x30',
      ' ? recurse+0x83/0xb0 [kstk]',
      ' </#DF>',
      ' <TASK>',
      ' recurse+0x98/0xb0 [kstk]',
    ]);
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

  it('shows in CR4 what the kernel knows of: SMEP since 3.0, SMAP since 3.7', () => {
    const cr4 = (kernel: string) =>
      touch(kernel, UNMAPPED).flatMap((line) => / CR4: ([0-9a-f]+)/.exec(line)?.[1] ?? [])[0];
    assert.equal(cr4('2.6.32'), '00000000000000a0');
    assert.equal(cr4('3.6'), '00000000001000a0');
    assert.equal(cr4('3.14'), '00000000003000a0');
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

  it('names page-table isolation since 4.15', () => {
    assert.deepEqual(flags('4.14', {}), [' SMP']);
    for (const kernel of ['4.15', '4.16', '5.14'])
      assert.deepEqual(flags(kernel, {}), [' SMP NOPTI'], kernel);
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
