import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import order2 from '../../lib/data/recorded-order2.json';
import overruns from '../../lib/data/recorded-overruns.json';
import stacks from '../../lib/data/recorded-stacks.json';
import { firstSymptom } from '../../lib/stack/report';

const FIXTURES = join(__dirname, '..', 'fixtures');
const text = (...path: string[]) => readFileSync(join(FIXTURES, ...path), 'utf8');

/** Rows of a table of overruns_summary.md, found by the start of its heading. */
function summaryTable(heading: string): string[][] {
  const lines = text('overruns_summary.md').split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${heading}`));
  assert.ok(start >= 0, heading);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

describe('recorded numbers that experiments show', () => {
  it('outcomes by kernel and mode are those of the summary', () => {
    const rows = summaryTable('kernel | mode');
    assert.deepEqual(
      overruns.byMode.map(({ kernel, mode, n, immediate, delayed, silent }) =>
        [kernel, mode, n, immediate, delayed, silent].map(String),
      ),
      rows,
    );
    for (const { kernel, era, stackEndCheck } of overruns.byMode) {
      assert.equal(era, kernel.startsWith('B8') ? '8k' : kernel === 'C16v' ? 'vmap' : '16k');
      assert.equal(stackEndCheck, !kernel.endsWith('nc'));
    }
  });

  it('outcomes by the page below are those of the summary', () => {
    const names: Record<string, string> = {
      buddy: 'free',
      kother: 'other',
      pgtable: 'pagetable',
    };
    assert.deepEqual(
      overruns.byNeighbour.map((row) => [
        row.neighbour,
        row.stackEndCheck ? 'check' : 'nocheck',
        ...[row.n, row.immediate, row.delayed, row.silent].map(String),
      ]),
      summaryTable('page below | SCHED').map(([kind, ...rest]) => [names[kind] ?? kind, ...rest]),
    );
  });

  it('natural frequencies are those of the summary', () => {
    const rows = summaryTable('stack | memory').map(([order, memory, n, ...counts]) => [
      Number(order.slice(-1)),
      memory.replace('half-fragmented user memory', 'half of user memory freed'),
      Number(n),
      ...counts.map((cell) => Number(cell.split(' ')[0])),
    ]);
    assert.deepEqual(
      overruns.belowStacks.map((row) => [
        row.order,
        row.memory,
        row.n,
        ...[row.stack, row.slab, row.free, row.pagetable, row.anon, row.file, row.other],
      ]),
      rows,
    );
  });

  it('sightings are those of the single records', () => {
    const counted = new Map<string, number[]>();
    for (const line of text('overruns.ndjson').trim().split('\n')) {
      const { kernel, mode, outcome, first_symptom: symptom } = JSON.parse(line);
      if (outcome === 'no such neighbour') continue;
      const by = symptom ? detectorOf(symptom[1]) : null;
      const phase = symptom
        ? symptom[0].replace('activity2', 'activity').replace('wake_parked', 'wake')
        : null;
      const kind = mode.startsWith('runaway') ? 'endless' : 'finite';
      const era = kernel.startsWith('B8') ? '8k' : kernel === 'C16v' ? 'vmap' : '16k';
      const key = [era, !kernel.endsWith('nc'), kind, by, phase].join();
      counted.set(key, [...(counted.get(key) ?? []), symptom ? symptom[2] : NaN]);
    }
    const kept = overruns.detection.map(
      ({ era, stackEndCheck, kind, detector, phase, ...rest }) => ({
        key: [era, stackEndCheck, kind, detector, phase].join(),
        ...rest,
      }),
    );
    assert.equal(kept.length, counted.size);
    for (const { key, n, seconds } of kept) {
      const times = counted.get(key) ?? [];
      assert.equal(n, times.length, key);
      assert.deepEqual(
        seconds,
        times.filter((time) => !Number.isNaN(time)).sort((a, b) => a - b),
        key,
      );
    }
  });

  it('page frames and counts of vmalloc’ed stacks are those that were read from page tables', () => {
    const lines = gunzipSync(readFileSync(join(FIXTURES, 'stacks_nokaslr.ndjson.gz')))
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { phase: string; base: string; pfns: number[] });
    const contiguous = (pfns: readonly number[]) => pfns.every((pfn, i) => pfn === pfns[0] + i);
    for (const phase of ['fresh', 'fragmented'] as const) {
      const once = new Map(
        lines.filter((line) => line.phase === phase).map(({ base, pfns }) => [base, pfns]),
      );
      assert.deepEqual(stacks[phase], [...once.values()]);
    }
    assert.equal(stacks.fresh.filter(contiguous).length, stacks.counts.fresh.contiguous);
    const printed = [...text('console', 'reuse_and_dump_nokaslr.txt').matchAll(HISTOGRAM)];
    assert.deepEqual(
      printed.map(([, n, together]) => ({ n: Number(n), contiguous: Number(together) })),
      [stacks.counts.fresh, stacks.counts.fragmented],
    );
  });

  it('free lists and endings on fragmented memory are those on the consoles', () => {
    const files = readdirSync(join(FIXTURES, 'console')).filter((name) =>
      /^order2_\w+_(userfrag|kfrag)_(park400|forkn)\.txt$/.test(name),
    );
    assert.deepEqual(
      order2.runs.map(({ id }) => `order2_${id}.txt`),
      files.sort(),
    );
    for (const run of order2.runs) {
      const log = text('console', `order2_${run.id}.txt`);
      const after = log.slice(log.search(/hog holes|KSTK kfrag/));
      const counts = /Node 0, zone\s+DMA32((?:\s+\d+){11})/.exec(after)?.[1].trim().split(/\s+/);
      assert.deepEqual(run.counts, counts?.map(Number), run.id);
      assert.equal(run.oomKills, log.match(/Out of memory: Killed/g)?.length ?? 0, run.id);
      assert.equal(run.panic, log.includes('Kernel panic'), run.id);
      const made = /made (\d+)|forkn ok (\d+)/.exec(log);
      assert.equal(run.made, made ? Number(made[1] ?? made[2]) : null, run.id);
      const [, , together] = [...log.matchAll(HISTOGRAM)][0] ?? [];
      if (run.contiguous !== null) assert.equal(run.contiguous, Number(together), run.id);
    }
  });

  it('landings are those that the stock kernel printed', () => {
    const at = (access: string) =>
      overruns.landings.filter((one) => one.access === access).map(({ below }) => below);
    const guard = text('console', 'stock_jump_in_guard.txt');
    const rsp = /RSP: 0018:([0-9a-f]+)/.exec(guard)?.[1];
    const base = /KSTK JUMP .* base ([0-9a-f]+)/.exec(guard)?.[1];
    assert.equal(BigInt(`0x${base}`) - BigInt(`0x${rsp}`), BigInt(at('frame')[0]));
    for (const file of ['stock_clash_live_frames.txt', 'stock_clash_dead_area.txt']) {
      const deepest = /deepest [0-9a-f]+ \(base-(\d+)\)/.exec(text('console', file))?.[1];
      assert.ok(at('frame').includes(Number(deepest)), `${file}: ${deepest}`);
    }
    for (const [file, access] of [
      ['stock_poke_guard_below.txt', 'store'],
      ['stock_peek_guard_below.txt', 'load'],
      ['stock_poke_unmapped_below_guard.txt', 'store'],
    ] as const) {
      const offset = /KSTK (?:poke|peek) .* off -(\d+) /.exec(text('console', file))?.[1];
      assert.ok(at(access).includes(Number(offset)), `${file}: ${offset}`);
    }
  });
});

const HISTOGRAM = /KSTK hist stacks (\d+) vmap_physically_contiguous (\d+)/g;

function detectorOf(line: string): string {
  if (/triple fault/.test(line)) return 'triple-fault';
  return firstSymptom([line])?.detector ?? 'none';
}
