import assert from 'node:assert/strict';
import { refusing } from '../../lib/commands/options';
import { UsageError } from '../../lib/commands/usage-error';
import { experiment } from '../../lib/experiments';
import { parseTrace } from '../../lib/stack/parse-trace';
import { kconfig } from '../../lib/stack/kconfig';
import { overrun } from '../../lib/stack/overrun';

describe('refusing', () => {
  it('takes what the library refuses for the user’s mistake, in the words of the command line', () => {
    const works: readonly [work: () => unknown, says: RegExp][] = [
      [() => overrun({ jump: -1 }), /^--jump: expected a whole number/],
      [() => overrun({ rsp: 0n, past: 8 }), /^--rsp: goes with poke or peek, or alone$/],
      [() => overrun({ stackBase: 0x1000n }), /^--stack-base: expected an address/],
      [() => experiment('nothing'), /^experiment: expected the name of one/],
      [() => kconfig({ version: '4.8', options: { VMAP_STACK: true } }), /^VMAP_STACK=y is impos/],
      [() => parseTrace('{"entries":[]}'), /^entries: expected a list/],
    ];
    for (const [work, message] of works) {
      assert.throws(() => refusing(work), { name: 'UsageError', message });
    }
  });

  it('lets errors of the engine’s own through: they are not the user’s', () => {
    const deep = (): number => 1 + deep();
    for (const work of [
      () => BigInt(Infinity),
      () => BigInt(0.5),
      () => new Array(-1),
      () => new Uint8Array(-1),
      () => new Uint8Array(8).set([1], 8),
      () => 'x'.repeat(-1),
      () => 'x'.repeat(2 ** 30),
      () => (1).toFixed(200),
      () => (1).toString(99),
      () => new Date(NaN).toISOString(),
      () => String.fromCodePoint(-1),
      () => new DataView(new ArrayBuffer(8)).getInt8(8),
      () => Buffer.alloc(8).readInt8(8),
      () => 1n / BigInt(0),
      () => 2n ** BigInt(-1),
      deep,
    ]) {
      assert.throws(
        () => refusing<unknown>(work),
        (error) => error instanceof RangeError && !(error instanceof UsageError),
        String(work),
      );
    }
  });
});
