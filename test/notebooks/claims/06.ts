import assert from 'node:assert/strict';
import { experiment } from '../../../lib/experiments';
import { FRAME_WARN } from '../../../lib/stack/detectors/checkstack';
import { overrun } from '../../../lib/stack/overrun';
import { publishedTrace, widenFrame } from '../../../lib/stack/published-traces';
import { capFrames, moveToWorkqueue } from '../../../lib/stack/trace-edit';
import type { Claim } from '../claim';
import { commitIn, constant, mail, report, versionFact } from '../facts';

const sizeOf = (id: string, fn: string) =>
  publishedTrace(id).entries.find((entry) => entry.fn === fn)!.size;

/** Bytes from a call to the deepest point, its own frame included. */
function takenBy(id: string, fn: string): number {
  const { entries, maxDepth } = publishedTrace(id);
  const { depth, size } = [...entries].reverse().find((entry) => entry.fn === fn)!;
  return maxDepth - depth + size;
}

const depthsOf = (name: string, where: (row: Readonly<Record<string, unknown>>) => boolean) =>
  experiment(name)
    .run({}, 1)
    .table.rows.filter(where)
    .map(({ depth }) => Number(depth));

export const CLAIMS: readonly Claim[] = [
  {
    says: '8528 − 8080 = 448 bytes must go. With another compiler `shrink_zone()` took 176 bytes instead of 528 (trace 09)',
    source: 'traces 05 and 09',
    holds: () => {
      assert.equal(publishedTrace('05').maxDepth - 8080, 448);
      assert.deepEqual([sizeOf('05', 'shrink_zone'), sizeOf('09', 'shrink_zone')], [528, 176]);
    },
  },
  {
    says: 'It fits, with 0 bytes to spare',
    source: 'trace 05',
    holds: () => {
      const slim = widenFrame(widenFrame(publishedTrace('05'), 'shrink_zone', -352), 'xfs_bmapi', -96);
      assert.equal(slim.maxDepth, 8080);
    },
  },
  {
    says: 'a hundred bytes less here or there only moved the crash to another place',
    source: 'fact sheet, kernel stacks 3',
    holds: () => assert.match(report('trimming').what, /a hundred bytes here and there only moved/),
  },
  {
    says: '`do_select()` has 912 bytes in trace 07, `symbol_string()` 720 in trace 13',
    source: 'traces 07 and 13',
    holds: () => assert.deepEqual([sizeOf('07', 'do_select'), sizeOf('13', 'symbol_string')], [912, 720]),
  },
  {
    says: 'took 1320 bytes; in trace 05 one `kmem_cache_alloc()` went into reclaim, from there into the file system again, and used 5648',
    source: 'traces 01 and 05',
    holds: () => assert.deepEqual([takenBy('01', '__kmalloc'), takenBy('05', 'kmem_cache_alloc')], [1320, 5648]),
  },
  {
    says: 'On an 8 KB stack (Linux 2.6.32), which of these numbers of elements overruns it?',
    source: 'fact sheet, kernel stacks 8: the exploit ran on 2.6.32',
    holds: () => {
      assert.equal(versionFact('2.6.32').order, 1);
      assert.equal(report('CVE-2010-3848').kernel, '2.6.32');
    },
  },
  {
    says: 'With 496 elements RSP lies 120 bytes *below* the base, in the next stack, and the end magic is intact',
    source: 'the model',
    holds: () => {
      const run = overrun({ era: '8k', kernel: '2.6.32', alloca: 16 * 496, neighbour: 'stack' });
      assert.equal(Number(run.rsp - run.stackBase), -120);
      assert.equal(run.ownDamage.endMagic, false);
    },
  },
  {
    says: 'More than 200 such arrays were taken out of the kernel; since 4.20 it is built with `-Wvla`',
    source: 'fact sheet, kernel stacks 9',
    holds: () => {
      const { kernel, what } = report('VLA removal');
      assert.equal(kernel, '4.20');
      assert.match(what, /more than 200 uses .* -Wvla/);
    },
  },
  {
    says: 'On this path the sums differ little, 912 against 848',
    source: 'traces 05 and 09',
    holds: () => {
      const sum = (id: string) =>
        publishedTrace(id)
          .entries.filter(({ fn }) => fn.startsWith('shrink_'))
          .reduce((bytes, { size }) => bytes + size, 0);
      assert.deepEqual([sum('05'), sum('09')], [912, 848]);
    },
  },
  {
    says: '512 bytes, one pass through the block layer in trace 04',
    source: 'trace 04',
    holds: () => {
      const { entries } = publishedTrace('04');
      const names = entries.map(({ fn }) => fn);
      const pass = entries.slice(names.indexOf('__blk_run_queue'), names.indexOf('submit_bio') + 1);
      assert.equal(pass.reduce((sum, { size }) => sum + size, 0), 512);
    },
  },
  {
    says: 'ext4 on a virtio disk, memory plentiful, needs about 4 kB',
    source: 'experiment storage-layers',
    holds: () => {
      const [depth] = depthsOf('storage-layers', ({ what }) => what === 'ext4, virtio, memory plentiful');
      assert.ok(Math.abs(depth - 4096) < 300);
    },
  },
  {
    says: 'reckoned with over 10 KB for SCSI with MD and LVM, had seen about 10.5 KB on a virtio disk',
    source: 'mail 20140528091345.GD6677@dastard',
    holds: () => assert.match(mail('20140528091345.GD6677@dastard').what, /about 10\.5 KB seen on virtio block/),
  },
  {
    says: '2 KB for an allocation, 4 KB for writing a page, 2 KB for the write that has to wait for it',
    source: 'mail 20100408233837.GP11036@dastard',
    holds: () =>
      assert.match(
        mail('20100408233837.GP11036@dastard').what,
        /2 KB allocation, 4 KB writeback, 2 KB throttling: about 4 KB for all storag/,
      ),
  },
  {
    says: 'XFS did this with the allocation of extents (commit c999a22) to halve its use of stack',
    source: 'fact sheet, kernel stacks 3.2',
    holds: () => assert.match(report('XFS allocation workqueue').what, /\(c999a22\) to halve its use of stack/),
  },
  {
    says: 'the frames of the worker (672 bytes) and of the wait (480) are those of traces 01 and 11',
    source: 'traces 01 and 11',
    holds: () => {
      const [worker, wait] = [
        ['process_one_work', 'worker_thread', 'kthread', 'ret_from_fork'].map((fn) => sizeOf('01', fn)),
        ['schedule', 'schedule_timeout', 'wait_for_common', 'wait_for_completion'].map((fn) => sizeOf('11', fn)),
      ].map((sizes) => sizes.reduce((sum, size) => sum + size, 0));
      assert.deepEqual([worker, wait], [672, 480]);
    },
  },
  {
    says: '04 is cut nearly in half. 05 gains less',
    source: 'traces 04 and 05',
    holds: () => {
      const caller = (id: string) => moveToWorkqueue(publishedTrace(id), 'xfs_alloc_vextent').caller;
      assert.deepEqual([caller('04').maxDepth, caller('05').maxDepth], [5136, 7680]);
    },
  },
  {
    says: '`FRAME_WARN` is 2048 on 64-bit',
    source: 'fact sheet, kernel stacks 9',
    holds: () => assert.deepEqual([FRAME_WARN, constant('FRAME_WARN, 64 bit')], [2048, 2048]),
  },
  {
    says: 'takes 16 bytes off the deepest trace. All nine fit from a limit of 312 bytes down; on the slider that is 256, which leaves the deepest 336 bytes',
    source: 'experiment frame-diet',
    holds: () => {
      const deepest = (cap: number | string) => {
        const depths = depthsOf('frame-diet', (row) => row.cap === cap);
        assert.equal(depths.length, 9);
        return Math.max(...depths);
      };
      assert.equal(deepest('as posted') - deepest(512), 16);
      assert.ok(deepest(384) > 8080);
      const { rows } = experiment('frame-diet').run({}, 1).table;
      const whole = rows.filter(({ cap }) => cap === 256).map(({ what }) => String(what).slice(0, 2));
      const capped = (cap: number) =>
        Math.max(...whole.map((id) => capFrames(publishedTrace(id), cap).maxDepth));
      assert.deepEqual([capped(312) <= 8080, capped(320) <= 8080], [true, false]);
      assert.equal(8080 - deepest(256), 336);
    },
  },
  {
    says: "The stack was doubled in 3.15",
    source: 'fact sheet, kernel stacks 3',
    holds: () => commitIn('6538b8ea886e', '3.15'),
  },
  {
    says: 'The frames of worker and wait are of two traces (3.14 and a 2011 kernel)',
    source: 'traces 01 and 11',
    holds: () => {
      assert.match(String(publishedTrace('01').kernel), /^3\.14/);
      assert.match(String(publishedTrace('11').source), /2011/);
    },
  },
];
