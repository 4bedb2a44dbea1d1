import assert from 'node:assert/strict';
import fc from 'fast-check';
import { chainOf } from '../../lib/stack/call-chain';
import { PUBLISHED_TRACES, publishedTrace, widenFrame } from '../../lib/stack/published-traces';
import { parseTrace } from '../../lib/stack/parse-trace';
import { isDeeper, TraceError, whatIsMissing, type StackTrace } from '../../lib/stack/trace';

/** Documentation/trace/ftrace.rst, its example of stack_trace. */
const FTRACE = `        Depth    Size   Location    (18 entries)
        -----    ----   --------
  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac
  1)     2704     160   find_busiest_group+0x31/0x1f1
  2)     2544     256   load_balance+0xd9/0x662
  3)     2288      80   idle_balance+0xbb/0x130
  4)     2208     128   __schedule+0x26e/0x5b9
  5)     2080      16   schedule+0x64/0x66
  6)     2064     128   schedule_timeout+0x34/0xe0
  7)     1936     112   wait_for_common+0x97/0xf1
  8)     1824      16   wait_for_completion+0x1d/0x1f
  9)     1808     128   flush_work+0xfe/0x119
 10)     1680      16   tty_flush_to_ldisc+0x1e/0x20
 11)     1664      48   input_available_p+0x1d/0x5c
 12)     1616      48   n_tty_poll+0x6d/0x134
 13)     1568      64   tty_poll+0x64/0x7f
 14)     1504     880   do_select+0x31e/0x511
 15)      624     400   core_sys_select+0x177/0x216
 16)      224      96   sys_select+0x91/0xb9
 17)      128     128   system_call_fastpath+0x16/0x1b
`;

describe('parseTrace', () => {
  it('reads the text of ftrace and the published JSON of the same trace alike', () => {
    const text = parseTrace(FTRACE);
    const json = publishedTrace('15');
    assert.deepEqual(
      text.entries.map(({ i, fn, depth, size, off }) => ({ i, fn, depth, size, off })),
      json.entries.map(({ i, fn, depth, size, off }) => ({ i, fn, depth, size, off })),
    );
    assert.equal(text.maxDepth, json.maxDepth);
  });

  it('reads all fifteen published traces', () => {
    assert.equal(PUBLISHED_TRACES.length, 15);
    for (const id of PUBLISHED_TRACES) assert.ok(publishedTrace(id).entries.length > 0, id);
  });

  it('refuses frames that do not add up and names the entry', () => {
    const broken = JSON.stringify({
      ...publishedTrace('01'),
      entries: publishedTrace('01').entries.slice(0, 5),
    });
    assert.throws(() => parseTrace(broken), /entry 4 \(get_page_from_freelist\).*should be 0/);
  });

  it('reads the text as mail and logs quote it', () => {
    const plain = parseTrace(FTRACE);
    const each = (front: (index: number) => string) =>
      FTRACE.split('\n')
        .map((line, index) => front(index) + line)
        .join('\n');
    for (const text of [
      each((index) => `[   12.34567${index % 10}] `),
      each(() => '[  312.345678][  T812] '),
      each(() => '> '),
      each(() => '> > '),
      each(() => '>> [    1.000000] '),
      each(() => '<0>[    1.000000] '),
      each(() => 'Nov 22 10:00:00 host kernel: [    1.000000] '),
      each(() => '[Sun Nov 22 19:58:40 2026] '),
      each(() => '2026-11-22T19:58:40.123456+00:00 host kernel: '),
      FTRACE.replaceAll('\n', '\r'),
      FTRACE.replaceAll('\n', '\r\n'),
      `\ufeff${FTRACE}`,
    ]) {
      assert.deepEqual(parseTrace(text), plain, text.split('\n')[2]);
    }
    const twice = parseTrace(FTRACE + FTRACE);
    assert.deepEqual({ ...twice, laterTraces: 0 }, plain);
    assert.equal(twice.laterTraces, 1);
    assert.equal(parseTrace(`\ufeff${JSON.stringify(plain)}`).maxDepth, plain.maxDepth);
    const module = parseTrace(FTRACE.replace('0xbc/0x4ac', '0xbc/0x4ac [dm-mod]'));
    assert.equal(module.entries[0].module, 'dm-mod');
  });

  it('reads a text whose lines are missing at either end or once in between, and says which', () => {
    const lines = FTRACE.split('\n');
    const without = (from: number, to: number) =>
      parseTrace([...lines.slice(0, from + 2), ...lines.slice(to + 2)].join('\n'));
    const inner = without(0, 3);
    assert.deepEqual([inner.maxDepth, isDeeper(inner)], [2288, true]);
    assert.deepEqual(whatIsMissing(inner), [
      'The first 3 lines are missing: the chain went deeper than 2288 bytes.',
    ]);
    const between = without(3, 7);
    assert.deepEqual([between.maxDepth, isDeeper(between)], [2928, false]);
    assert.deepEqual(whatIsMissing(between), ['Lines are missing after number 2.']);
    assert.deepEqual(whatIsMissing(without(17, 18)), [
      'The last line is missing: the outermost calls.',
    ]);
    const twoGaps = lines.filter((_, at) => at !== 5 && at !== 9).join('\n');
    assert.throws(() => parseTrace(twoGaps), /^TraceError: .* after the numbers 2, 6$/);
  });

  it('takes the smallest stack that holds the trace', () => {
    for (const [depth, size] of [
      [8192, 8192],
      [8200, 16384],
      [20000, 32768],
      [65536, 65536],
    ]) {
      assert.equal(parseTrace(`  0) ${depth} ${depth} f+0x1/0x2`).stackSize, size);
    }
  });

  it('refuses a part of a trace that is deeper than all of it, and more entries than a stack can hold', () => {
    const json = (depth: number, n = 1) =>
      JSON.stringify({
        ...{ stackSize: 16384, maxDepth: 100, partial: true },
        entries: Array.from({ length: n }, () => ({ fn: 'f', depth, size: 8 })),
      });
    assert.throws(() => parseTrace(json(104)), {
      name: 'TraceError',
      message: 'maxDepth: expected at least the depth of entry 0, 104, got 100',
    });
    assert.throws(() => parseTrace(json(100, 8193)), /^TraceError: entries: expected at most 8192/);
  });

  it('names the line of a text that it can not read', () => {
    const first = '  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac';
    for (const size of ['-224', 'NaN', '0xe0', '22.4']) {
      const line = first.replace('224', size);
      assert.throws(() => parseTrace(FTRACE.replace(first, line)), {
        name: 'TraceError',
        message: `line 3: expected depth and size in bytes and a function, like "${first}", got ${JSON.stringify(line.trim())}`,
      });
    }
  });

  it('says that the stack tracer was off, or has seen nothing yet', () => {
    const off =
      "#\n#  Stack tracer disabled\n#\n# To enable the stack tracer, either add 'stacktrace' to the\n# kernel command line\n" +
      "# or 'echo 1 > /proc/sys/kernel/stack_tracer_enabled'\n#\n";
    const header =
      '        Depth    Size   Location    (0 entries)\n        -----    ----   --------\n';
    assert.throws(() => parseTrace(header + off), /^TraceError: the stack tracer was off/);
    assert.throws(() => parseTrace(off), /^TraceError: the stack tracer was off/);
    assert.throws(() => parseTrace(header.replace('0', '-1')), /expected lines like/);
    assert.throws(() => parseTrace(header), /^TraceError: expected lines like .*, got none$/);
  });

  it('refuses a frame larger than the address space, once', () => {
    const size = 10 ** 15;
    const json = { stackSize: 16384, maxDepth: size, entries: [{ fn: 'f', depth: size, size }] };
    const says =
      /^TraceError: entry 0 \(f\): depth: expected at most 140737488355328 bytes .*half of the address space\), got 1000000000000000$/;
    assert.throws(() => parseTrace(JSON.stringify(json)), says);
    assert.throws(
      () => parseTrace(`  0)  ${size}  ${size}   f+0x1/0x2`),
      /^TraceError: expected a depth of at most 65536 bytes, got 1000000000000000/,
    );
  });

  it('says what a number is that it can not read', () => {
    const json = (extra: object) =>
      JSON.stringify({
        ...{ stackSize: 16384, maxDepth: 64, entries: [{ fn: 'f', depth: 64, size: 64 }] },
        ...extra,
      });
    for (const value of [null, 1, -1, '0']) {
      assert.throws(
        () => parseTrace(json({ partial: true, gapAfter: value })),
        /^TraceError: gapAfter: expected the index of the entry after which lines are missing, 0 to 0, or no such key, got/,
      );
    }
    assert.throws(
      () => parseTrace(json({ totalEntries: -1 })),
      /totalEntries: .* number of entries/,
    );
    assert.throws(() => parseTrace(json({ stackSize: null })), /stackSize: .* number of bytes/);
    assert.equal(parseTrace(json({ partial: true, gapAfter: 0 })).gapAfter, 0);
  });

  it('says what it expected for anything else', () => {
    for (const text of [
      '',
      'hello',
      '{',
      '{"entries":[]}',
      '{"entries":[{"fn":"f","depth":-8,"size":8}]}',
    ]) {
      assert.throws(
        () => parseTrace(text),
        (error) => error instanceof TraceError && /expected/.test(error.message),
      );
    }
  });

  it('never fails but with a TraceError', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((v) => JSON.stringify(v)),
        ),
        (text) => {
          try {
            parseTrace(text);
          } catch (error) {
            assert.ok(error instanceof TraceError, String(error));
          }
        },
      ),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe('chainOf', () => {
  it('puts every listed frame at its real depth, also in partial traces', () => {
    for (const id of PUBLISHED_TRACES) {
      const trace = publishedTrace(id);
      let depth = 0;
      const depths = chainOf(trace).map(({ fn, size }) => ({ fn, depth: (depth += size) }));
      const listed = depths.filter(({ fn }) => fn !== 'not_listed').reverse();
      assert.deepEqual(
        listed,
        trace.entries.map(({ fn, depth }) => ({ fn, depth })),
        id,
      );
    }
  });
});

describe('widenFrame', () => {
  it('makes a trace deeper by the bytes of one frame and keeps it consistent', () => {
    const trace = publishedTrace('01');
    const wider: StackTrace = widenFrame(trace, 'ext4_writepages', 400);
    assert.equal(wider.maxDepth, trace.maxDepth + 400);
    assert.deepEqual(
      parseTrace(JSON.stringify(wider)).entries,
      wider.entries.map((entry) => ({ module: undefined, ...entry })),
    );
  });

  it('refuses a frame that is not there and sizes no frame can have', () => {
    const trace = publishedTrace('01');
    assert.throws(() => widenFrame(trace, 'no_such_function', 8), /no_such_function/);
    assert.throws(() => widenFrame(trace, 'kthread', 4), /multiple of 8/);
    assert.throws(() => widenFrame(trace, 'kthread', -240), /at least 8/);
  });
});
