import assert from 'node:assert/strict';
import { PUBLISHED_TRACES, publishedTrace } from '../../lib/stack/published-traces';
import { traceFromObject } from '../../lib/stack/trace';
import { capFrames, moveToWorkqueue } from '../../lib/stack/trace-edit';

const WHOLE = PUBLISHED_TRACES.map(publishedTrace).filter(({ partial }) => !partial);
const [partial] = PUBLISHED_TRACES.map(publishedTrace).filter((trace) => trace.partial);

describe('a trace with its frames capped', () => {
  it('is a trace whose depths add up, with no frame above the cap but the outermost', () => {
    for (const trace of WHOLE) {
      for (const cap of [16, 64, 200, 512, 2048]) {
        const capped = capFrames(trace, cap);
        traceFromObject(capped);
        capped.entries.forEach(({ size, fn }, i) => {
          const before = trace.entries[i].size;
          const last = i === trace.entries.length - 1;
          assert.equal(size, last ? before : Math.min(before, cap), fn);
        });
      }
    }
  });

  it('is refused for a part of a trace, and for a cap that is no size of a frame', () => {
    assert.throws(() => capFrames(partial, 128), /trace: expected a whole one/);
    for (const cap of [8, 100, NaN]) {
      assert.throws(() => capFrames(WHOLE[0], cap), /cap: expected a multiple of 8 from 16 on/);
    }
  });
});

describe('a chain cut in two by a work queue', () => {
  it('has all its frames on one of the two stacks, each a trace whose depths add up', () => {
    for (const trace of WHOLE) {
      const fns = new Set(trace.entries.map(({ fn }) => fn));
      for (const fn of fns) {
        const { caller, worker } = moveToWorkqueue(trace, fn);
        traceFromObject(caller);
        traceFromObject(worker);
        // Less what it takes to wait (480) and what a worker has on its stack already (672).
        assert.equal(caller.maxDepth - 480 + worker.maxDepth - 672, trace.maxDepth, fn);
        assert.equal(worker.entries.at(-5)!.fn, fn);
      }
    }
  });

  it('is refused for a function that is not in the trace, and for a part of a trace', () => {
    assert.throws(() => moveToWorkqueue(WHOLE[0], 'main'), /fn: expected a function of the trace/);
    assert.throws(() => moveToWorkqueue(partial, 'shrink_zone'), /trace: expected a whole one/);
  });
});
