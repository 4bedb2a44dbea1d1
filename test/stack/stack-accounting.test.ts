import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Random } from '../../lib/random';
import { kernelConfig } from '../../lib/stack/config';
import { Machine } from '../../lib/stack/machine';
import { startProbe, stopProbe } from '../../lib/stack/probe';
import { wakeUpProcess } from '../../lib/stack/scheduler';
import {
  kernelStackKb,
  kernelStackLine,
  maxThreads,
  stackCharges,
  StackMemcg,
} from '../../lib/stack/stack-accounting';
import { createTask, type Task } from '../../lib/stack/task';

const GIB = 2 ** 30;

describe('KernelStack', () => {
  it('grows by the size of a stack with every task, and leaves out cached stacks', () => {
    for (const [era, size] of [
      ['8k', 8],
      ['16k', 16],
      ['vmap', 16],
    ] as const) {
      const m = new Machine(kernelConfig(era));
      const before = kernelStackKb(m);
      assert.equal(before, size);
      const probes = Array.from({ length: 5 }, (_, i) => startProbe(m, i)!);
      assert.equal(kernelStackKb(m) - before, 5 * size, era);
      for (const probe of probes) stopProbe(m, probe);
      m.run();
      assert.equal(kernelStackKb(m), before, era);
      assert.equal(m.cachedStacks.length, era === 'vmap' ? 2 : 0);
    }
  });

  it('grows by 8000 kB for 500 threads, as recorded, in the same line of /proc/meminfo', () => {
    const file = join(__dirname, '..', 'fixtures', 'memstate_nokaslr.json.gz');
    const recorded = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Record<
      string,
      { meminfo: string }
    >;
    const line = (phase: string) =>
      recorded[phase].meminfo.split('\n').find((text) => text.startsWith('KernelStack:'))!;
    const kb = (text: string) => Number(/(\d+) kB/.exec(text)![1]);
    const grown = kb(line('parked500')) - kb(line('before'));
    const m = new Machine(kernelConfig('vmap'), { ramMiB: 128 });
    const before = kernelStackKb(m);
    for (let i = 0; i < 500; i++) startProbe(m, i);
    assert.equal(kernelStackKb(m) - before, grown);
    const shape = (text: string) => text.replace(/ *\d+ kB/, (match) => '#'.repeat(match.length));
    assert.equal(shape(kernelStackLine(m)), shape(line('parked500')));
  });
});

describe('kernel.threads-max', () => {
  it('halves when the stack doubles', () => {
    // 32 GB: 524288 at 8 KB, 262144 at 16 KB.
    assert.equal(maxThreads(kernelConfig('8k'), 32 * GIB), 524288);
    assert.equal(maxThreads(kernelConfig('16k'), 32 * GIB), 262144);
    assert.equal(maxThreads(kernelConfig('vmap'), 32 * GIB), 262144);
    assert.equal(maxThreads(kernelConfig('vmap', { kasan: true }), 32 * GIB), 131072);
  });

  it('has a lower end, and an upper one since threads are numbered in futexes', () => {
    assert.equal(maxThreads(kernelConfig('8k'), 4096), 20);
    assert.equal(maxThreads(kernelConfig('vmap'), 2 ** 50), 0x3fffffff);
    assert.throws(() => maxThreads(kernelConfig('vmap'), -1), /ramBytes: expected/);
  });
});

describe('who pays for a cached stack', () => {
  const afterReuse = (kernel: string) => {
    const memcg = new StackMemcg(kernelConfig('vmap', { kernel }));
    memcg.exit(memcg.fork('/dead'));
    const cached = Object.fromEntries(memcg.charges());
    memcg.fork('/live');
    return { cached, reused: Object.fromEntries(memcg.charges()) };
  };

  it('is the cgroup that had it first, until the charge went with the task', () => {
    assert.deepEqual(afterReuse('4.9'), { cached: { '/dead': 16 }, reused: { '/dead': 16 } });
    assert.deepEqual(afterReuse('4.17'), { cached: { '/dead': 16 }, reused: { '/dead': 16 } });
    for (const kernel of ['4.20', '5.8'])
      assert.deepEqual(afterReuse(kernel), { cached: {}, reused: { '/live': 16 } }, kernel);
  });

  it('is on a machine whoever the model says, whatever is forked and exits', () => {
    for (const [era, kernel] of [
      ['vmap', '4.9'],
      ['vmap', '4.20'],
      ['16k', '4.4'],
      ['8k', '3.14'],
      ['8k', '2.6.32'],
    ] as const) {
      const config = kernelConfig(era, { kernel });
      const m = new Machine(config);
      m.snapshot();
      const step = fc.record({ cgroup: fc.constantFrom('/a', '/b'), exits: fc.boolean() });
      fc.assert(
        fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
          m.restore(new Random(1));
          // What the machine's own cache holds at first belongs to nobody.
          m.cachedStacks.length = 0;
          const model = new StackMemcg(config);
          const live: { task: Task; number: number }[] = [];
          for (const { cgroup, exits } of steps) {
            const first = exits ? live.shift() : undefined;
            if (first) {
              wakeUpProcess(m, first.task);
              m.run();
              model.exit(first.number);
            } else {
              const entry = m.text.named('do_exit').address;
              const task = createTask(m, {
                kind: 'kthread',
                comm: 't',
                entry,
                argument: 0n,
                cgroup,
              });
              assert.ok(task);
              live.push({ task, number: model.fork(cgroup) });
            }
            assert.deepEqual(
              stackCharges(m),
              model.charges(),
              `${kernel} ${JSON.stringify(steps)}`,
            );
          }
        }),
        { seed: 1, numRuns: 15 },
      );
    }
  });

  it('is nobody before there was an account', () => {
    const memcg = new StackMemcg(kernelConfig('8k', { kernel: '3.6' }));
    memcg.fork('/a');
    assert.deepEqual([...memcg.charges()], []);
    assert.throws(() => memcg.exit(7), /task: expected one that was forked and lives, got 7/);
  });
});
