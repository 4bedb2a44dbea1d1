import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import {
  addressOf,
  alignDown,
  alignUp,
  canonical,
  entrySpan,
  hex,
  isCanonical,
  parseAddress,
  tableIndex,
} from '../../lib/x86/addr';
import { join, scratch32, scratch64 } from '../../lib/x86/halves';
import { effort } from '../support/effort';

const any64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const levels = fc.constantFrom<4 | 5>(4, 5);

describe('addresses', () => {
  it('are canonical when their upper bits are alike, and made so by copying the sign bit', () => {
    fc.assert(
      fc.property(any64, levels, (va, n) => {
        const top = va >> (n === 5 ? 56n : 47n);
        const alike = top === 0n || top === (n === 5 ? 0xffn : 0x1ffffn);
        assert.equal(isCanonical(va, n), alike);
        const made = canonical(va, n);
        assert.ok(isCanonical(made, n));
        const low = (1n << (n === 5 ? 57n : 48n)) - 1n;
        assert.equal(made & low, va & low);
      }),
      effort(1000),
    );
    for (const va of [0x7fffffffffffn, 0xffff800000000000n, 0n, 2n ** 64n - 1n]) {
      assert.ok(isCanonical(va, 4) && isCanonical(va, 5));
    }
    for (const va of [0x800000000000n, 0xffff7fffffffffffn, 1n << 56n]) {
      assert.ok(!isCanonical(va, 4));
    }
  });

  it('are their table indices and the offset, put together', () => {
    fc.assert(
      fc.property(any64, levels, (any, n) => {
        const va = canonical(any, n);
        const indices = Array.from({ length: n }, (_, i) => tableIndex(va, n - i));
        assert.ok(indices.every((index) => index >= 0 && index < 512));
        assert.equal(addressOf(indices, n), va - (va & 0xfffn));
        const offset = indices.reduce(
          (sum, index, i) => sum + BigInt(index) * BigInt(entrySpan(n - i)),
          0n,
        );
        assert.equal(canonical(offset, n), va - (va & 0xfffn));
      }),
      effort(1000),
    );
  });

  it('round down and up to the multiples around them', () => {
    fc.assert(
      fc.property(any64, fc.constantFrom(1, 4096, 0x200000), (a, size) => {
        const [low, high] = [alignDown(a, size), alignUp(a, size)];
        assert.ok(low <= a && a <= high && high - low <= size);
        assert.deepEqual([low % BigInt(size), high % BigInt(size)], [0n, 0n]);
      }),
      effort(300),
    );
  });

  it('split into halves as BigInt splits them, and join again', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }), (a) => {
        scratch64[0] = a;
        const [lo, hi] = scratch32;
        assert.equal(BigInt(lo), BigInt.asIntN(32, a));
        assert.equal(BigInt(hi), BigInt.asIntN(32, a >> 32n));
        assert.equal(join(lo, hi), BigInt.asUintN(64, a));
      }),
      effort(1000),
    );
  });
});

describe('parseAddress', () => {
  it('reads what hex prints, with or without 0x, separators, capitals and spaces', () => {
    fc.assert(
      fc.property(any64, fc.constantFrom('', '_', '`'), fc.boolean(), (va, separator, capital) => {
        const text = hex(va);
        assert.match(text, /^0x[0-9a-f]{16}$/);
        assert.equal(parseAddress(text), va);
        assert.equal(parseAddress(hex(va, 1)), va);
        const digits = text.slice(2);
        const split = digits.slice(0, 8) + separator + digits.slice(8);
        assert.equal(parseAddress(capital ? split.toUpperCase() : ` ${split}\r`), va);
      }),
      effort(500),
    );
    assert.equal(parseAddress('0x' + '0'.repeat(40) + '12'), 0x12n);
  });

  it('refuses anything else with what it expected and got', () => {
    for (const text of [
      '',
      '0x',
      '-1',
      '1g',
      '0x1_',
      '_1',
      '1__2',
      '0x10000000000000000',
      '1 2',
      '1n',
      '１',
    ]) {
      assert.throws(
        () => parseAddress(text),
        (e: Error) => e instanceof RangeError && e.message.includes(`got ${JSON.stringify(text)}`),
        text,
      );
    }
  });

  it('ends soon, with an address or a RangeError, for any text', () => {
    const piece = fc.constantFrom('0x', '_', '`', 'f', '0', ' ', 'g', '\n', '-', '\u0000');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 90 }).map((a) => a.join('')),
        ),
        (text) => {
          try {
            const va = parseAddress(text);
            assert.ok(va >= 0n && va < 2n ** 64n);
          } catch (error) {
            assert.ok(error instanceof RangeError);
          }
        },
      ),
      effort(2000),
    );
  });
});
