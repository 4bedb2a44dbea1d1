import assert from 'node:assert/strict';
import { KernelText } from '../../lib/stack/kernel-text';

const TEXT = 0xffffffff81000000n;
const MODULES = 0xffffffffc0000000n;

describe('KernelText', () => {
  it('lays functions out one behind the other, those of modules and of the gates apart', () => {
    const text = new KernelText(TEXT, MODULES);
    const at = [
      text.define('first', 0x21),
      text.define('second', 0x10),
      text.define('elsewhere', 0x10, 'kstk'),
      text.defineEntry('gate', 0x30),
    ].map(({ address }) => address);
    assert.deepEqual(at, [TEXT, TEXT + 0x30n, MODULES, TEXT + 0x200000n]);
    assert.equal(text.named('second').address, TEXT + 0x30n);
    assert.equal(text.end, TEXT + 0x40n);
  });

  it('lays out nothing that is looked up, and no name twice', () => {
    const text = new KernelText(TEXT, MODULES);
    text.define('known', 0x10);
    assert.throws(() => text.named('unknown'), {
      name: 'RangeError',
      message: 'text: expected a function that is laid out, got unknown',
    });
    for (const again of [() => text.define('known', 0x20), () => text.defineEntry('known', 0x20)])
      assert.throws(again, {
        name: 'RangeError',
        message: 'text: expected a name that no function has, got known',
      });
  });
});
