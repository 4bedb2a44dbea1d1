import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { agreement } from '../../lib/experiments/agreement';
import { wilson } from '../../lib/experiments/proportion';
import { parseRecordedRunaways, RECORDED_RUNAWAYS } from '../../lib/experiments/recorded-runaways';
import { parseRecordedRuns, RECORDED_RUNS } from '../../lib/experiments/recorded-runs';
import { runawayAgreement } from '../../lib/experiments/runaway-agreement';

const FIXTURE = join(__dirname, '..', 'fixtures', 'overruns.ndjson');

describe('parseRecordedRuns', () => {
  it('finds the 152 finite direct-map runs, those that the library carries', () => {
    const { runs, leftOut } = parseRecordedRuns(readFileSync(FIXTURE, 'utf8'));
    const direct = runs.filter(({ kernel }) => kernel !== 'C16v');
    assert.equal(direct.length, 152);
    assert.deepEqual(direct, RECORDED_RUNS);
    assert.ok(
      runs.slice().every(({ kernel, ending }) => kernel !== 'C16v' || ending === 'immediate'),
    );
    const lines = leftOut.reduce((sum, left) => sum + left.lines, runs.length);
    assert.equal(lines, 227, 'every line of the fixture is a run or counted as left out');
  });

  it('takes boots without an overrun, and says which lines it leaves out', () => {
    const line = { kernel: 'A16c', mode: 'control', below: null, outcome: 'silent' };
    const jump = { ...line, mode: 'jump1200', below: 'pfn 1 class slab' };
    const digits = '9'.repeat(400);
    const text = [
      ...[line, { ...line, kernel: 'Z99' }, { ...line, outcome: 'no such neighbour' }],
      ...[
        { ...line, mode: 'runaway_dense' },
        { ...line, outcome: 'none' },
      ],
      ...[{ ...jump, mode: 'poke8' }, jump, { ...jump, mode: `jump${digits}` }],
      ...[
        { ...jump, mode: 'jump99999999999999999999999' },
        { ...jump, mode: 'polite8' },
      ],
      ...[
        { ...jump, below: 'class moon' },
        { ...jump, below: 'class constructor x' },
      ],
    ].map((run) => JSON.stringify(run));
    const modes = 'not one of jumpN, politeNdense, politeNsparse, control';
    const classes = 'not one of stack, slab, buddy, anon, file, pgtable, kother';
    assert.deepEqual(parseRecordedRuns(text.join('\n')), {
      runs: [
        { kernel: 'A16c', mode: 'control', below: 'any', ending: 'silent' },
        { kernel: 'A16c', mode: 'jump1200', below: 'slab', ending: 'silent' },
      ],
      leftOut: [
        {
          ...{ why: 'kernel Z99, not one of A16, A16nc, A16c, B8, B8nc, C16v', lines: 1 },
          first: 2,
        },
        { why: 'no result', lines: 2, first: 3 },
        { why: 'endless recursion', lines: 1, first: 4 },
        { why: `mode poke8, ${modes}`, lines: 1, first: 6 },
        { why: `mode jump${'9'.repeat(36)}…, ${modes}`, lines: 1, first: 8 },
        { why: `mode jump${'9'.repeat(23)}, ${modes}`, lines: 1, first: 9 },
        { why: `mode polite8, ${modes}`, lines: 1, first: 10 },
        { why: `page below moon, ${classes}`, lines: 1, first: 11 },
        { why: `page below constructor, ${classes}`, lines: 1, first: 12 },
      ],
    });
  });

  it('names the line that is none', () => {
    assert.throws(() => parseRecordedRuns('{"kernel":"A16"'), /line 1: expected a JSON object/);
    assert.throws(() => parseRecordedRuns('\n[]'), /line 2: expected a JSON object/);
    assert.throws(() => parseRecordedRuns('{"kernel":"A16"}'), /expected the keys kernel and mode/);
    const strange = { kernel: 'A16', mode: 'jump1200', outcome: 'silent', below: 'pfn 1' };
    assert.throws(
      () => parseRecordedRuns(JSON.stringify(strange)),
      /line 1: below: expected .* got "pfn 1"/,
    );
  });
});

describe('agreement', function () {
  this.timeout(60_000);

  it('predicts the recorded runs far better than always answering their shares', () => {
    const { rows, runs, logLoss, baselineLogLoss } = agreement(RECORDED_RUNS, {
      seeds: 20,
      populations: 5,
      runaways: [],
    });
    assert.equal(runs, 152);
    assert.ok(Math.abs(baselineLogLoss - 0.864) < 0.001, `${baselineLogLoss}`);
    assert.ok(logLoss < 0.45, `${logLoss}`);
    const large = rows.filter((row) => row.runs >= 6);
    const apart = large
      .filter(({ agrees }) => !agrees)
      .map(({ kernel, mode }) => `${kernel} ${mode}`);
    assert.ok(apart.length <= 1, apart.join(', '));
  });

  it('stops at the guard page, and sees nothing where nothing was overrun', () => {
    const run = { below: 'any' } as const;
    const { rows } = agreement(
      [
        { ...run, kernel: 'C16v', mode: 'jump1200', ending: 'immediate' },
        { ...run, kernel: 'A16c', mode: 'control', ending: 'silent' },
      ],
      { seeds: 6, populations: 2, runaways: [] },
    );
    assert.deepEqual(
      rows.map(({ simulated }) => simulated),
      [
        { immediate: 1, delayed: 0, silent: 0 },
        { immediate: 0, delayed: 0, silent: 1 },
      ],
    );
  });

  it('gives the same numbers for the same seed', () => {
    const some = RECORDED_RUNS.slice(0, 6);
    const options = { seeds: 4, populations: 2, runawaySeeds: 1 };
    assert.deepEqual(agreement(some, options), agreement(some, options));
  });

  it('refuses to compare nothing', () => {
    assert.throws(() => agreement([], { seeds: 1 }), /runs: expected at least one/);
    assert.throws(
      () => agreement(RECORDED_RUNS, { seeds: 0 }),
      /seeds: expected a whole number from 1/,
    );
  });
});

describe('runawayAgreement', function () {
  this.timeout(60_000);

  it('reads the 32 recorded endless recursions, those that the library carries', () => {
    const text = readFileSync(join(__dirname, '..', 'fixtures', 'runaway.ndjson'), 'utf8');
    assert.deepEqual(parseRecordedRunaways(text), { runs: RECORDED_RUNAWAYS, leftOut: [] });
    const count = (ending: string) =>
      RECORDED_RUNAWAYS.filter((run) => run.ending === ending).length;
    assert.deepEqual(['panic', 'reset', 'hang', 'alive'].map(count), [23, 1, 8, 0]);
    assert.throws(() => parseRecordedRunaways('{}'), /line 1: expected the keys kernel, fill and/);
    assert.throws(
      () => parseRecordedRunaways('{"kernel":"A16","fill":1,"qemu_status":"weird"}'),
      /line 1: qemu_status: expected "… running" or "… \(shutdown\)", got "weird"/,
    );
  });

  it('leaves out, and counts, ends that contradict themselves or are not told', () => {
    const line = { kernel: 'A16', fill: 1 };
    const running = { ...line, qemu_status: 'VM status: running', events: [], reset: false };
    const down = { ...line, qemu_status: 'VM status: paused (shutdown)', reset: true };
    const panic = ['Kernel panic - not syncing: Fatal exception in interrupt'];
    const text = [
      ...[running, { ...running, reset: true }, { ...running, events: panic }],
      ...[down, { ...down, events: panic, reset: false }],
      ...[
        { ...running, rip_symbol: '__const_udelay+0x0' },
        { ...down, events: panic, fill: 0 },
      ],
      ...[
        { ...down, events: [], rip_symbol: null },
        { ...down, rip_symbol: 'delay_tsc+0x1' },
      ],
    ].map((run) => JSON.stringify(run));
    const { runs, leftOut } = parseRecordedRunaways(text.join('\n'));
    assert.deepEqual(
      runs.map(({ frames, ending }) => `${frames} ${ending}`),
      [...Array<string>(3).fill('dense hang'), 'sparse panic', 'dense reset', 'dense panic'],
    );
    assert.deepEqual(leftOut, [
      { why: 'still running, but reset', lines: 1, first: 2 },
      {
        why: 'reset, but neither events nor rip_symbol say by whom',
        ...{ lines: 1, first: 4 },
      },
      { why: 'shut down, but not reset', lines: 1, first: 5 },
    ]);
  });

  it('refuses what is not in the format, and names line and key', () => {
    const line = { kernel: 'A16', fill: 1, qemu_status: 'VM status: running' };
    for (const [wrong, message] of [
      [{ fill: -1 }, /^line 2: fill: expected 0 .* or a whole number from 1 .*, got -1$/],
      [{ fill: 1.5 }, /^line 2: fill: expected .*, got 1\.5$/],
      [
        { events: 'Kernel panic' },
        /^line 2: events: expected a list of lines, got "Kernel panic"$/,
      ],
      [{ rip_symbol: 7 }, /^line 2: rip_symbol: expected the name of a function, or null, got 7$/],
      [{ reset: 'yes' }, /^line 2: reset: expected true or false, got "yes"$/],
    ] as const) {
      const text = `\n${JSON.stringify({ ...line, ...wrong })}`;
      assert.throws(() => parseRecordedRunaways(text), { name: 'RangeError', message });
    }
  });

  it('ends most in a panic, some in a hang, few in a reset, as recorded', () => {
    const { rows, logLoss, runs, trials } = runawayAgreement(RECORDED_RUNAWAYS, {
      seeds: 8,
      populations: 8,
    });
    assert.deepEqual({ runs, trials }, { runs: 32, trials: 64 });
    for (const { kernel, runs: n, simulated } of rows) {
      assert.equal(n, 8, kernel);
      assert.ok(simulated.panic > simulated.hang + simulated.reset, kernel);
      const sum = simulated.panic + simulated.hang + simulated.reset + simulated.alive;
      assert.ok(Math.abs(sum - 1) < 1e-9, kernel);
      // Of eight trials each with dense and with sparse frames: counts, nothing added to them.
      for (const share of Object.values(simulated)) assert.equal((16 * share) % 1, 0, kernel);
    }
    // Four endings told by chance: ln 4.
    assert.ok(logLoss < Math.log(4), `${logLoss}`);
  });
});

describe('wilson', () => {
  it('gives the interval of the literature', () => {
    // Newcombe 1998, table I, method 3: 15 of 148.
    const { low, high } = wilson(15, 148);
    assert.ok(
      Math.abs(low - 0.0624) < 0.0001 && Math.abs(high - 0.1605) < 0.0001,
      `${low} ${high}`,
    );
  });

  it('always holds the share and stays between 0 and 1', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.nat(), (trials, some) => {
        const hits = some % (trials + 1);
        const { low, high } = wilson(hits, trials);
        assert.ok(low >= 0 && low <= hits / trials && hits / trials <= high && high <= 1);
      }),
      { seed: 1 },
    );
  });
});
