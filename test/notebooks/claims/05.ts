import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { experiment } from '../../../lib/experiments';
import { kernelConfig, PT_REGS_SIZE } from '../../../lib/stack/config';
import { frameWarnings, FRAME_WARN, checkstack } from '../../../lib/stack/detectors/checkstack';
import { kconfig } from '../../../lib/stack/kconfig';
import { Machine } from '../../../lib/stack/machine';
import { overrun } from '../../../lib/stack/overrun';
import { PUBLISHED_TRACES, publishedTrace } from '../../../lib/stack/published-traces';
import { replay } from '../../../lib/stack/replay';
import type { Claim } from '../claim';
import { commit, constant, report, versionFact } from '../facts';

const ON = { era: '16k', kernel: '4.9', neighbour: 'stack', seed: 2 } as const;

/** Runs, immediate, delayed and silent, of the kernels with the end check, summed over such modes. */
function recordedRuns(mode: RegExp): number[] {
  const sums = [0, 0, 0, 0];
  for (const line of SUMMARY.split('\n')) {
    const [, kernel, name, ...counts] = line.split('|').map((cell) => cell.trim());
    if (!['A16', 'B8'].includes(kernel) || !mode.test(name)) continue;
    sums.forEach((sum, i) => (sums[i] = sum + Number(counts[i])));
  }
  return sums;
}

const SUMMARY = readFileSync(join(__dirname, '..', '..', 'fixtures', 'overruns_summary.md'), 'utf8');

const KB8 = kernelConfig('8k');

const hasEndCheck = (version: string) => versionFact(version).endCheck;

export const CLAIMS: readonly Claim[] = [
  {
    says: 'Of the 47 recorded endings that came late, 24 came under that load and 23 when the sleepers were woken',
    source: 'recording overruns.ndjson',
    holds: () => {
      const file = join(__dirname, '..', '..', 'fixtures', 'overruns.ndjson');
      const lines = readFileSync(file, 'utf8').trim().split('\n');
      const outcomes = lines.map((line) => (JSON.parse(line) as { outcome: string }).outcome);
      const late = outcomes.filter((outcome) => outcome.startsWith('delayed:'));
      const woken = late.filter((outcome) => outcome === 'delayed:wake_parked');
      assert.deepEqual([late.length, late.length - woken.length, woken.length], [47, 24, 23]);
    },
  },
  {
    says: 'The runs below are of Linux 4.9 with 16 KB stacks in the direct map: it has all of these checks.',
    source: 'fact sheet, kernel stacks 1, 2 and 9.2',
    holds: () => {
      const options = { kernel: '4.9', stackEndCheck: true, stackOverflowCheck: true, stackUsage: true };
      assert.equal(kernelConfig('16k', { ...options, stackProtector: true }).version, '4.9');
      assert.equal(kernelConfig('vmap', options).VMAP_STACK, true);
      assert.equal(kernelConfig('16k', { kernel: '4.9', kasan: true }).KASAN, true);
    },
  },
  {
    says: 'The kernel writes `STACK_END_MAGIC`, 0x57AC6E9D',
    source: 'fact sheet, kernel stacks 1.2',
    holds: () => assert.match(String(constant('STACK_END_MAGIC')), /^0x57ac6e9d$/i),
  },
  {
    says: '`SCHED_STACK_END_CHECK` (not in 3.14, present in 4.4)',
    source: 'fact sheet, kernel stacks 1.2',
    holds: () => assert.deepEqual([hasEndCheck('3.14'), hasEndCheck('4.4')], [false, true]),
  },
  {
    says: 'made on 6.1.192, all 13 dense overruns were caught by the end check; of 61 sparse ones or single jumps it caught none at once, 14 were noticed later by something else, 47 never',
    source: 'recording overruns.ndjson, as overruns_summary.md sums it up',
    holds: () => {
      assert.deepEqual(recordedRuns(/^polite\d+dense$/), [13, 13, 0, 0]);
      assert.deepEqual(recordedRuns(/^(jump\d+|polite\d+sparse)$/), [61, 0, 14, 47]);
    },
  },
  {
    says: 'since commit 29d6455178a0 of June 2016 it panics',
    source: 'fact sheet, kernel stacks 1.2',
    holds: () => {
      assert.match(commit('29d6455178a0').title, /stack end/);
      const { console, machine } = overrun({ ...ON, stackEndCheck: true, past: 512, frames: 'dense' });
      assert.equal(machine, 'panic');
      assert.match(console[0], /corrupted stack end detected inside scheduler/);
    },
  },
  {
    says: '`kworker/u24:2 (26991) used greatest stack depth: 408 bytes left`',
    source: 'mail 20140530010619.GP10092@bbox',
    holds: () => assert.match(report('408 bytes left').what, /u24:2 \(26991\) .* 408 bytes left/),
  },
  {
    says: 'The second line claims that 272 bytes are left of a stack that was overrun by 512',
    source: 'the model',
    holds: () => {
      const run = overrun({ ...ON, stackUsage: true, past: 512, frame: 512, frames: 'sparse' });
      assert.match(run.console.at(-1)!, /272 bytes left/);
      assert.ok(run.victims.length > 0);
    },
  },
  {
    says: '8192, the whole stack and not a byte more',
    source: 'the model; fact sheet, kernel stacks 4: object_is_on_stack',
    holds: () => {
      const { stackTrace, maxDepth } = replay(publishedTrace('05'), { era: '8k', stackTracer: true });
      assert.equal(maxDepth, 8528);
      assert.match(stackTrace!, /\n {2}0\) {5}8192 /);
    },
  },
  {
    says: '`FRAME_WARN` lets the compiler warn of frames above 2048 bytes',
    source: 'fact sheet, kernel stacks 9',
    holds: () => assert.deepEqual([FRAME_WARN, constant('FRAME_WARN, 64 bit')], [2048, 2048]),
  },
  {
    says: 'None. The largest single frame of them all has 904 bytes (`do_select()` in trace 07)',
    source: 'the published traces',
    holds: () => {
      const largest = PUBLISHED_TRACES.map((id) => ({ id, ...checkstack(publishedTrace(id))[0] }));
      const { id, fn, bytes } = largest.reduce((a, b) => (b.bytes > a.bytes ? b : a));
      assert.deepEqual([id, fn, bytes], ['07', 'do_select', 904]);
      for (const one of PUBLISHED_TRACES) assert.deepEqual(frameWarnings(publishedTrace(one)), []);
    },
  },
  {
    says: 'in 3.14 that is 104 + 168 + 128 = 400 bytes',
    source: 'fact sheet, kernel stacks 2',
    holds: () => {
      assert.equal(KB8.version, '3.14');
      assert.equal(KB8.threadInfo.size + PT_REGS_SIZE + 128, 400);
      const warns = (irq: number) =>
        overrun({ era: '8k', stackOverflowCheck: true, irq, neighbour: 'stack' }).console.some((line) =>
          line.startsWith('do_IRQ()'),
        );
      assert.deepEqual([warns(400), warns(392)], [false, true]);
    },
  },
  {
    says: 'From 5.2 on, in which IRQ stacks have guard pages, it is offered for 32-bit kernels only.',
    source: 'fact sheet, kernel stacks 2',
    holds: () => {
      assert.equal(versionFact('5.2').irqGuard, true);
      assert.equal(kernelConfig('16k', { kernel: '5.0', stackOverflowCheck: true }).DEBUG_STACKOVERFLOW, true);
      assert.throws(() => kernelConfig('16k', { kernel: '5.2', stackOverflowCheck: true }), RangeError);
    },
  },
  {
    says: 'until `KASAN_VMALLOC` came (not in 5.3, present in 5.8)',
    source: 'fact sheet, kernel stacks 9',
    holds: () => {
      const both = (version: string) => () =>
        kconfig({ arch: 'x86_64', version, options: { VMAP_STACK: true, KASAN: true, KASAN_VMALLOC: true } });
      assert.throws(both('5.3'), RangeError);
      assert.doesNotThrow(both('5.8'));
    },
  },
  {
    says: 'nothing but the guard page says a word. Read the rows: no check of the direct map sees more than two of the five',
    source: 'the model',
    holds: () => {
      const { rows } = experiment('detector-matrix').run({ trials: 1 }, 1).table;
      const seen = rows.filter((row) => row.noticed === 1);
      for (const kind of ['recursion, few bytes', 'one wide frame', 'one store, RSP inside']) {
        const by = seen.filter((row) => row.kind === kind).map(({ detector }) => detector);
        assert.deepEqual(by, ['guard page'], kind);
      }
      for (const detector of new Set(rows.map((row) => row.detector))) {
        const kinds = seen.filter((row) => row.detector === detector).length;
        assert.ok(detector === 'guard page' ? kinds === 5 : kinds <= 2, `${detector} ${kinds}`);
      }
    },
  },
  {
    says: 'One entry became 512, of which one is empty: 511, so 510 more',
    source: 'the model',
    holds: () => {
      const { directMap } = new Machine(kernelConfig('16k', { kernel: '4.9' }));
      const guard = directMap.physToVirt(0x1e00000n);
      const { tlbEntries, splits2M } = directMap.setMemory(guard, 1, { present: false });
      assert.deepEqual([splits2M, tlbEntries.after - tlbEntries.before], [1, 510]);
    },
  },
  {
    says: 'With 10,000 threads a guard in the direct map costs 16 KB a thread for 16 KB stacks',
    source: 'the model',
    holds: () => {
      const { rows } = experiment('stack-memory').run({ threads: 100 }, 1).table;
      const per = (layout: string) =>
        Number(rows.filter((row) => row.layout === layout && row.threads === 100)[0].perThreadKb);
      assert.equal(Math.round(per('16 KB + guard in the direct map') - per('16 KB, direct map')), 16);
    },
  },
  {
    says: '`kernel_map_pages()` and the three functions below it, 448 bytes',
    source: 'trace 01',
    holds: () => {
      const inner = publishedTrace('01').entries.slice(0, 4);
      assert.equal(inner[3].fn, 'kernel_map_pages');
      assert.equal(inner.reduce((sum, { size }) => sum + size, 0), 448);
    },
  },
  {
    says: 'In 4.9 the tracer also looks at the end magic when it keeps a record',
    source: 'fact sheet, kernel stacks 1.2: trace_stack.c of 4.9',
    holds: () => {
      const run = replay(publishedTrace('05'), { era: '8k', kernel: '4.9', stackTracer: true });
      assert.equal(run.ownDamage.endMagic, true);
      assert.equal(run.console.some((line) => line.includes('kernel BUG')), false);
      assert.notEqual(run.outcome, 'immediate');
    },
  },
  {
    says: 'here each call is one, so that 51 comparisons and 51 searches read more than 200 kB of stack',
    source: 'the model',
    holds: () => {
      const { tracerCost } = replay(publishedTrace('01'), { era: '8k', stackTracer: true });
      assert.equal(tracerCost!.checks, 2 * 51);
      assert.ok(tracerCost!.bytes > 200_000);
    },
  },
  {
    says: 'At 340 bytes the landing frame happened to hit the neighbour\'s canary in `__schedule()`. (This kernel\'s message gives only the address of that code; since 4.17 it names the function.)',
    source: 'the model; kernel/panic.c of 4.15 and 4.18',
    holds: () => {
      const run = overrun({ ...ON, stackProtector: true, jump: 340 });
      assert.deepEqual([run.detector, run.phase, run.machine], ['stack-protector', 'wake', 'panic']);
      assert.match(run.console[0], /Kernel stack is corrupted in: ffffffff81[0-9a-f]{6}$/);
      const later = overrun({ ...ON, kernel: '4.17', stackProtector: true, jump: 340 });
      assert.match(later.console[0], /Kernel stack is corrupted in: __schedule/);
      assert.equal(overrun({ ...ON, stackProtector: true, jump: 600 }).outcome, 'silent');
    },
  },
  {
    says: '(`stack_overflow_check()`), all in 4.9',
    source: 'fact sheet, kernel stacks 2: trees read',
    holds: () => assert.equal(versionFact('4.9').version, '4.9'),
  },
  {
    says: 'Commit 29d6455178a0: a panic where the end of a stack is corrupted',
    source: 'commits.json',
    holds: () => assert.match(commit('29d6455178a0').title, /panic on corrupted stack end/),
  },
  {
    says: 'arch/x86/mm/pageattr.c in 4.9 (`__split_large_page()`)',
    source: 'fact sheet, kernel stacks 10',
    holds: () => assert.equal(versionFact('4.9').order, 2),
  },
];
