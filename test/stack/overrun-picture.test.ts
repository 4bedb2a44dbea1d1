import assert from 'node:assert/strict';
import { compareDetectors } from '../../lib/stack/detectors/comparison';
import { overrun, type OverrunOptions } from '../../lib/stack/overrun';
import { overrunPicture } from '../../lib/stack/overrun-picture';
import { reportJson } from '../../lib/commands/options';
import { guardpage } from '../support/command';

const JUMP: OverrunOptions = { era: '16k', kernel: '4.9', jump: 600, seed: 3 };

const words = (_key: string, value: unknown) =>
  typeof value === 'bigint' ? value.toString(16) : value;

describe('overrunPicture', () => {
  it('overruns the same stack in the same memory as overrun does', () => {
    for (const more of [
      {},
      { memory: 'fragmented' },
      { stackBase: 0xffff880003000000n },
    ] as const) {
      const options = { ...JUMP, ...more };
      assert.deepEqual(
        overrunPicture(options).report,
        overrun(options),
        JSON.stringify(more, words),
      );
    }
  });

  it('names a command that does the same', async () => {
    const cases: readonly OverrunOptions[] = [
      {},
      { ...JUMP, kernel: undefined, memory: 'fragmented', neighbour: 'slab', kasan: false },
      {
        era: '16k',
        past: 512,
        frames: 'dense',
        frame: 128,
        kernel: '4.4',
        stackEndCheck: true,
        cpuacct: true,
      },
      { poke: 8, rsp: 0xffffc90000100040n, stackBase: 0xffffc90000100000n, stackProtector: false },
      { doubleFaultIst: false, kasan: true },
    ];
    for (const options of cases) {
      const { report, command } = overrunPicture(options);
      const [npx, name, ...argv] = command.split(' ');
      assert.deepEqual([npx, name, argv[0]], ['npx', 'guardpage', 'overrun']);
      const { code, out, err } = await guardpage(...argv, '--json');
      assert.deepEqual({ code, out, err }, { code: 0, out: `${reportJson(report)}\n`, err: '' });
    }
  });

  it('names the call where the command line has no such option', () => {
    const { command } = overrunPicture({ smp: false, alloca: 64, stackBase: 0xffffc90000100000n });
    assert.equal(
      command,
      'overrunPicture({ era: "vmap", seed: 1, smp: false, alloca: 64, stackBase: 0xffffc90000100000n })',
    );
  });
});

describe('compareDetectors', () => {
  const dense = { kernel: '6.1', past: 512, frames: 'dense', frame: 128 } as const;

  it('tries what overrun does in that memory, with each detector alone', () => {
    const alone = { era: '16k', stackEndCheck: false, stackProtector: false } as const;
    const ends = (seed: number) =>
      (['light', 'fragmented'] as const).map(
        (memory) => overrun({ ...dense, ...alone, seed, memory }).outcome,
      );
    const seed = [2, 3, 4, 5, 6, 7].find((one) => ends(one)[0] !== ends(one)[1])!;
    const options = { ...dense, seed, memory: 'fragmented', stackOverflowCheck: true } as const;
    const trials = compareDetectors(options);
    assert.equal(trials[0].outcome, ends(seed)[1]);
    assert.deepEqual(
      trials.filter(({ refused }) => refused !== null).map(({ detector }) => detector),
      ['DEBUG_STACKOVERFLOW'],
    );
  });

  it('refuses what overrun refuses', () => {
    assert.throws(() => compareDetectors({ past: 1, jump: 2 }), /got past and jump/);
    assert.throws(() => compareDetectors({ stackBase: 0x1000n }), /stackBase: expected/);
  });
});
