import assert from 'node:assert/strict';
import { ERAS } from '../../lib/stack/config';
import { PUBLISHED_TRACES, publishedTrace } from '../../lib/stack/published-traces';
import { replay } from '../../lib/stack/replay';
import { summary } from '../../lib/stack/summary';
import type { StackTrace } from '../../lib/stack/trace';

describe('replay', () => {
  it('leaves 384 bytes of an 8 KB stack under the trace of 2014', () => {
    const report = replay(publishedTrace('01'), { era: '8k' });
    const { maxDepth, entries, usable, headroom, outcome, victims, ownDamage } = report;
    assert.deepEqual(
      { maxDepth, entries, usable, headroom, outcome, victims },
      { maxDepth: 7696, entries: 51, usable: 8080, headroom: 384, outcome: 'none', victims: [] },
    );
    assert.deepEqual([ownDamage.endMagic, ownDamage.threadInfo], [false, []]);
    assert.deepEqual(ownDamage.after.subarray(0, 112), ownDamage.before.subarray(0, 112));
    assert.deepEqual(report.console, []);
    assert.equal(report.rsp - report.stackBase, 8192n - 7696n);
  });

  it('ends 336 bytes below an 8 KB stack with the trace of 8528 bytes, over end magic and thread_info, and without SMP nothing says so', () => {
    const report = replay(publishedTrace('05'), { era: '8k', smp: false });
    assert.equal(report.stackBase - report.rsp, 336n);
    assert.equal(report.headroom, -448);
    assert.equal(report.ownDamage.endMagic, true);
    assert.ok(report.ownDamage.threadInfo.includes('task'));
    assert.ok(report.ownDamage.threadInfo.includes('addr_limit'));
    assert.deepEqual(
      report.victims.map(({ class: kind, pages }) => ({ kind, pages })),
      [{ kind: 'stack', pages: 1 }],
    );
    // Not while it ran and returned: only the neighbour, once woken, comes to grief.
    assert.equal(report.phase, 'wake');
    assert.equal(report.outcome, 'delayed');
    const { before, after } = report.neighbour;
    assert.ok(before && after);
    assert.deepEqual(before.subarray(0, 4096 - 336), after.subarray(0, 4096 - 336));
    assert.notDeepEqual(before.subarray(4096 - 336), after.subarray(4096 - 336));
  });

  it('fits both traces into 16 KB, in the direct map and in the vmalloc area', () => {
    for (const id of ['01', '05']) {
      for (const era of ['16k', 'vmap'] as const) {
        const { outcome, machine, headroom } = replay(publishedTrace(id), { era });
        assert.deepEqual(
          { outcome, machine },
          { outcome: 'none', machine: 'alive' },
          `${id} ${era}`,
        );
        assert.ok(headroom > 7000);
      }
    }
  });

  it('puts every listed frame at its published depth', () => {
    for (const id of PUBLISHED_TRACES) {
      const trace = publishedTrace(id);
      const report = replay(trace, { era: 'vmap', asX86: true, fill: 'none' });
      // Frames of another architecture may be no multiple of 8 bytes: they are refused below.
      const listed = report.steps
        .filter(({ fn }) => fn !== 'not_listed')
        .map(({ fn, depth }) => ({ fn, depth }));
      assert.deepEqual(
        listed.reverse(),
        trace.entries.map(({ fn, depth }) => ({ fn, depth })),
        id,
      );
    }
  });

  it('says of a trace without its innermost lines that it is at least as deep', () => {
    const whole = publishedTrace('15');
    const part = { ...whole, partial: true, maxDepth: 2288, entries: whole.entries.slice(3) };
    const report = replay(part, { era: '8k' });
    assert.deepEqual(
      [report.deeper, report.entries, report.totalEntries, report.missing],
      [true, 15, 18, ['The first 3 lines are missing: the chain went deeper than 2288 bytes.']],
    );
    assert.match(
      summary(report),
      /^15 of 18 frames, at least 2288 bytes deep, in a stack of 8080 usable bytes: at most 5792 bytes to spare\nThe first 3 lines/,
    );
    assert.match(
      summary(replay(whole, { era: '8k' })),
      /^18 frames, 2928 bytes deep, in a stack of 8080 usable bytes: 5152 bytes to spare\nkernel/,
    );
  });

  it('goes as deep as the whole trace, where that is known, also below the lines that are listed', () => {
    const { entries } = publishedTrace('15');
    const trace: StackTrace = {
      ...{ arch: 'x86_64', stackSize: 8192, partial: true, totalEntries: 20, entries },
      maxDepth: 9000,
    };
    const report = replay(trace, { era: '8k' });
    assert.equal(report.steps[report.steps.length - 1].depth, 9000);
    assert.deepEqual([report.deeper, report.headroom], [false, 8080 - 9000]);
    assert.deepEqual(report.missing, ['The innermost 6072 bytes are not listed.']);
    assert.equal(report.ownDamage.endMagic, true);
    assert.notEqual(report.outcome, 'none');
  });

  it('refuses the trace of another architecture unless told to take it', () => {
    assert.throws(
      () => replay(publishedTrace('14'), { era: '8k' }),
      /expected a trace of x86_64, got arm/,
    );
  });

  it('refuses words that it does not know', () => {
    const fails = (options: object, says: RegExp) =>
      assert.throws(
        () => replay(publishedTrace('01'), options),
        (error: Error) => error instanceof RangeError && says.test(error.message),
      );
    fails({ fill: 'x' }, /^fill: expected dense, sparse, none, got "x"$/);
    fails({ neighbour: 'x' }, /^neighbour: expected stack, .*, any, got "x"$/);
    fails({ era: 'vmap', neighbour: 'slab' }, /^neighbour: expected stack or any with VMAP_STACK/);
  });

  it('takes the era of the kernel if only that is named, else stacks as large as the trace’s', () => {
    const eraWith = (kernel?: string) => replay(publishedTrace('01'), { kernel }).era;
    assert.deepEqual(['3.0', '4.4', '6.1', undefined].map(eraWith), ['8k', '16k', 'vmap', '8k']);
  });

  it('gives the same report for the same seed, and a fitting trace for any', () => {
    for (const era of ERAS) {
      assert.deepEqual(
        replay(publishedTrace('05'), { era, seed: 7 }),
        replay(publishedTrace('05'), { era, seed: 7 }),
      );
      for (let seed = 0; seed < 5; seed++) {
        assert.equal(replay(publishedTrace('01'), { era, seed }).outcome, 'none');
      }
    }
  });
});
