import assert from 'node:assert/strict';
import { DENSE_BYTE } from '../../../lib/stack/probe-code';
import { layoutFor } from '../../../lib/mm/layout';
import { recordedTables } from '../../../lib/mm/recorded-tables';
import { addressBits, hex, isCanonical, tableIndex } from '../../../lib/x86/addr';
import { X86_PF_INSTR, X86_PF_PROT, X86_PF_RSVD, X86_PF_USER, X86_PF_WRITE } from '../../../lib/x86/fault';
import { Cpu } from '../../../lib/x86/cpu';
import { isFault } from '../../../lib/x86/fault';
import { PageTable } from '../../../lib/x86/page-table';
import { PhysMemory } from '../../../lib/x86/phys-memory';
import { DUMPS, recordedPairs } from '../../x86/recorded';
import type { Claim } from '../claim';

const { dump, stacks, kernel, PAGE_OFFSET } = recordedTables();
const { base, ptes, comm } = stacks[0];
const recording = DUMPS.find((path) => path.endsWith('pt_4level_nokaslr'))!;

const isRecorded = () => assert.equal(kernel, '6.1.192');

export const CLAIMS: readonly Claim[] = [
  {
    says: 'Linux 6.1.192 in QEMU, stopped for a moment, with every page table copied out',
    source: 'recording pt_4level_nokaslr',
    holds: () => {
      isRecorded();
      assert.equal(comm, 'kstk/1');
      assert.equal(hex(base), '0xffffc900005b0000');
    },
  },
  {
    says: 'they must all be copies of bit 47',
    source: 'SDM vol. 1, 3.3.7.1',
    holds: () => {
      for (let bit = 47n; bit < 64n; bit++) assert.equal(isCanonical(1n << bit, 4), false);
      assert.ok(isCanonical((1n << 64n) - (1n << 47n), 4) && isCanonical((1n << 47n) - 1n, 4));
    },
  },
  {
    says: 'entry 432 of the last table holds `0x80000000063e0163`',
    source: 'recording pt_4level_nokaslr: the tables, and the entry as a module of that kernel read it',
    holds: () => {
      assert.equal(tableIndex(base, 1), 432);
      assert.equal(ptes[1], 0x80000000063e0163n);
      assert.equal(dump.walk(base + 0x123n).leaf, ptes[1]);
      assert.equal(dump.walk(base + 0x123n).pa, 0x63e0123n);
    },
  },
  {
    says: 'Zero, in entry 431, one before that of the stack',
    source: 'recording pt_4level_nokaslr',
    holds: () => {
      assert.equal(ptes[0], 0n);
      const { entries, fault } = dump.walk(base - 8n);
      assert.deepEqual([fault, entries[3].raw, tableIndex(base - 8n, 1)], ['not-present', 0n, 431]);
    },
  },
  {
    says: 'meet again in what the last entry says: `0x80000000063e0163`, the same page frame with the same rights',
    source: 'recording pt_4level_nokaslr',
    holds: () => {
      const stack = dump.walk(base).entries;
      const alias = dump.walk(PAGE_OFFSET + 0x63e0000n).entries;
      const table = (address: bigint) => address >> 12n;
      assert.deepEqual(
        stack.map(({ address }, i) => table(address) === table(alias[i].address)),
        [true, false, false, false],
      );
      assert.notEqual(stack[0].address, alias[0].address);
      assert.equal(stack[3].raw, alias[3].raw);
    },
  },
  {
    says: 'QEMU was asked for the translation of ten thousand addresses',
    source: 'recording pt_4level_nokaslr, gva2gpa',
    holds: () => assert.equal(recordedPairs(recording).length, 10_005),
  },
  {
    says: 'The direct map at 1.25 GiB is one page of 1 GiB: two entries and the walk is over',
    source: 'recording pt_4level_nokaslr',
    holds: () => {
      const { entries, level } = dump.walk(PAGE_OFFSET + 0x50000000n);
      assert.deepEqual([entries.length, level], [2, 3]);
      assert.equal(dump.walk(0xffffffff81000000n).level, 2);
      const after = dump.walk(PAGE_OFFSET + 0xc0000000n);
      assert.deepEqual([after.level, after.entries[1].raw], [3, 0n]);
      const user = dump.walk(0x400000n);
      assert.ok(user.entries.every(({ raw }) => (raw & 4n) !== 0n));
      assert.deepEqual(user.flags, ['P', 'US', 'A', 'NX']);
    },
  },
  {
    says: '57 bits. Since 4.14 Linux can use it',
    source: 'the model, after Documentation/x86/x86_64/mm.txt of 4.14 (the fact sheet names 5 levels from 4.20 on)',
    holds: () => {
      assert.equal(addressBits(5), 57);
      assert.throws(() => layoutFor({ version: '4.13', levels: 5 }), RangeError);
      assert.equal(layoutFor({ version: '4.14', levels: 5 }).levels, 5);
    },
  },
  {
    says: '| 0 | there was a translation, but it forbids this access |',
    source: 'SDM vol. 3, 4.7',
    holds: () => {
      const bits = [X86_PF_PROT, X86_PF_WRITE, X86_PF_USER, X86_PF_RSVD, X86_PF_INSTR];
      assert.deepEqual(bits, [1, 2, 4, 8, 16]);
    },
  },
  {
    says: '`0xa5` is what the overruns of this course leave behind',
    source: 'the model: a frame of which every byte is written; reserved bits: SDM vol. 3, 4.5',
    holds: () => {
      assert.equal(DENSE_BYTE, 0xa5);
      const memory = new PhysMemory(1 << 20);
      let frame = 16;
      const tables = new PageTable(memory, { levels: 4, allocTable: () => frame++ });
      tables.map(base, 0x80000n, 4096);
      memory.write64(tables.lookup(base)!.entryPa, 0xa5a5a5a5a5a5a5a5n);
      const cpu = new Cpu(memory);
      cpu.setCr3(tables.cr3);
      const fault = cpu.load64(base);
      assert.ok(isFault(fault));
      assert.equal(fault.errorCode, X86_PF_PROT | X86_PF_RSVD);
    },
  },
  {
    says: 'Linux 6.1: `Documentation/x86/x86_64/mm.rst`',
    source: 'the layout of 6.1 in that file',
    holds: () => assert.equal(layoutFor({ version: '6.1', levels: 4 }).PAGE_OFFSET, PAGE_OFFSET),
  },
  {
    says: 'The recording: Linux 6.1.192 in QEMU 7.2.22, `test/fixtures/pt_4level_nokaslr`',
    source: 'test/fixtures/README.md',
    holds: isRecorded,
  },
];
