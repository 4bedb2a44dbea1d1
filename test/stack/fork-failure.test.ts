import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelConfig } from '../../lib/stack/config';
import { forkTrial, type Fragmentation } from '../../lib/stack/fork-failure';
import { Machine } from '../../lib/stack/machine';

const CONSOLE = join(__dirname, '..', 'fixtures', 'console');

/** Messages of the kernel about the OOM killer and the panic, without times, numbers and names of processes. */
function verdicts(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^\[ *\d+\.\d+\] /, ''))
    .filter((line) =>
      /invoked oom-killer|^COMPACTION is|^Out of memory|page allocation failure|^Kernel panic/.test(
        line,
      ),
    )
    .map((line) => line.replace(/Killed process \d+ \((\w+)\).*/, 'Killed process ($1)'));
}

const recorded = (name: string) => verdicts(readFileSync(join(CONSOLE, name), 'utf8'));

describe('creating 400 threads on 64 MiB in crumbs', () => {
  const trial = (
    era: '8k' | '16k' | 'vmap',
    fragmentation: Fragmentation,
    options: { compaction?: boolean; kernel?: string; forker?: 'hog' } = {},
  ) => forkTrial({ era, kernel: '6.1', stackProtector: false, fragmentation, ...options });

  it('needs blocks that are not there with stacks in the direct map, and none with VMAP_STACK', () => {
    const ends = (['user', 'unmovable'] as const).map((fragmentation) => {
      const direct = trial('16k', fragmentation);
      const vmapped = trial('vmap', fragmentation);
      assert.ok(direct.freeKb > 20_000);
      assert.deepEqual(
        { created: vmapped.created, end: vmapped.end, kills: vmapped.oomKills },
        { created: 400, end: 'created', kills: 0 },
      );
      assert.deepEqual(vmapped.console, []);
      return { end: direct.end, kills: direct.oomKills };
    });
    assert.deepEqual(ends, [
      { end: 'created', kills: 1 },
      { end: 'panic', kills: 0 },
    ]);
  });

  it('ends as the recorded guest ended, in the same words', () => {
    const unmovable = verdicts(trial('16k', 'unmovable').console.join('\n'));
    assert.deepEqual(unmovable, recorded('order2_A16_kfrag_park400.txt'));
    // The recorded guest then ran out a second time, with nobody left to kill.
    const user = verdicts(trial('16k', 'user').console.join('\n'));
    const expected = recorded('order2_A16_userfrag_park400.txt');
    assert.ok(user.length > 0);
    assert.deepEqual(user, expected.slice(0, user.length));
    assert.deepEqual(recorded('order2_C16v_kfrag_park400.txt'), []);
    assert.deepEqual(recorded('order2_C16v_userfrag_park400.txt'), []);
  });

  it('asks for the order of its stacks', () => {
    const orders = (era: '8k' | '16k') =>
      trial(era, 'unmovable')
        .console.filter((line) => /invoked oom-killer/.test(line))
        .map((line) => / order=(\d)/.exec(line)?.[1]);
    assert.deepEqual([orders('8k'), orders('16k')], [['1'], ['2']]);
    assert.deepEqual(
      [trial('8k', 'none').order, trial('16k', 'none').order, trial('vmap', 'none').order],
      [1, 2, 0],
    );
  });

  it('goes through without anybody in between', () => {
    for (const era of ['8k', '16k', 'vmap'] as const) {
      const { created, end, console } = trial(era, 'none');
      assert.deepEqual({ created, end, console }, { created: 400, end: 'created', console: [] });
    }
  });

  it('is helped by compaction only where the pages in between can be moved', () => {
    const immovable = trial('16k', 'unmovable', { compaction: true });
    assert.equal(immovable.end, 'panic');
    assert.ok(!immovable.console.includes('COMPACTION is disabled!!!'));
    assert.equal(trial('8k', 'user', { compaction: true, kernel: '6.1' }).oomKills, 0);
    assert.equal(trial('8k', 'user', { compaction: false, kernel: '6.1' }).oomKills, 1);
  });

  it('fails in the words that were recorded when the one who forks has been killed for it', () => {
    const { console, end, oomKills } = trial('16k', 'user', { forker: 'hog' });
    assert.deepEqual({ end, oomKills }, { end: 'failure', oomKills: 1 });
    const gfp = 'mode:0x400dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO)';
    const said = verdicts(console.join('\n'));
    assert.deepEqual(
      said.filter((line) => !line.startsWith('COMPACTION')),
      [
        `hog invoked oom-killer: gfp_mask=0x400dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO), order=2, oom_score_adj=0`,
        'Out of memory: Killed process (hog)',
        `hog: page allocation failure: order:2, ${gfp}, nodemask=(null)`,
      ],
    );
    assert.deepEqual(trial('vmap', 'user', { forker: 'hog' }).console, []);
  });

  it('names whoever forks in the header as in the line of the CPU, with the pid it has', () => {
    const who = (lines: readonly string[]) => {
      const at = lines.findIndex((line) => /invoked oom-killer/.test(line));
      const cpu = lines.slice(at).find((line) => line.startsWith('CPU:'));
      const [, pid, comm] = /PID: (\d+) Comm: (\S+)/.exec(cpu ?? '') ?? [];
      return [lines[at].split(' ')[0], comm, pid];
    };
    assert.deepEqual(who(trial('16k', 'unmovable').console), ['kthreadd', 'kthreadd', '2']);
    const { console } = trial('16k', 'user', { forker: 'hog' });
    assert.deepEqual(who(console), ['hog', 'hog', '24']);
    assert.ok(console.some((line) => line.includes('Killed process 24 (hog)')));
  });

  it('says who asks for a page of a slab cache, whose order it has to do without', () => {
    const m = new Machine(kernelConfig('16k', { kernel: '6.1' }));
    const { hooks } = m.pageAllocator;
    const lines: string[] = [];
    hooks.printk = (line) => lines.push(line);
    hooks.comm = () => 'kthreadd';
    hooks.oomKiller = { tasks: () => [], kill: () => undefined };
    for (;;) if (m.pageAllocator.allocPages(0, { noretry: true, nowarn: true }) === null) break;
    for (;;) if (lines.length > 0 || m.allocObject('task_struct') === null) break;
    assert.equal(
      lines[0],
      'kthreadd invoked oom-killer: gfp_mask=0x40cc0(GFP_KERNEL|__GFP_COMP), order=0, oom_score_adj=0',
    );
  });

  it('gives the same for the same seed', () => {
    assert.deepEqual(trial('16k', 'unmovable'), trial('16k', 'unmovable'));
  });

  it('says what it expected', () => {
    assert.throws(() => forkTrial({ fragmentation: 'some' as never }), /fragmentation: expected/);
    assert.throws(() => forkTrial({ threads: 0 }), /threads: expected a whole number from 1/);
  });
});
