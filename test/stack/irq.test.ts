import assert from 'node:assert/strict';
import { overrun, overrunScene, type OverrunOptions } from '../../lib/stack/overrun';
import { kernelConfig } from '../../lib/stack/config';
import { buildScene } from '../../lib/stack/scene';

const PT_REGS = 168;

describe('a device interrupt on a nearly full stack', () => {
  it('writes what the CPU and the entry code push, down from RSP rounded to 16, and nothing below', () => {
    for (const [era, kernel] of [
      ['8k', '3.14'],
      ['16k', '4.4'],
    ] as const) {
      for (let irq = 112; irq <= 256; irq += 16) {
        // Without SMP nobody reads thread_info->cpu, and nothing follows the interrupt.
        const report = overrun({ era, kernel, irq, neighbour: 'stack', smp: false });
        const lowest = BigInt(irq - PT_REGS);
        const below = report.victims.reduce((sum, { bytesChanged }) => sum + bytesChanged, 0);
        // The lowest word is R15, which may be the 0 that is there.
        if (lowest >= 0n) assert.equal(below, 0, `${era} ${irq}`);
        if (lowest < -8n) assert.ok(below > 0, `${era} ${irq}`);
        assert.ok(report.rsp - report.stackBase <= BigInt(irq), `${era} ${irq}`);
        const { before, after } = report.neighbour;
        assert.ok(before && after);
        const first = before.findIndex((byte, i) => byte !== after[i]);
        if (first >= 0) assert.ok(BigInt(first) >= 4096n + lowest, `${era} ${irq}: ${first}`);
      }
    }
  });

  it('destroys thread_info of the interrupted task although its own frames stayed inside', () => {
    const { ownDamage, outcome, victims } = overrun({ era: '8k', irq: 112, neighbour: 'slab' });
    assert.equal(ownDamage.endMagic, true);
    assert.ok(ownDamage.threadInfo.includes('addr_limit'));
    assert.notEqual(outcome, 'none');
    assert.ok(victims.some(({ class: kind }) => kind === 'slab'));
  });

  it('comes and goes unnoticed while there is room', () => {
    for (const era of ['8k', '16k', 'vmap'] as const) {
      const { outcome, machine, task, console } = overrun({ era, irq: 1024 });
      assert.deepEqual(
        { outcome, machine, task, console },
        { outcome: 'none', machine: 'alive', task: 'alive', console: [] },
      );
    }
  });

  it('hits the guard page as #DF at the first push that meets no page', () => {
    for (let irq = 8; irq < PT_REGS; irq += 16) {
      const report = overrun({ era: 'vmap', irq });
      assert.equal(report.detector, 'guard-page', `${irq} bytes left`);
      assert.equal(report.cr2, report.stackBase - 8n, `${irq} bytes left`);
      assert.equal(report.machine, 'panic');
    }
  });

  it('kills through the check of the end magic after the guard page has killed only the task', () => {
    // The pushes before the one that faulted have gone over the end magic.
    const report = overrun({ era: 'vmap', kernel: '5.7', irq: 64 });
    assert.equal(report.task, 'killed');
    assert.equal(report.machine, 'panic');
    assert.ok(
      report.console.includes(
        'Kernel panic - not syncing: corrupted stack end detected inside scheduler',
      ),
    );
    const unchecked = overrun({ era: 'vmap', kernel: '5.7', irq: 64, stackEndCheck: false });
    assert.equal(unchecked.machine, 'alive');
  });

  it('is refused closer to the base than thread_info and end magic reach', () => {
    assert.throws(() => overrun({ era: '8k', irq: 104 }), /irq: expected at least 112 bytes/);
    assert.throws(() => overrun({ era: 'vmap', irq: 0 }), /irq: expected at least 8 bytes/);
    assert.throws(() => overrun({ irq: 64, jump: 64 }), /expected one of .*irq, got jump and irq/);
  });
});

describe('the interrupt handler on its own stack', () => {
  /** An interrupt far from the end of the task's stack, whose handler uses so many bytes of the IRQ stack. */
  function deepHandler(options: OverrunOptions & { kernel: string }, bytes: number) {
    const config = kernelConfig(options.era ?? 'vmap', options);
    const scene = buildScene(config, { seed: 1, neighbour: 'any' });
    scene.machine.snapshot();
    scene.machine.irq.handlerDepth = bytes;
    return { report: overrunScene(scene, { ...options, irq: 2048 }), machine: scene.machine };
  }

  it('fits', () => {
    for (const kernel of ['3.14', '5.0', '6.1']) {
      const era = kernel === '3.14' ? '8k' : 'vmap';
      const { report, machine } = deepHandler({ era, kernel }, 15 * 1024);
      assert.equal(report.machine, 'alive', kernel);
      assert.equal(machine.irq.taken, 1);
      assert.equal(machine.irq.depth, 0);
    }
  });

  it('runs silently into other per-CPU data up to 5.1, and into a guard page since', () => {
    const guarded = deepHandler({ kernel: '6.1' }, 17 * 1024).report;
    assert.match(guarded.console[0], /^BUG: IRQ stack guard page was hit at /);
    assert.equal(guarded.machine, 'panic');
    // 5.2 to 5.15 know the task's guard page only.
    const unnamed = deepHandler({ kernel: '5.14' }, 17 * 1024).report;
    assert.match(unnamed.console[0], /^traps: PANIC: double fault/);
    const silent = deepHandler({ kernel: '5.0' }, 17 * 1024);
    assert.equal(silent.report.machine, 'alive');
    assert.deepEqual(silent.report.console, []);
    const { machine } = silent;
    const below = machine.memory.readBytes(machine.frameOf(machine.irq.stack! - 4096n)!, 4096);
    assert.ok(below.some((byte) => byte !== 0));
  });

  it('shows both stacks in the call trace of a fault', () => {
    const { console } = deepHandler({ kernel: '6.1' }, 17 * 1024).report;
    const trace = console.slice(console.indexOf('Call Trace:'));
    const at = (line: string) => trace.indexOf(line);
    assert.ok(at(' <IRQ>') > 0 && at(' </IRQ>') > at(' <IRQ>'));
    assert.ok(at(' <TASK>') > at(' </IRQ>') && at(' </TASK>') > at(' <TASK>'));
    const inTask = trace.slice(at(' <TASK>'), at(' </TASK>'));
    // Where the interrupt came in, then the frames of the interrupted thread.
    assert.match(inTask[1], /^RIP: 0010:recurse\+/);
    assert.match(inTask[2], / ORIG_RAX: ffffffffffffffde$/);
    assert.deepEqual(
      inTask.filter((line) => /^ [a-z]/.test(line)),
      [' kfn+0x165/0x170 [kstk]', ' kthread+0xda/0x100', ' ret_from_fork+0x22/0x30'],
    );
  });
});

describe('DEBUG_STACKOVERFLOW', () => {
  const check = (kernel: string, irq: number, more: OverrunOptions = {}) =>
    overrun({
      era: kernel.startsWith('4') ? '16k' : '8k',
      kernel,
      irq,
      stackOverflowCheck: true,
      ...more,
    });

  it('warns when RSP is less than thread_info, a pt_regs and 128 bytes above the base', () => {
    // sizeof(struct thread_info) is 104 on 2.6.32 and 3.14, 40 on 4.4; since 4.9 it is not on the stack.
    for (const [kernel, size] of [
      ['2.6.32', 104],
      ['3.14', 104],
      ['4.4', 40],
      ['4.9', 0],
    ] as const) {
      const margin = size + PT_REGS + 128;
      for (const irq of [margin - 64, margin - 16, margin, margin + 16]) {
        const { console, stackBase, victims } = check(kernel, irq);
        assert.deepEqual(victims, []);
        const line = console.find((text) => text.startsWith('do_IRQ'));
        const sp = /sp:([0-9a-f]+)/.exec(line ?? '');
        assert.equal(line !== undefined, irq < margin, `${kernel}: ${irq} bytes left`);
        if (sp) assert.ok(BigInt(`0x${sp[1]}`) - stackBase <= BigInt(irq));
      }
    }
  });

  it('words it as the version does', () => {
    const line = (kernel: string) =>
      check(kernel, 200).console.find((text) => text.startsWith('do_IRQ'));
    assert.match(
      line('2.6.32')!,
      /^do_IRQ: kstk\/\d+ near stack overflow \(cur:[0-9a-f]+,sp:[0-9a-f]+\)$/,
    );
    assert.match(line('3.1')!, /near stack overflow/);
    const overflown =
      'do_IRQ\\(\\): kstk/\\d+ has overflown the kernel stack \\(cur:[0-9a-f]+,sp:[0-9a-f]+,irq stk ' +
      'top-bottom:[0-9a-f]+-[0-9a-f]+,exception stk top-bottom:[0-9a-f]+-[0-9a-f]+';
    for (const kernel of ['3.4', '3.14', '4.4', '4.9'])
      assert.match(line(kernel)!, new RegExp(`^${overflown}\\)$`), kernel);
    assert.match(
      line('4.12')!,
      new RegExp(`^${overflown},ip:\\S+\\+0x\\w+/0x\\w+( \\[kstk\\])?\\)$`),
    );
  });

  it('panics with panic_on_stackoverflow', () => {
    const report = check('3.14', 120, { panicOnStackOverflow: true });
    assert.equal(report.machine, 'panic');
    assert.ok(
      report.console.includes(
        'Kernel panic - not syncing: low stack detected by irq handler - check messages',
      ),
    );
  });

  it('sees nothing of an overrun during which no interrupt comes', () => {
    const report = overrun({ era: '8k', past: 512, stackOverflowCheck: true, neighbour: 'slab' });
    assert.ok(!report.console.some((line) => /do_IRQ/.test(line)));
  });
});
