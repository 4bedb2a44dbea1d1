import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { readGate, writeGate } from '../../lib/x86/idt';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { readTss, writeTss } from '../../lib/x86/tss';
import { effort } from '../support/effort';

const address = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe('a gate of the IDT', () => {
  it('is read back as it was written, whatever lay there', () => {
    const gate = fc.record(
      {
        offset: address,
        selector: fc.nat(0xffff),
        ist: fc.nat(7),
        type: fc.constantFrom('interrupt' as const, 'trap' as const),
        dpl: fc.nat(3),
        present: fc.boolean(),
      },
      { noNullPrototype: true },
    );
    const check = fc.property(gate, fc.nat(255), (written, vector) => {
      const memory = new PhysMemory(8192);
      memory.fill(0n, 8192, 0xff);
      const at = BigInt(16 * vector);
      writeGate(memory, at, written);
      assert.deepEqual(readGate(memory, at), written);
    });
    fc.assert(check, effort(50));
  });

  it('is none where the type says so', () => {
    assert.equal(readGate(new PhysMemory(4096), 0n), null);
  });
});

describe('a TSS', () => {
  it('is read back as it was written, with zeroes for the IST entries that were not given', () => {
    const stacks = fc.array(address, { maxLength: 7 });
    const check = fc.property(address, stacks, (rsp0, ist) => {
      const memory = new PhysMemory(4096);
      memory.fill(0n, 4096, 0xff);
      writeTss(memory, 256n, { rsp0, ist });
      const seven = [...ist, 0n, 0n, 0n, 0n, 0n, 0n, 0n].slice(0, 7);
      assert.deepEqual(readTss(memory, 256n), { rsp0, ist: seven });
    });
    fc.assert(check, effort(50));
  });
});
