import assert from 'node:assert/strict';
import { kernelConfig } from '../../../lib/stack/config';
import { overrun } from '../../../lib/stack/overrun';
import { publishedTrace } from '../../../lib/stack/published-traces';
import { replay } from '../../../lib/stack/replay';
import type { Claim } from '../claim';
import { commitIn, constant, mail, versionFact } from '../facts';

const order = (version: string) => versionFact(version).order;

function machineAfter(kernel: string): string {
  return overrun({ era: 'vmap', kernel }).machine;
}

export const CLAIMS: readonly Claim[] = [
  {
    says: 'Up to Linux 4.8 it was: *nothing that anyone would notice at that moment*',
    source: 'fact sheet, kernel stacks 5; commit ba14a194a434',
    holds: () => {
      commitIn('ba14a194a434', '4.9');
      assert.equal(kernelConfig('16k', { kernel: '4.8' }).VMAP_STACK, false);
      assert.throws(() => kernelConfig('vmap', { kernel: '4.8' }), RangeError);
    },
  },
  {
    says: '| `8k` | up to 3.14 | 8 KB | direct map |',
    source: 'fact sheet, kernel stacks 1',
    holds: () => {
      assert.equal(order('3.14'), 1);
      assert.equal(order('3.15'), 2);
    },
  },
  {
    says: '| `16k` | 3.15 to 4.8 | 16 KB | direct map |',
    source: 'fact sheet, kernel stacks 1',
    holds: () => {
      assert.deepEqual([order('3.15'), order('4.4')], [2, 2]);
      assert.equal(versionFact('4.4').vmap, false);
    },
  },
  {
    says: '| `vmap` | 4.9 and later | 16 KB | vmalloc area |',
    source: 'fact sheet, kernel stacks 1 and 5',
    holds: () => {
      assert.deepEqual([order('4.9'), order('6.19')], [2, 2]);
      assert.equal(versionFact('4.9').vmap, true);
      commitIn('ba14a194a434', '4.9');
    },
  },
  {
    says: 'In May 2014 Minchan Kim posted this trace with a patch that doubled the stack.',
    source: 'fact sheet, kernel stacks 3',
    holds: () => {
      const { author, date } = mail(
        '1401260039-18189-2-git-send-email-minchan@kernel.org',
      );
      assert.deepEqual([author, date], ['Minchan Kim', '2014-05-28']);
    },
  },
  {
    says: 'The trace is 7696 bytes deep. An 8 KB stack has 8192, but `thread_info` (104 bytes) and an end marker (8 bytes) lie at its bottom.',
    source: 'fact sheet, kernel stacks 1.1 and 3.1',
    holds: () => {
      assert.equal(publishedTrace('01').maxDepth, 7696);
      assert.equal(constant('sizeof(struct thread_info), 2.6.32 to 3.15'), 104);
      assert.equal(kernelConfig('8k').usable, constant('usable bytes, 8 KB stack of 3.14'));
    },
  },
  {
    says: 'John Berthels ran a file server on 2.6.33 in 2010, with a kernel built for 16 KB stacks',
    source: 'fact sheet, kernel stacks 4, trace 05',
    holds: () => {
      const { stackSize, maxDepth } = publishedTrace('05');
      assert.deepEqual([stackSize, maxDepth], [16384, 8528]);
      assert.match(mail('4BBF2F18.10507@humyo.com').what, /2\.6\.33/);
    },
  },
  {
    says: 'while they did, nobody noticed: no fault, no message.',
    source: 'the model',
    holds: () => {
      const { outcome, phase, machine } = replay(publishedTrace('05'), { era: '8k' });
      assert.deepEqual([outcome, phase, machine], ['delayed', 'wake', 'panic']);
    },
  },
  {
    says: 'Two messages, and in neither of them the name of the thread that ran over.',
    source: 'the model',
    holds: () => {
      const { console: lines, victims, stackBase } = replay(publishedTrace('05'), { era: '8k' });
      assert.deepEqual(victims.map((victim) => victim.class), ['stack']);
      const stacks = lines.flatMap((line) => /task\.ti: (\S+)/.exec(line)?.[1] ?? []);
      assert.equal(stacks.length, 2);
      assert.equal(BigInt(`0x${stacks[0]}`), stackBase - 8192n);
      assert.ok(lines.some((line) => line.includes('PID: 1 Comm: sh ')));
      assert.match(lines.at(-1)!, /Attempted to kill init!/);
    },
  },
  {
    says: 'The machine hangs, and its console stays empty.',
    source: 'the model; recorded endings of endless recursions, test/fixtures',
    holds: () => {
      for (const era of ['8k', '16k'] as const) {
        const { machine, detector, console: lines } = overrun({ era });
        assert.deepEqual([machine, detector, lines], ['hang', null, []]);
      }
    },
  },
  {
    says: 'With another `seed` it is another accident: a reset, or a panic',
    source: 'the model',
    holds: () => {
      const ends = (ending: string) =>
        [2, 3, 4, 5, 6, 7, 8, 9, 10].some((seed) => overrun({ era: '16k', seed }).machine === ending);
      assert.ok(ends('reset'));
      assert.ok(ends('panic'));
    },
  },
  {
    says: 'Kernels from 4.9 to 5.7 killed only the task that overran. Since 5.8 the double-fault handler runs like a non-maskable interrupt',
    source: 'fact sheet, kernel stacks 6.2',
    holds: () => {
      assert.deepEqual(
        ['4.9', '5.7', '5.8'].map((version) => versionFact(version).dfNmi),
        [false, false, true],
      );
      assert.deepEqual(['5.7', '5.8'].map(machineAfter), ['alive', 'panic']);
    },
  },
  {
    says: 'merged for 3.15 as commit 6538b8ea886e',
    source: 'fact sheet, kernel stacks 3',
    holds: () => commitIn('6538b8ea886e', '3.15'),
  },
  {
    says: 'commits ba14a194a434 and e37e43a497d5, Linux 4.9',
    source: 'fact sheet, kernel stacks 5',
    holds: () => {
      commitIn('ba14a194a434', '4.9');
      commitIn('e37e43a497d5', '4.9');
    },
  },
];
