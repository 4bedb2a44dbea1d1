import assert from 'node:assert/strict';
import fc from 'fast-check';
import { kernelConfig } from '../../lib/stack/config';
import { checkstack, checkstackText, frameWarnings } from '../../lib/stack/detectors/checkstack';
import { compareDetectors } from '../../lib/stack/detectors/comparison';
import {
  kasanCheck,
  kasanFrame,
  kasanShadowOf,
  KASAN_FREE_PAGE,
  KASAN_STACK_LEFT,
  KASAN_STACK_RIGHT,
  KASAN_VMALLOC_INVALID,
} from '../../lib/stack/detectors/kasan';
import { kasanAccess } from '../../lib/stack/detectors/kasan-report';
import { stackNotUsed } from '../../lib/stack/detectors/stack-usage';
import { Machine } from '../../lib/stack/machine';
import { overrun } from '../../lib/stack/overrun';
import { command, startProbe, stopProbe, wakeProbe } from '../../lib/stack/probe';
import { PUBLISHED_TRACES, publishedTrace } from '../../lib/stack/published-traces';
import { replay } from '../../lib/stack/replay';
import { parseTrace } from '../../lib/stack/parse-trace';

describe('stack tracer', () => {
  it('gives back the trace that was replayed, read from the stack at its deepest point', () => {
    let complete = 0;
    for (const id of PUBLISHED_TRACES) {
      const trace = publishedTrace(id);
      if (!trace.arch.startsWith('x86')) continue;
      const fills = id === '01' ? (['dense', 'sparse', 'none'] as const) : (['dense'] as const);
      for (const fill of fills) {
        const { stackTrace } = replay(trace, { era: 'vmap', fill, stackTracer: true });
        const back = parseTrace(stackTrace!);
        assert.equal(back.maxDepth, trace.entries[0].depth, id);
        const line = ({ fn, off, module, depth, size }: (typeof back.entries)[number]) =>
          `${depth} ${size} ${fn}+${off ?? '0x10/0x20'} ${module ?? ''}`;
        const expected = trace.entries.map(line);
        const listed = back.entries.filter(({ fn }) => fn !== 'not_listed').map(line);
        // One return address of trace 03 stands for two frame sizes: it can't be one piece of code.
        const odd = '7272 352 alloc_pages_current+0x110/0x1f0 ';
        const twice = '7272 352 alloc_pages_current+0x10f/0x1f0 ';
        assert.deepEqual(
          listed.map((text) => (text === odd ? twice : text)),
          expected,
          `${id} ${fill}`,
        );
      }
      if (!trace.partial) complete++;
    }
    assert.ok(complete >= 8);
  });

  it('prints it in the format of the file', () => {
    const { stackTrace } = replay(publishedTrace('15'), { era: '8k', stackTracer: true });
    const [head, rule, first] = stackTrace!.split('\n');
    assert.equal(head, '        Depth    Size   Location    (18 entries)');
    assert.equal(rule, '        -----    ----   --------');
    assert.equal(first, '  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac');
  });

  it('sees nothing below the base of a stack', () => {
    const { stackTrace, headroom } = replay(publishedTrace('05'), { era: '8k', stackTracer: true });
    assert.ok(headroom < 0);
    assert.ok(parseTrace(stackTrace!).maxDepth <= 8192);
  });

  it('is off unless asked for', () => {
    assert.equal(replay(publishedTrace('15'), { era: '8k' }).stackTrace, null);
  });
});

describe('DEBUG_STACK_USAGE', () => {
  const lab = (kernel: string) => {
    const config = kernelConfig('16k', { kernel, stackUsage: true, stackProtector: false });
    const m = new Machine(config);
    return { m, probe: startProbe(m, 0)! };
  };

  it('counts the zero words above the end magic, one load each', () => {
    const { m, probe } = lab('4.4');
    const { stack } = probe.task;
    const end = stack + BigInt(m.config.threadInfo.size);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1500 }), (word) => {
        m.fill(end + 8n, 8 * 1500, 0);
        m.store64(end + BigInt(8 * word), 1n);
        const { unused, loads } = stackNotUsed(m, probe.task);
        assert.deepEqual({ unused, loads }, { unused: 8 * word, loads: word });
      }),
    );
  });

  it('speaks at exit, and only of a new record', () => {
    const { m, probe } = lab('4.4');
    const others = [startProbe(m, 1)!, startProbe(m, 2)!];
    const base = probe.task.stack;
    command(m, probe, { do: 'recurse', frame: 256, limit: base + 4096n, dense: true });
    wakeProbe(m, probe);
    for (const one of [others[0], probe, others[1]]) {
      stopProbe(m, one);
      m.run();
    }
    const said = m.console.filter((line) => /greatest stack depth/.test(line));
    assert.equal(said.length, 2);
    const [first, second] = said.map((line) => {
      const match = /^(\S+) \((\d+)\) used greatest stack depth: (\d+) bytes left$/.exec(line);
      return { comm: match![1], left: Number(match![3]) };
    });
    assert.equal(first.comm, 'kstk/1');
    assert.equal(second.comm, 'kstk/0');
    assert.ok(first.left > 15_000 && second.left <= 4096 + 16 && second.left > 3500);
    assert.equal(m.detectors.of('stack-usage').checks, 3);
  });

  it('names the pid since 3.8', () => {
    const said = (kernel: string) => {
      const { m, probe } = lab(kernel);
      stopProbe(m, probe);
      m.run();
      return m.console[0].replace(/\d+ bytes/, 'N bytes');
    };
    assert.equal(said('3.4'), 'kstk/0 used greatest stack depth: N bytes left');
    assert.equal(said('3.8'), 'kstk/0 (1) used greatest stack depth: N bytes left');
  });

  it('has next to nothing left to report after an overrun', () => {
    const { m } = lab('6.1');
    // Below its stack lies that of the first thread, which stays asleep.
    const probe = startProbe(m, 1)!;
    const limit = probe.task.stack - 64n;
    command(m, probe, { do: 'recurse', frame: 256, limit, dense: true });
    wakeProbe(m, probe);
    stopProbe(m, probe);
    m.run();
    const left = m.console.flatMap((line) => / depth: (\d+) bytes left$/.exec(line)?.[1] ?? []);
    assert.equal(left.length, 1, m.console.join('\n'));
    assert.ok(Number(left[0]) >= 8 && Number(left[0]) <= 32, left[0]);
  });
});

describe("KASAN's report", () => {
  /** What a store to a free page says. */
  const report = (kernel: string) => {
    const m = new Machine(kernelConfig('16k', { kernel, kasan: true }));
    const probe = startProbe(m, 0)!;
    const pfn = m.pageAllocator.allocPages(0, { class: 'kernel' })!;
    m.pageAllocator.freePages(pfn, 0);
    const address = m.directMap.physToVirt(BigInt(pfn) << 12n) + 2048n;
    command(m, probe, { do: 'poke', address });
    wakeProbe(m, probe);
    return { m, lines: m.console, address: address.toString(16) };
  };

  it('is headed as the version does it, with the address of the access', () => {
    const head = (kernel: string) => {
      const { lines, address } = report(kernel);
      return lines.slice(1, 3).map((line) => line.replace(address, 'ADDRESS'));
    };
    assert.deepEqual(head('4.1'), [
      'BUG: KASan: use after free in kfn.cold+0x28/0x30 [kstk] at addr ADDRESS',
      'Write of size 8 by task kstk/0/1',
    ]);
    assert.deepEqual(head('4.9'), [
      'BUG: KASAN: use-after-free in kfn.cold+0x28/0x30 [kstk] at addr ADDRESS',
      'Write of size 8 by task kstk/0/1',
    ]);
    assert.deepEqual(head('6.1'), [
      'BUG: KASAN: use-after-free in kfn.cold+0x28/0x30 [kstk]',
      'Write of size 8 at addr ADDRESS by task kstk/0/1',
    ]);
  });

  it('is what an overrun is noticed by, in the spelling of each version', () => {
    for (const kernel of ['4.0', '4.4', '4.12']) {
      const options = { era: '16k', kernel, kasan: true, neighbour: 'free', poke: 64 } as const;
      const { outcome, detector } = overrun(options);
      assert.deepEqual([outcome, detector], ['immediate', 'kasan'], kernel);
    }
  });

  it('names the beginning of a memset() that runs into what is free', () => {
    const m = new Machine(kernelConfig('16k', { kernel: '6.1', kasan: true }));
    startProbe(m, 0);
    const kept = m.pageAllocator.allocPages(1, { class: 'kernel' })!;
    m.pageAllocator.splitPage(kept, 1);
    m.pageAllocator.freePages(kept + 1, 0);
    const start = m.directMap.physToVirt(BigInt(kept) << 12n) + 4096n - 64n;
    kasanAccess(m, start, 256, true);
    const said = m.console.find((line) => line.startsWith('Write of size'));
    assert.ok(said?.startsWith(`Write of size 256 at addr ${start.toString(16)} by task`), said);
  });

  it('taints the kernel for what comes after it, since 4.4', () => {
    const later = (kernel: string) => {
      const { m, lines } = report(kernel);
      const own = lines.findIndex((line) => /Not tainted/.test(line));
      assert.ok(own > 0, kernel);
      m.raiseInvalidOpcode();
      m.run();
      return {
        locks: lines.includes('Disabling lock debugging due to kernel taint'),
        taint: lines.flatMap((line) => /Tainted: (\S+ +\S+)/.exec(line)?.[1] ?? []),
      };
    };
    assert.deepEqual(later('4.1'), { locks: false, taint: [] });
    assert.deepEqual(later('6.1'), { locks: true, taint: ['G    B'] });
  });
});

describe('checkstack', () => {
  it('lists the largest frames of a trace, largest first', () => {
    const frames = checkstack(publishedTrace('07'));
    assert.deepEqual(frames[0], { fn: 'do_select', module: undefined, bytes: 904 });
    frames.forEach(({ bytes }, i) => assert.ok(i === 0 || bytes <= frames[i - 1].bytes));
    assert.ok(frames.every(({ bytes }) => bytes >= 100));
    assert.match(checkstackText(frames), /^do_select \[vmlinux\]: +904\n/);
  });

  it('finds no frame to warn of in any trace, not even in those that do not fit into 8 KB', () => {
    for (const id of PUBLISHED_TRACES) assert.deepEqual(frameWarnings(publishedTrace(id)), [], id);
    assert.match(
      frameWarnings(publishedTrace('07'), 512)[0],
      /^do_select: warning: the frame size of 904 bytes is larger than 512 bytes/,
    );
  });
});

describe("KASAN's red zones", () => {
  const local = fc.integer({ min: 1, max: 600 });

  it('let every byte of a local be used, and no byte of a red zone', () => {
    fc.assert(
      fc.property(fc.array(local, { minLength: 1, maxLength: 5 }), (locals) => {
        const { shadow, offsets, bytes } = kasanFrame(locals);
        assert.equal(shadow.length * 8, bytes);
        const usable = new Array<boolean>(bytes).fill(false);
        locals.forEach((size, i) => usable.fill(true, offsets[i], offsets[i] + size));
        usable.forEach((ok, at) => {
          assert.equal(kasanCheck(shadow, at, 1).bad === null, ok, `byte ${at} of ${locals}`);
        });
      }),
      { numRuns: 50 },
    );
  });

  it('checks an access of any size as its single bytes, and names the first bad one', () => {
    fc.assert(
      fc.property(
        fc.array(local, { minLength: 1, maxLength: 4 }),
        fc.nat({ max: 200 }),
        fc.integer({ min: 1, max: 64 }),
        (locals, offset, size) => {
          const { shadow } = kasanFrame(locals);
          let bad: number | null = null;
          for (let at = offset + size - 1; at >= offset; at--)
            if (kasanCheck(shadow, at, 1).bad !== null) bad = at;
          const verdict = kasanCheck(shadow, offset, size);
          assert.equal(verdict.bad, bad);
          assert.ok(verdict.loads <= Math.ceil(size / 8) + 1);
        },
      ),
    );
  });

  it('surround the frame with at least 32 bytes below, and make it larger', () => {
    const { shadow, bytes, plainBytes } = kasanFrame([8]);
    assert.deepEqual([...shadow.subarray(0, 4)], Array(4).fill(KASAN_STACK_LEFT));
    assert.equal(shadow[shadow.length - 1], KASAN_STACK_RIGHT);
    assert.deepEqual({ bytes, plainBytes }, { bytes: 64, plainBytes: 8 });
  });

  it('do not see what jumps over them', () => {
    const { shadow, offsets } = kasanFrame([64, 64]);
    assert.notEqual(kasanCheck(shadow, offsets[0] + 64, 8).bad, null);
    assert.equal(kasanCheck(shadow, offsets[1], 8).bad, null);
  });

  it('know of free pages and of the hole below a stack, not of a neighbour that is in use', () => {
    const vmapped = new Machine(kernelConfig('vmap'));
    const probe = startProbe(vmapped, 0)!;
    assert.equal(kasanShadowOf(vmapped, probe.task.stack), 0);
    assert.equal(kasanShadowOf(vmapped, probe.task.stack - 8n), KASAN_VMALLOC_INVALID);
    const direct = new Machine(kernelConfig('16k'));
    const page = (pfn: number) => direct.directMap.physToVirt(BigInt(pfn) << 12n);
    const pfn = direct.pageAllocator.allocPages(0, { class: 'kernel' })!;
    assert.equal(kasanShadowOf(direct, page(pfn)), 0);
    direct.pageAllocator.freePages(pfn, 0);
    assert.equal(kasanShadowOf(direct, page(pfn)), KASAN_FREE_PAGE);
  });
});

describe('detectors side by side', () => {
  const names = (trials: ReturnType<typeof compareDetectors>) =>
    trials.filter(({ noticed }) => noticed).map(({ detector }) => detector);

  it('notice a dense overrun by the end magic, by what is left at exit, and at once only by the guard page', () => {
    const trials = compareDetectors({
      ...{ era: '16k', kernel: '4.9', past: 512, frames: 'dense', neighbour: 'stack' },
    });
    assert.deepEqual(names(trials), ['guard page', 'SCHED_STACK_END_CHECK', 'DEBUG_STACK_USAGE']);
    const of = (name: string) => trials.find(({ detector }) => detector === name)!;
    assert.equal(of('guard page').phase, 'immediate');
    assert.equal(of('none').noticed, false);
  });

  it('notice nothing of a sparse one but for the guard page', () => {
    assert.deepEqual(
      names(compareDetectors({ era: '16k', kernel: '4.9', jump: 600, neighbour: 'slab' })),
      ['guard page'],
    );
  });

  it('cost two loads at every schedule, or a whole stack at every exit', () => {
    const trials = compareDetectors({ era: '16k', kernel: '4.9', jump: 600, neighbour: 'slab' });
    const cost = (name: string) => trials.find(({ detector }) => detector === name)!.cost!;
    const check = cost('SCHED_STACK_END_CHECK');
    assert.ok(check.checks > 50);
    assert.deepEqual(
      { loads: check.loads, bytes: check.bytes },
      { loads: 2 * check.checks, bytes: 16 * check.checks },
    );
    const usage = cost('DEBUG_STACK_USAGE');
    assert.ok(usage.loads / usage.checks > 1000);
    assert.equal(cost('DEBUG_STACKOVERFLOW').checks, 0);
  });

  it('say why a version can not have one', () => {
    const trials = compareDetectors({ era: '8k', kernel: '3.14', past: 512 });
    const refused = trials.filter((trial) => trial.refused !== null);
    assert.deepEqual(
      refused.map(({ detector }) => detector),
      ['guard page', 'SCHED_STACK_END_CHECK'],
    );
    assert.match(refused[0].refused!, /HAVE_ARCH_VMAP_STACK/);
  });
});
