import assert from 'node:assert/strict';
import { ERAS, kernelConfig } from '../../lib/stack/config';
import { Machine } from '../../lib/stack/machine';
import { startProbe } from '../../lib/stack/probe';
import { PUBLISHED_TRACES, publishedTrace } from '../../lib/stack/published-traces';
import { stackContents, stackListing, traceContents } from '../../lib/stack/stack-contents';
import { partOf, traceParts, type Part } from '../../lib/stack/trace-parts';

describe('the contents of a sleeping thread’s stack', () => {
  for (const era of ERAS) {
    it(`cover every byte of it once, ${era}`, () => {
      const config = kernelConfig(era);
      const m = new Machine(config);
      const { task } = startProbe(m, 0)!;
      const items = stackContents(m, task);
      let top = config.THREAD_SIZE;
      for (const { offset, bytes } of items) {
        // Only struct padding is left out: bytes 100 to 103 of a 104-byte thread_info.
        assert.ok(offset + bytes === top || (top === 104 && offset + bytes === 100), `${top}`);
        top = offset;
      }
      assert.equal(top, 0);
      const frames = items.filter(({ kind }) => kind === 'frame').map(({ name }) => name);
      assert.deepEqual(frames, ['ret_from_fork', 'kthread', 'kfn', 'schedule', '__schedule']);
      const listing = stackListing(m, task);
      assert.match(listing, /return address: schedule\+0x5a\/0xd0/);
      assert.match(listing, /0000000057ac6e9d {2}STACK_END_MAGIC/);
    });
  }

  it('are refused for a task that runs, by name', () => {
    const m = new Machine(kernelConfig('8k'));
    assert.throws(
      () => stackContents(m, m.idleTask),
      /task: expected one that sleeps, got swapper/,
    );
  });
});

describe('the contents of a stack at the deepest point of a trace', () => {
  it('end as deep as the trace says, and leave what the experiment says', () => {
    for (const id of PUBLISHED_TRACES) {
      const trace = publishedTrace(id);
      const config = kernelConfig('16k');
      const items = traceContents(trace, config);
      const lowest = items.filter(({ kind }) => kind === 'frame').at(-1)!;
      assert.equal(config.THREAD_SIZE - lowest.offset, trace.maxDepth, id);
      const unused = items.find(({ kind }) => kind === 'unused')!;
      assert.equal(unused.bytes, config.usable - trace.maxDepth, id);
    }
  });
});

describe('the parts of a trace', () => {
  it('know every function of the published traces and add up to the depth', () => {
    for (const id of PUBLISHED_TRACES) {
      const trace = publishedTrace(id);
      for (const { fn } of trace.entries) assert.ok(partOf(fn), `${id}: ${fn}`);
      const sum = traceParts(trace).reduce((total, { bytes }) => total + bytes, 0);
      assert.equal(sum, trace.maxDepth, id);
    }
  });

  it('divide trace 01 as its frames can be grouped by hand', () => {
    const bytes = new Map(traceParts(publishedTrace('01')).map(({ part, bytes }) => [part, bytes]));
    const of = (part: Part) => bytes.get(part) ?? 0;
    assert.equal(of('entry and VFS') + of('writeback'), 1408);
    assert.equal(of('file system'), 2592 - 1408);
    assert.equal(of('memory management'), 640 + 1488 + 872);
    assert.equal(of('block layer') + of('drivers'), 512 + 1144);
    assert.equal(of('scheduler, interrupts, debugging'), 448);
  });

  it('count a function that no rule knows as not listed', () => {
    const trace = publishedTrace('15');
    const entries = trace.entries.map((entry) => ({ ...entry, fn: 'my_driver_frob' }));
    assert.deepEqual(traceParts({ ...trace, entries }), [{ part: 'not listed', bytes: 2928 }]);
  });
});
