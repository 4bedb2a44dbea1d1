import assert from 'node:assert/strict';
import { kernelConfig } from '../../lib/stack/config';
import { Machine } from '../../lib/stack/machine';

describe('printk', () => {
  const config = kernelConfig('16k', { kernel: '6.1', smp: false });

  /** An invalid opcode in the idle task, after `entries` of the table that maps the kernel's data are gone. */
  function oopsWithout(entries: number): Machine {
    const m = new Machine(config);
    const data = m.walk(m.perCpu & -0x200000n).entries;
    const table = data[data.length - 1].address & ~0xfffn;
    for (let i = 512 - entries; i < 512; i++) m.memory.write64(table + BigInt(8 * i), 0n);
    m.cpu.flushTlb();
    m.raiseInvalidOpcode();
    m.run();
    return m;
  }

  it('finds the log in the kernel’s data: while that is mapped an oops is printed', () => {
    const { state, console } = oopsWithout(0);
    assert.equal(state, 'panic');
    assert.ok(console.includes('invalid opcode: 0000 [#1]'));
  });

  it('says nothing and faults without end once the upper half of the data is not mapped', () => {
    const { state, console, deliveries } = oopsWithout(256);
    assert.equal(state, 'hang');
    assert.deepEqual(console, []);
    assert.ok(deliveries.slice(1).every(({ delivery }) => delivery.kind === 'handler'));
  });
});
