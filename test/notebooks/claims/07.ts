import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import published from '../../../lib/data/buddy-order2.json';
import recorded from '../../../lib/data/recorded-order2.json';
import { experiment } from '../../../lib/experiments';
import { kernelConfig } from '../../../lib/stack/config';
import { forkTrial } from '../../../lib/stack/fork-failure';
import { PUBLISHED_TRACES, publishedTrace } from '../../../lib/stack/published-traces';
import { maxThreads } from '../../../lib/stack/stack-accounting';
import { taskStructSize } from '../../../lib/stack/task-struct';
import type { Claim } from '../claim';
import { commitIn, mail, versionFact } from '../facts';

const guest = (id: string) => {
  const run = recorded.runs.find((one) => one.id === id);
  assert.ok(run, id);
  return run;
};

const listed = (id: string) => {
  const found = published.cases.find((one) => one.id === id);
  assert.ok(found, id);
  return found;
};

const SMALL = { kernel: '6.1', stackProtector: false } as const;

const fixture = (file: string) =>
  readFileSync(join(__dirname, '..', '..', 'fixtures', 'console', file), 'utf8');

export const CLAIMS: readonly Claim[] = [
  {
    says: 'Commit 6538b8ea886e, merged for 3.15, changes `THREAD_SIZE_ORDER` from 1 to 2 for x86-64.',
    source: 'fact sheet, kernel stacks 3; versions.json',
    holds: () => {
      commitIn('6538b8ea886e', '3.15');
      assert.deepEqual([versionFact('3.14').order, versionFact('3.15').order], [1, 2]);
      assert.equal(kernelConfig('8k').THREAD_SIZE_ORDER, 1);
      assert.equal(kernelConfig('16k').THREAD_SIZE_ORDER, 2);
    },
  },
  {
    says: '51 calls, 7696 bytes deep, on a stack where 8080 can be used. His machines ran 3.14 with patches of his own',
    source: 'fact sheet, kernel stacks 3; trace 01',
    holds: () => {
      const { entries, maxDepth, kernel } = publishedTrace('01');
      assert.deepEqual([entries.length, maxDepth], [51, 7696]);
      assert.match(String(kernel), /^3\.14/);
      assert.equal(kernelConfig('8k').usable, 8080);
    },
  },
  {
    says: '8 KB had never been enough for the x86-64 I/O stack, and that the worst he had seen on virtio block was about 10.5 KB',
    source: 'mail 20140528091345.GD6677@dastard',
    holds: () => assert.match(mail('20140528091345.GD6677@dastard').what, /never enough.*10\.5 KB/),
  },
  {
    says: 'Three would have overrun an 8 KB stack, and all three fit into 16 KB with thousands of bytes to spare.',
    source: 'the published traces',
    holds: () => {
      const deep = PUBLISHED_TRACES.map(publishedTrace)
        .filter(({ arch }) => arch === 'x86_64')
        .map(({ maxDepth }) => maxDepth)
        .filter((depth) => depth > kernelConfig('8k').usable);
      assert.equal(deep.length, 3);
      assert.ok(Math.max(...deep) < kernelConfig('16k').usable - 4000);
    },
  },
  {
    says: '78 MB become 156 MB',
    source: 'the model; fact sheet, kernel stacks 11',
    holds: () => {
      const { rows } = experiment('stack-memory').run({ threads: 10000 }, 1).table;
      const total = (layout: string) =>
        rows.find((row) => row.layout === layout && row.threads === 10000)?.totalMb;
      assert.deepEqual(
        [total('8 KB, direct map'), total('16 KB, direct map')].map((mb) => Math.floor(Number(mb))),
        [78, 156],
      );
    },
  },
  {
    says: 'Linux lets the stacks of all threads take an eighth of memory',
    source: 'fact sheet, kernel stacks 3.2',
    holds: () => {
      const ram = 32 * 2 ** 30;
      assert.equal(maxThreads(kernelConfig('8k'), ram), 524_288);
      assert.equal(maxThreads(kernelConfig('16k'), ram), 262_144);
    },
  },
  {
    says: 'a machine with 4.5-rc2-next and 18 MB free: 4513 single pages, 15 pairs, nothing else',
    source: 'lib/data/buddy-order2.json, handa-2016-smbd',
    holds: () => {
      const { kernel, zones } = listed('handa-2016-smbd');
      assert.match(kernel, /^4\.5\.0-rc2-next/);
      const dma32 = zones.find(({ zone }) => zone === 'DMA32');
      assert.deepEqual(dma32?.counts, [4513, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
      assert.equal(dma32.totalKB, 18172);
    },
  },
  {
    says: 'one machine with 8 GB and 4.7, about 7 GB of it page cache that could have been dropped',
    source: 'lib/data/buddy-order2.json, trippelsdorf-2016-kthreadd',
    holds: () => {
      const found = listed('trippelsdorf-2016-kthreadd') as { kernel: string; pageCacheMB?: number };
      assert.match(found.kernel, /^4\.7\.0.*8 GB/);
      assert.equal(found.pageCacheMB, 6990);
    },
  },
  {
    says: '(`PAGE_ALLOC_COSTLY_ORDER` is 3)',
    source: 'fact sheet, kernel stacks 10',
    holds: () => {
      // Order 2 is not costly: a refused one kills a process instead of failing.
      const { oomKills, end } = forkTrial({ ...SMALL, era: '16k', fragmentation: 'user' });
      assert.deepEqual([oomKills > 0, end], [true, 'created']);
    },
  },
  {
    says: 'the one that a real 6.1.192 printed when this was done to it: `kthreadd invoked oom-killer: gfp_mask=0x400dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO), order=2, oom_score_adj=0`',
    source: 'fact sheet, real overruns; fixtures/console/order2_A16_userfrag_park400.txt',
    holds: () => {
      const line =
        'kthreadd invoked oom-killer: gfp_mask=0x400dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO), order=2, oom_score_adj=0';
      assert.ok(fixture('order2_A16_userfrag_park400.txt').includes(line));
      assert.equal(forkTrial({ ...SMALL, era: '16k', fragmentation: 'user' }).console[0], line);
    },
  },
  {
    says: 'with nobody left to kill the kernel panicked, with 20,332 kB free',
    source: 'fixtures/console/order2_A16_userfrag_park400.txt',
    holds: () =>
      assert.match(
        fixture('order2_A16_userfrag_park400.txt'),
        /Killed process \d+ \(hog\)[\s\S]*= 20332kB[\s\S]*System is deadlocked on memory/,
      ),
  },
  {
    says: 'The recorded guest with such pages ended in the same way, with 19,448 kB free.',
    source: 'fixtures/console/order2_A16_kfrag_park400.txt; recorded-order2.json',
    holds: () => {
      assert.equal(guest('A16_kfrag_park400').panic, true);
      assert.match(fixture('order2_A16_kfrag_park400.txt'), /= 19448kB/);
      const text = forkTrial({ ...SMALL, era: '16k', fragmentation: 'unmovable' }).console.join('\n');
      assert.match(text, /Kernel panic - not syncing: System is deadlocked on memory/);
    },
  },
  {
    says: 'with user pages between, 400 of 400 in one case and one OOM kill in the other; with kernel pages between, OOM kills or a panic',
    source: 'recorded-order2.json, A16c',
    holds: () => {
      const of = (id: string) => guest(`A16c_${id}`);
      assert.deepEqual([of('userfrag_park400').made, of('userfrag_park400').oomKills], [400, 0]);
      assert.equal(of('userfrag_forkn').oomKills, 1);
      assert.equal(of('kfrag_forkn').oomKills, 2);
      assert.equal(of('kfrag_park400').panic, true);
      for (const [fragmentation, created] of [['user', 400], ['unmovable', undefined]] as const) {
        const report = forkTrial({ ...SMALL, era: '16k', fragmentation, compaction: true });
        if (created) assert.deepEqual([report.created, report.oomKills], [created, 0]);
        else assert.equal(report.end, 'panic');
      }
    },
  },
  {
    says: 'In the four recorded cases too, every thread was created and nobody was killed.',
    source: 'recorded-order2.json, C16v',
    holds: () => {
      const runs = recorded.runs.filter(({ VMAP_STACK }) => VMAP_STACK);
      assert.equal(runs.length, 4);
      for (const { asked, made, oomKills } of runs) assert.deepEqual([made, oomKills], [asked, 0]);
      for (const fragmentation of ['none', 'user', 'unmovable'] as const) {
        const { created, oomKills } = forkTrial({ ...SMALL, era: 'vmap', fragmentation });
        assert.deepEqual([created, oomKills], [400, 0]);
      }
    },
  },
  {
    says: 'a `task_struct` has 9792 bytes',
    source: 'fact sheet, real overruns (constants)',
    holds: () => assert.equal(taskStructSize(kernelConfig('vmap')), 9792),
  },
  {
    says: '`forkTrial({ era: "vmap", kernel: "6.1", fragmentation: "unmovable" })`',
    source: 'the model',
    holds: () => {
      const { end } = forkTrial({ era: 'vmap', kernel: '6.1', fragmentation: 'unmovable' });
      assert.equal(end, 'panic');
    },
  },
  {
    says: 'linux-mm, 28 May 2014; commit 6538b8ea886e',
    source: 'mail 1401260039-18189-2-git-send-email-minchan@kernel.org',
    holds: () => {
      const { date } = mail('1401260039-18189-2-git-send-email-minchan@kernel.org');
      assert.equal(date, '2014-05-28');
    },
  },
  {
    says: 'a larger `THREAD_SIZE` raises the order',
    source: 'mail 20100615145134.GM26788@csn.ul.ie',
    holds: () => assert.match(mail('20100615145134.GM26788@csn.ul.ie').what, /higher order/),
  },
];
