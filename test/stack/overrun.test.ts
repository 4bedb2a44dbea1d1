import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelConfig } from '../../lib/stack/config';
import { overrun, type OverrunOptions } from '../../lib/stack/overrun';
import { summary } from '../../lib/stack/summary';

const CONSOLE = join(__dirname, '..', 'fixtures', 'console');

describe('overrun with VMAP_STACK', () => {
  it('hits the guard page at the address that a real kernel printed, for every recorded boot', () => {
    let compared = 0;
    for (const file of readdirSync(CONSOLE)) {
      const text = readFileSync(join(CONSOLE, file), 'utf8');
      if (/hashed/.test(file)) continue;
      const run =
        /KSTK (RUN|JUMP) id \d+ pid \d+ (?:frame (\d+) over (-?\d+)|below (\d+)).* base ([0-9a-f]+)/.exec(
          text,
        );
      const bug =
        /BUG: TASK stack guard page was hit at [0-9a-f]+ \(stack is [0-9a-f]+\.\.[0-9a-f]+\)/.exec(
          text,
        );
      if (!run || !bug) continue;
      const stackBase = BigInt(`0x${run[5]}`);
      const frame =
        run[1] === 'RUN' ? { frame: Number(run[2]) } : { alloca: 16384 - 512 + Number(run[4]) };
      const report = overrun({ era: 'vmap', stackBase, ...frame });
      assert.ok(report.console.includes(bug[0]), `${file}: ${bug[0]}\n${report.console[0]}`);
      const registers = /RSP: 0018:([0-9a-f]+)/.exec(text);
      assert.equal(report.rsp, BigInt(`0x${registers![1]}`), file);
      assert.equal(report.machine, 'panic', file);
      assert.ok(text.includes('Kernel panic - not syncing: Fatal exception in interrupt'));
      compared++;
    }
    assert.equal(compared, 4);
  });

  it('has CR2 at the first of six pushes that meets no page, wherever RSP stands', () => {
    const stackBase = 0xffffc90000100000n;
    for (let above = -64; above <= 64; above += 8) {
      const rsp = stackBase + BigInt(above);
      const report = overrun({ era: 'vmap', stackBase, rsp, poke: 8 });
      const aligned = rsp & ~15n;
      if (aligned >= stackBase + 48n) {
        // The frame fits: the store's own page fault is delivered.
        assert.equal(report.cr2, stackBase - 8n, `RSP = base ${above}`);
        continue;
      }
      const expected = aligned <= stackBase ? aligned - 8n : stackBase - 8n;
      assert.equal(report.cr2, expected, `RSP = base ${above}`);
    }
  });

  it('takes RSP 0 as it is: the first push wraps around to the last 8 bytes', () => {
    for (const access of [{ poke: 8 }, { peek: 8 }, {}]) {
      const { rsp, cr2, detector } = overrun({ era: 'vmap', rsp: 0n, ...access });
      assert.deepEqual(
        { rsp, cr2, detector },
        { rsp: 0n, cr2: 0xfffffffffffffff8n, detector: 'double-fault' },
      );
    }
  });

  it('lets the task die alone up to 5.7 and panics the machine since 5.8', () => {
    const ends = ['4.9', '4.14', '5.2', '5.7', '5.8', '5.14', '5.17', '6.19'].map((kernel) => {
      const { machine, task, detector } = overrun({ era: 'vmap', kernel });
      assert.equal(detector, 'guard-page', kernel);
      return `${machine}/${task}`;
    });
    assert.deepEqual(ends, [...Array(4).fill('alive/killed'), ...Array(4).fill('panic/killed')]);
  });

  it('calls a task killed that never runs again, also when the machine stopped with it', () => {
    const ends = [{ doubleFaultIst: false }, { poke: 0 }, { poke: 0, stackEndCheck: false }].map(
      (options) => {
        const { machine, task } = overrun({ era: 'vmap', ...options });
        return `${machine}/${task}`;
      },
    );
    assert.deepEqual(ends, ['reset/killed', 'panic/killed', 'alive/alive']);
  });

  it('kills only the task when RSP has room and a store or load hits the guard page', () => {
    for (const kernel of ['4.9', '6.1']) {
      for (const access of [{ poke: 8 }, { peek: 4096 }]) {
        const { machine, task, detector, phase } = overrun({ era: 'vmap', kernel, ...access });
        assert.deepEqual(
          { machine, task, detector, phase },
          { machine: 'alive', task: 'killed', detector: 'guard-page', phase: 'immediate' },
          `${kernel} ${JSON.stringify(access)}`,
        );
      }
    }
  });

  it('calls the page above the stack a guard hit up to 5.15 and a page fault since', () => {
    const above = (kernel: string) => overrun({ era: 'vmap', kernel, poke: -16384 }).detector;
    assert.deepEqual(['4.9', '5.14', '5.17', '6.1'].map(above), [
      'guard-page',
      'guard-page',
      'page-fault',
      'page-fault',
    ]);
  });

  it('ends in a triple fault when #DF has no stack of its own', () => {
    for (const kernel of ['4.9', '6.1']) {
      const { machine, detector, console } = overrun({
        era: 'vmap',
        kernel,
        doubleFaultIst: false,
      });
      assert.deepEqual(
        { machine, detector, console },
        { machine: 'reset', detector: 'triple-fault', console: [] },
      );
    }
  });

  it('says nothing when one frame jumps over the guard into the next stack', () => {
    const { outcome, victims } = overrun({ era: 'vmap', neighbour: 'stack', jump: 0x5800 });
    assert.equal(outcome, 'silent');
    assert.deepEqual(
      victims.map(({ class: kind }) => kind),
      ['stack'],
    );
  });

  it('finds the overwritten end magic at the next schedule, and not without the check', () => {
    const checked = overrun({ era: 'vmap', poke: 0 });
    assert.equal(checked.detector, 'stack-end-check');
    assert.equal(checked.machine, 'panic');
    assert.equal(
      checked.console[0],
      'Kernel panic - not syncing: corrupted stack end detected inside scheduler',
    );
    const unchecked = overrun({ era: 'vmap', poke: 0, stackEndCheck: false });
    assert.equal(unchecked.outcome, 'silent');
  });
});

describe('overrun in the direct map', () => {
  it('never meets a guard page: endless recursion goes on into what lies below', () => {
    for (const era of ['8k', '16k'] as const) {
      const report = overrun({ era });
      assert.notEqual(report.machine, 'alive');
      assert.ok(!report.console.some((line) => /guard page/.test(line)));
      assert.ok(report.victims.length > 1);
    }
  });

  it('changes bytes of the page below and nothing notices at once', () => {
    for (const frames of ['sparse', 'dense'] as const) {
      const report = overrun({
        era: '16k',
        past: 512,
        frames,
        frame: frames === 'dense' ? 128 : 512,
        neighbour: 'stack',
        smp: false,
      });
      assert.equal(report.phase === 'immediate', false);
      assert.deepEqual(
        report.victims.map(({ class: kind }) => kind),
        ['stack'],
      );
    }
  });
});

describe('what an overrun is reported to have done', () => {
  it('counts a store outside the stack, below it or above, and none inside', () => {
    const changed = (poke: number) => {
      const report = overrun({ era: '8k', poke, seed: 2, smp: false });
      const words = summary(report).split('\n')[1];
      const bytes = report.victims.reduce((sum, { bytesChanged }) => sum + bytesChanged, 0);
      return [bytes, report.outcome === 'none', /^nothing happened/.test(words)];
    };
    for (const outside of [8, -8192, -9000]) {
      assert.deepEqual(changed(outside), [8, false, false], `${outside}`);
    }
    for (const inside of [-8184, -4096, -120]) {
      assert.deepEqual(changed(inside), [0, true, true], `${inside}`);
    }
  });

  it('has RSP where it stood at a store or load that was not noticed, as at one that faulted', () => {
    const rspFromTop = (options: OverrunOptions) => {
      const { rsp, stackBase } = overrun({ kernel: '6.1', ...options });
      return stackBase + BigInt(kernelConfig(options.era!, options).THREAD_SIZE) - rsp;
    };
    const faulted = rspFromTop({ era: 'vmap', poke: 8 });
    for (const era of ['8k', '16k', 'vmap'] as const) {
      for (const access of [{ poke: -64 }, { peek: -99999 }]) {
        assert.equal(rspFromTop({ era, ...access }), faulted, `${era} ${JSON.stringify(access)}`);
      }
    }
    assert.equal(rspFromTop({ era: '16k', peek: 100 }), faulted);
    const rsp = 0xffffc90000590000n + 512n;
    const given = overrun({ era: 'vmap', stackBase: 0xffffc90000590000n, poke: -64, rsp });
    assert.equal(given.rsp, rsp);
  });

  it('has RSP at its lowest for a frame: where the function that it calls has its array', () => {
    for (const stackProtector of [false, true]) {
      const kernel = stackProtector ? '6.1' : '3.15';
      const report = overrun({ era: '16k', kernel, stackProtector, jump: 1024, neighbour: 'free' });
      const { address, after } = report.neighbour;
      const view = new DataView(after!.buffer, after!.byteOffset);
      const word = (at: number) => view.getBigUint64(Number(report.rsp - address) + at, true);
      assert.deepEqual([word(0), word(24)], [1n, 2n]);
    }
  });
});

describe('overrun, asked wrongly', () => {
  it('says what it expected', () => {
    assert.throws(
      () => overrun({ past: 8, jump: 8 }),
      /one of past, jump, alloca, poke, peek, irq, got past and jump/,
    );
    const words = [
      [{ neighbour: 'x' }, /^neighbour: expected stack, slab, .*, any, got "x"$/],
      [{ frames: 'x' }, /^frames: expected dense, sparse, got "x"$/],
      [{ memory: 'x' }, /^memory: expected light, fragmented, got "x"$/],
      [
        { stackBase: -1n },
        /^stackBase: expected an address, a bigint from 0 to 2\^64 - 1, got -1$/,
      ],
      [{ rsp: 1n << 64n, poke: 8 }, /^rsp: expected an address, .*, got 18446744073709551616$/],
    ] as const;
    for (const [options, message] of words) {
      assert.throws(() => overrun(options as OverrunOptions), { name: 'RangeError', message });
    }
    assert.throws(() => overrun({ frame: -1 }), /frame: expected a whole number of bytes from 1/);
    assert.throws(() => overrun({ past: 2 ** 60 }), /past: expected/);
    assert.throws(() => overrun({ era: 'vmap', stackBase: 0x1000n }), /^RangeError: stackBase: /);
    for (const [era, base] of [
      ['8k', 0xffff880002000000n],
      ['vmap', 0xffffc90000094000n],
    ] as const) {
      assert.equal(overrun({ era, stackBase: base, poke: -64 }).stackBase, base);
      for (const off of [1n, 8n, 4096n]) {
        assert.throws(
          () => overrun({ era, stackBase: base + off, poke: -64 }),
          /^RangeError: stackBase: expected .*, a multiple of THREAD_SIZE and free/,
          `${era} ${off}`,
        );
      }
    }
  });
});
