import assert from 'node:assert/strict';
import { memInfoLines, type MemInfo, type ZoneMemInfo } from '../../lib/mm/mem-info';
import { gfpOf, gfpText, slabGfp } from '../../lib/mm/gfp';
import {
  allocationFailureLine,
  oomDeadlockLines,
  oomHeaderLines,
  oomKillLines,
  oomTaskLines,
  selectVictim,
  unreclaimableSlabLines,
  type OomTask,
  type SlabUsage,
} from '../../lib/mm/oom';
import { recordedConsole } from './recordings';

const LOGS = [
  'order2_A16_userfrag_forkn.txt',
  'order2_A16_userfrag_park400.txt',
  'order2_A16_kfrag_park400.txt',
  'order2_A16c_userfrag_forkn.txt',
  'order2_A16c_kfrag_forkn.txt',
  'order2_A16c_kfrag_park400.txt',
];

/** The reports of a log: from the line that says who invoked the OOM killer to the next, or the end. */
function reports(log: string): string[][] {
  const lines = recordedConsole(log);
  const starts = lines.flatMap((line, i) => (line.includes('invoked oom-killer') ? [i] : []));
  return starts.map((start, i) => lines.slice(start, starts[i + 1] ?? lines.length));
}

describe('the words of the kernel when memory runs out', () => {
  for (const log of LOGS) {
    it(`every line of the reports in ${log} that the model prints is the recorded one`, () => {
      for (const report of reports(log)) {
        const printed = print(report);
        const start = report.indexOf('Mem-Info:');
        assert.deepEqual(printed.memInfo, report.slice(start, start + printed.memInfo.length));
        for (const line of printed.rest) assert.ok(report.includes(line), line);
      }
    });
  }

  it('the victim the model chooses is the one that was killed', () => {
    const chosen: string[] = [];
    for (const report of LOGS.flatMap(reports)) {
      const killed = report.find((line) => line.startsWith('Out of memory: Killed process'));
      if (!killed) continue;
      const victim = selectVictim(parseTasks(report), 53596 / 4, '6.1');
      chosen.push(`${victim?.pid} (${victim?.name})`);
      assert.ok(killed.includes(`Killed process ${victim?.pid} (${victim?.name})`), killed);
    }
    assert.equal(chosen.length, 5);
  });

  it('of two equal tasks the last is chosen, before 5.0 the first; never one with -1000 or PID 1', () => {
    const row = (pid: number, adj: number) =>
      `[     ${pid}]     0    ${pid}     4857     4786   114688        0             ${adj} hog`;
    const tasks = parseTasks([row(1, 0), row(24, 0), row(25, 0), row(26, -1000), row(27, -500)]);
    assert.equal(selectVictim(tasks, 13399, '6.1')?.pid, 25);
    assert.equal(selectVictim(tasks, 13399, '4.9')?.pid, 24);
    assert.equal(selectVictim(tasks.slice(3, 4), 13399, '6.1'), null);
  });

  it('the lines of older kernels', () => {
    const request = { comm: 'sh', order: 1, oomScoreAdj: 0, compaction: true };
    const header = (version: string) =>
      oomHeaderLines({ ...request, gfp: gfpOf(version, 'THREADINFO_GFP'), version })[0];
    assert.equal(header('2.6.32'), 'sh invoked oom-killer: gfp_mask=0xd0, order=1, oom_adj=0');
    assert.equal(
      header('3.2'),
      'sh invoked oom-killer: gfp_mask=0xd0, order=1, oom_adj=0, oom_score_adj=0',
    );
    assert.equal(
      header('3.14'),
      'sh invoked oom-killer: gfp_mask=0x3000d0, order=1, oom_score_adj=0',
    );
    // 3.16 took __GFP_KMEMCG away.
    assert.match(header('3.16'), /gfp_mask=0x2000d0,/);
    // qemu-system-x86 of Ubuntu's 4.4.0-62.
    assert.equal(
      header('4.4'),
      'sh invoked oom-killer: gfp_mask=0x26000c0, order=1, oom_score_adj=0',
    );
    // gpg-agent of a 4.9.0-1.fc26.
    assert.equal(
      header('4.9'),
      'sh invoked oom-killer: gfp_mask=0x27000c0(GFP_KERNEL_ACCOUNT|__GFP_NOTRACK), nodemask=0, order=1, oom_score_adj=0',
    );
    assert.equal(
      header('4.18'),
      'sh invoked oom-killer: gfp_mask=0x7080c0(GFP_KERNEL_ACCOUNT|__GFP_ZERO), nodemask=(null), order=1, oom_score_adj=0',
    );
    assert.equal(
      header('4.14'),
      'sh invoked oom-killer: gfp_mask=0x17000c0(GFP_KERNEL_ACCOUNT|__GFP_NOTRACK), nodemask=(null),  order=1, oom_score_adj=0',
    );
    assert.equal(
      allocationFailureLine('hog', 2, gfpOf('6.1', 'THREADINFO_GFP'), '6.1'),
      'hog: page allocation failure: order:2, mode:0x400dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO), nodemask=(null)',
    );
    assert.equal(
      allocationFailureLine('fork', 1, gfpOf('3.14', 'THREADINFO_GFP'), '3.14'),
      'fork: page allocation failure: order:1, mode:0x3000d0',
    );
    const [task] = parseTasks([
      '[     24]     0    24     4857     4786   114688        0             0 hog',
    ]);
    assert.deepEqual(oomKillLines({ ...task, uid: 7 }, 100_000, '3.14'), [
      'Out of memory: Kill process 24 (hog) score 48 or sacrifice child',
      'Killed process 24 (hog) total-vm:19428kB, anon-rss:19144kB, file-rss:0kB',
    ]);
    assert.deepEqual(oomDeadlockLines('3.14'), {
      lines: [],
      panic: 'Out of memory and no killable processes...',
    });
  });
});

describe('what SLUB asks for', () => {
  it('is a compound page where the cache has an order, in the bits of the version', () => {
    const text = (version: string, compound = true) => gfpText(slabGfp(version, compound));
    // As in logs of these versions.
    assert.equal(text('3.0'), '0x40d0');
    assert.equal(text('4.9'), '0x26040c0(GFP_KERNEL|__GFP_COMP|__GFP_NOTRACK)');
    assert.equal(text('4.19'), '0x6040c0(GFP_KERNEL|__GFP_COMP)');
    assert.equal(text('6.1'), '0x40cc0(GFP_KERNEL|__GFP_COMP)');
    assert.equal(text('6.1', false), '0xcc0(GFP_KERNEL)');
  });
});

/** Reads a recorded report into data, and prints it again. */
function print(report: string[]): { memInfo: string[]; rest: string[] } {
  const header = /^(\S+) invoked oom-killer:.*order=(\d+), oom_score_adj=(-?\d+)/.exec(report[0]);
  assert.ok(header);
  const tasks = parseTasks(report);
  const rest = oomHeaderLines({
    comm: header[1],
    order: Number(header[2]),
    oomScoreAdj: Number(header[3]),
    gfp: gfpOf('6.1', 'THREADINFO_GFP'),
    compaction: !report.includes('COMPACTION is disabled!!!'),
    version: '6.1',
  });
  rest.push(...oomTaskLines(tasks, '6.1'));
  const caches = parseSlabs(report);
  if (caches.length > 0) rest.push(...unreclaimableSlabLines(caches));
  const kill = report.find((line) => line.startsWith('Out of memory: Killed process'));
  if (kill) rest.push(...oomKillLines(killedTask(kill, tasks), 13399, '6.1'));
  else {
    const { lines, panic } = oomDeadlockLines('6.1');
    rest.push(...lines, `Kernel panic - not syncing: ${panic}`);
  }
  return { memInfo: memInfoLines(parseMemInfo(report), '6.1'), rest };
}

function killedTask(line: string, tasks: readonly OomTask[]): OomTask {
  const pid = Number(/process (\d+) /.exec(line)?.[1]);
  const task = tasks.find((t) => t.pid === pid);
  assert.ok(task);
  const kb = (name: string) => Number(new RegExp(`${name}:(\\d+)kB`).exec(line)?.[1]) / 4;
  return { ...task, rssAnon: kb('anon-rss'), rssFile: kb('file-rss'), rssShmem: kb('shmem-rss') };
}

function parseTasks(report: readonly string[]): OomTask[] {
  const row = /^\[ *(\d+)\] +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(-?\d+) (.*)$/;
  return report.flatMap((line) => {
    const match = row.exec(line);
    if (!match) return [];
    const [pid, uid, tgid, totalVm, rss, pgtablesBytes, swapents, oomScoreAdj] = match
      .slice(1, 9)
      .map(Number);
    const sizes = { totalVm, rssAnon: rss, rssFile: 0, rssShmem: 0, pgtablesBytes, swapents };
    return [{ pid, uid, tgid, ...sizes, oomScoreAdj, name: match[9] }];
  });
}

function parseSlabs(report: readonly string[]): SlabUsage[] {
  return report.flatMap((line) => {
    const match = /^(\S+) +(\d+)KB +(\d+)KB$/.exec(line);
    if (!match) return [];
    const [usedBytes, totalBytes] = match.slice(2).map((kb) => Number(kb) * 1024);
    return [{ name: match[1], usedBytes, totalBytes }];
  });
}

function parseMemInfo(report: readonly string[]): MemInfo {
  const pairs = (line: string) =>
    Object.fromEntries(
      [...line.matchAll(/([a-z_]+(?:\([a-z]+\))?):(\d+)/g)].map((m) => [m[1], Number(m[2])]),
    );
  const start = report.indexOf('Mem-Info:');
  const nodeAt = report.findIndex((line) => line.startsWith('Node 0 '));
  const number = (end: string) => Number(report.find((line) => line.endsWith(end))?.split(' ')[0]);
  const zones: ZoneMemInfo[] = [];
  report.forEach((line, i) => {
    const zone = /^(\w+) free:\d+kB/.exec(line);
    if (!zone) return;
    const list = report.find((other) => other.startsWith(`${zone[1]}: `)) ?? '';
    const blocks = [...list.matchAll(/(\d+)\*\d+kB(?: \((\w+)\))?/g)];
    zones.push({
      name: zone[1],
      values: pairs(line),
      lowmemReserve: report[i + 1].split(': ')[1].split(' ').map(Number),
      blocks: blocks.map((m) => Number(m[1])),
      letters: blocks.map((m) => m[2] ?? ''),
    });
  });
  return {
    totals: pairs(report.slice(start + 1, nodeAt).join(' ')),
    node: pairs(report[nodeAt]),
    allUnreclaimable: report[nodeAt].endsWith('yes'),
    zones,
    pagecachePages: number('total pagecache pages'),
    ramPages: number('pages RAM'),
    highMemPages: number('pages HighMem/MovableOnly'),
    reservedPages: number('pages reserved'),
  };
}
