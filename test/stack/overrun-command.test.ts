import assert from 'node:assert/strict';
import { guardpage } from '../support/command';

/** Runs `guardpage overrun …` in this process. */
const run = (...argv: string[]) => guardpage('overrun', ...argv);

const HEX = /^0x[0-9a-f]+$/;
const isOneOf =
  (...words: unknown[]) =>
  (value: unknown) =>
    words.includes(value);
const isCount = (value: unknown) => Number.isInteger(value) && Number(value) >= 0;

/** Every key that the contract names, with what it may hold. */
const CONTRACT: Readonly<Record<string, (value: never) => boolean>> = {
  outcome: isOneOf('none', 'immediate', 'delayed', 'silent'),
  phase: isOneOf(null, 'immediate', 'activity', 'wake', 'final'),
  machine: isOneOf('alive', 'panic', 'reset', 'hang'),
  task: isOneOf('alive', 'killed'),
  detector: isOneOf(
    null,
    ...['guard-page', 'double-fault', 'triple-fault', 'page-fault', 'general-protection'],
    ...['stack-end-check', 'stack-protector', 'bad-pagetable', 'kernel-warning'],
    ...['kernel-assertion', 'reader', 'kasan'],
  ),
  victims: (value: { class: unknown; pages: unknown; bytesChanged: unknown }[]) =>
    value.every(
      (victim) =>
        typeof victim.class === 'string' && isCount(victim.pages) && isCount(victim.bytesChanged),
    ),
  ownDamage: (value: { endMagic: unknown; threadInfo: unknown }) =>
    typeof value.endMagic === 'boolean' && Array.isArray(value.threadInfo),
  rsp: (value: string) => HEX.test(value),
  cr2: (value: string | null) => value === null || HEX.test(value),
  console: (value: unknown[]) => value.every((line) => typeof line === 'string'),
  kernel: (value: string) => /^\d+\.\d+/.test(value),
  patched: (value: unknown) => typeof value === 'boolean',
  seed: isCount,
};

describe('guardpage overrun --json', function () {
  this.timeout(30_000);

  it('has every key of the contract, with values of the contract', async () => {
    for (const argv of [
      ['--era', 'vmap'],
      ['--era', 'vmap', '--poke', '-8'],
      ['--era', 'vmap', '--poke', '8', '--no-stack-protector'],
      ['--era', '16k', '--past', '512', '--frames', 'dense', '--neighbour', 'stack'],
      ['--era', '8k', '--kernel', '6.1', '--jump', '1024', '--neighbour', 'slab', '--seed', '7'],
      ['--era', '16k', '--kernel', '6.1', '--kasan', '--jump', '1024', '--neighbour', 'free'],
    ]) {
      const { code, out, err } = await run(...argv, '--json');
      assert.deepEqual({ code, err }, { code: 0, err: '' }, argv.join(' '));
      assert.equal(out.trimEnd().split('\n').length, 1);
      const report = JSON.parse(out) as Record<string, never>;
      for (const [key, allows] of Object.entries(CONTRACT)) {
        assert.ok(key in report && allows(report[key]), `${key} of ${argv.join(' ')}`);
      }
    }
  });

  it('says what the version and the options decide', async () => {
    const json = async (...argv: string[]) =>
      JSON.parse((await run(...argv, '--json')).out) as Record<string, unknown>;
    const vmap = await json();
    assert.deepEqual(
      [vmap.kernel, vmap.patched, vmap.detector, vmap.machine, vmap.seed],
      ['6.1', false, 'guard-page', 'panic', 1],
    );
    assert.equal((await json('--era', '8k')).kernel, '3.14');
    assert.equal((await json('--era', '16k', '--past', '0')).kernel, '3.15');
    assert.equal((await json('--era', '8k', '--kernel', '6.1', '--past', '0')).patched, true);
    const killed = await json('--poke', '8');
    assert.deepEqual([killed.task, killed.machine], ['killed', 'alive']);
    const noIst = await json('--no-df-ist');
    assert.deepEqual([noIst.machine, noIst.detector], ['reset', 'triple-fault']);
    const placed = await json('--stack-base', '0xffffc90000590000');
    assert.equal(placed.cr2, '0xffffc9000058ff58');
  });

  it('takes the era of the version if none is named', async () => {
    for (const [kernel, vmap] of [
      ['2.6.39', false],
      ['3.14', false],
      ['3.15', false],
      ['4.4', false],
      ['4.9', true],
    ] as const) {
      const { code, out } = await run('--kernel', kernel, '--poke', '8', '--json');
      assert.equal(code, 0, kernel);
      const report = JSON.parse(out) as { patched: boolean; stackBase: string };
      assert.equal(report.patched, false, kernel);
      assert.equal(BigInt(report.stackBase) >= 0xffffc90000000000n, vmap, kernel);
    }
  });

  it('gives a line a trial, each as alone with its seed', async () => {
    const argv = ['--era', '16k', '--past', '512', '--json'];
    const { out } = await run(...argv, '--trials', '2', '--seed', '4');
    const alone = await Promise.all([run(...argv, '--seed', '4')]);
    const [first, second] = out.trimEnd().split('\n');
    assert.equal(first, alone[0].out.trimEnd());
    assert.equal((JSON.parse(second) as { seed: number }).seed, 5);
  });
});

describe('guardpage overrun, asked wrongly', () => {
  const WRONG: readonly (readonly [argv: string, says: RegExp])[] = [
    ['--kernel 9.9', /kernel: expected a version from 2\.6\.32 to 6\.19, got 9\.9/],
    ['--kernel moon', /kernel/],
    ['--era 32k', /--era: expected 8k, 16k, vmap, got "32k"/],
    [
      '--era vmap --kernel 4.8',
      /VMAP_STACK needs HAVE_ARCH_VMAP_STACK.* got 4\.8, whose era is 16k \(8k with a patched header\)/,
    ],
    ['--era vmap --kernel 3.14', /whose era is 8k \(16k with a patched header\)/],
    ['--past -1', /--past: expected a whole number of bytes from 0, got "-1"/],
    ['--frame 0', /--frame: expected a whole number of bytes from 1, got "0"/],
    ['--poke 1.5', /--poke: expected a whole number of bytes, got "1\.5"/],
    [
      '--frame 200000000000000',
      /--frame: expected .* from 1 to 140737488355328 \(2\^47, half of the address space with 4 levels of page tables\), got 200000000000000/,
    ],
    [
      '--frame 100000000000000000 --stack-base ffa0000000590000',
      /--frame: expected .* \(2\^56, half of the address space with 5 levels of page tables\)/,
    ],
    ['--jump 140737488355329', /--jump: expected .* from 0 to 140737488355328 \(2\^47/],
    ['--peek -18446744073709551616', /--peek: expected .* from -140737488355328 to/],
    [
      '--irq 999999',
      /--irq: expected at most \d+ bytes, which are left where the frame begins, got 999999/,
    ],
    ['--stack-base -1', /--stack-base: /],
    ['--trials 99999999999999999999', /--trials: expected a whole number from 1 to/],
    ['--neighbour slab', /--neighbour: expected stack or any with VMAP_STACK/],
    ['--past 8 --jump 8', /expected one of (--\w+, )+--irq, got --past and --jump$/m],
    ['--rsp xyz', /--rsp: .*hexadecimal.*"xyz"/],
    [
      '--rsp 0xffffffffffffffff',
      /--rsp: expected at most 0xffffc9[0-9a-f]+, where the frame begins, got 0xf{16}$/m,
    ],
    ['--stack-base 0x1000', /--stack-base: expected/],
    ['--stack-base 0xffffc90000004001', /--stack-base: expected .* a multiple of THREAD_SIZE/],
    [
      '--seed 2147483647 --trials 2',
      /--trials: expected at most 1 from seed 2147483647 on, .*, got 2$/m,
    ],
    ['--seed 2147483648', /--seed: expected a whole number from 0 to 2147483647/],
    ['--neighbour moon', /--neighbour: expected stack, slab, .*, got "moon"/],
    ['--trials 0', /--trials: expected a whole number from 1/],
    ['--era 8k --stack-end-check', /SCHED_STACK_END_CHECK is not in 3\.14/],
    ['--kasan --kernel 4.9', /KASAN/],
  ];

  for (const [argv, says] of WRONG) {
    it(`refuses ${argv} with one clear line`, async () => {
      const { code, out, err } = await run(...argv.split(' '));
      assert.equal(code, 2);
      assert.equal(out, '');
      assert.match(err, says);
      assert.equal(err.trimEnd().split('\n').length, 1, err);
    });
  }
});

describe('KASAN in an overrun', () => {
  it('reports a store to a free page and to vmalloc space, once, and lets it happen', async () => {
    const reportOf = async (argv: string) => {
      const { out } = await run(...argv.split(' '), '--kasan', '--json');
      const report = JSON.parse(out) as { detector: string; phase: string; console: string[] };
      const bugs = report.console.filter((line) => line.startsWith('BUG: KASAN:'));
      return { detector: report.detector, phase: report.phase, bugs };
    };
    assert.deepEqual(await reportOf('--era 16k --kernel 6.1 --jump 1024 --neighbour free'), {
      detector: 'kasan',
      phase: 'immediate',
      bugs: ['BUG: KASAN: use-after-free in jump+0x93/0xa0 [kstk]'],
    });
    assert.deepEqual(await reportOf('--poke 8'), {
      detector: 'kasan',
      phase: 'immediate',
      bugs: ['BUG: KASAN: vmalloc-out-of-bounds in kfn.cold+0x28/0x30 [kstk]'],
    });
  });

  it('knows nothing of pushes, nor of a neighbour’s stack', async () => {
    const { out } = await run('--kasan', '--json');
    assert.equal((JSON.parse(out) as { detector: string }).detector, 'guard-page');
    const live = await run(
      ...'--era 16k --kernel 6.1 --kasan --past 512 --frames dense --neighbour stack --json'.split(
        ' ',
      ),
    );
    assert.notEqual((JSON.parse(live.out) as { detector: string }).detector, 'kasan');
  });
});
