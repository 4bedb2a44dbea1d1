import assert from 'node:assert/strict';
import recorded from '../../../lib/data/recorded-overruns.json';
import { experiment } from '../../../lib/experiments';
import { readOops } from '../../../lib/experiments/own-machine/read-oops';
import { sample } from '../../../lib/experiments/own-machine/samples';
import { FRAME_WARN } from '../../../lib/stack/detectors/checkstack';
import { overrun } from '../../../lib/stack/overrun';
import { featuresOf } from '../../../lib/stack/versions';
import type { Claim } from '../claim';
import { constant, report, versionFact } from '../facts';

const rowsOf = (name: string, params = {}) => experiment(name).run(params, 1).table.rows;

export const CLAIMS: readonly Claim[] = [
  {
    says: 'On 6.1, with live stacks 32 KB apart, a function makes one frame that ends 16,752 bytes below the base',
    source: 'recorded-overruns.json, landings; the model',
    holds: () => {
      assert.ok(recorded.landings.some(({ below }) => below === 16752));
      const { cr2, phase, detector, machine } = overrun({
        era: 'vmap',
        kernel: '6.1',
        neighbour: 'stack',
        jump: 16752,
      });
      assert.deepEqual([cr2, phase, detector, machine], [null, 'wake', 'stack-protector', 'panic']);
    },
  },
  {
    says: 'This project booted a real 6.1.192 three times and did the same: no fault in any of them.',
    source: 'fact sheet, real overruns',
    holds: () => {
      const over = recorded.landings.filter(({ below }) => below > 16384);
      assert.ok(over.length >= 2);
      for (const { landing } of over) assert.equal(landing, 'mapped: no fault');
      const { event, died, comm } = readOops(sample('oops-jump-over'));
      assert.deepEqual([event, died, comm], ['stack-protector', 'machine', 'kstk/10']);
    },
  },
  {
    says: 'CVE-2010-3848 let a user choose the size of an array on the kernel stack',
    source: 'fact sheet, kernel stacks 8',
    holds: () => {
      const { kernel, stackKb, what } = report('CVE-2010-3848');
      assert.deepEqual([kernel, stackKb], ['2.6.32', 8]);
      assert.match(what, /sized by the caller/);
    },
  },
  {
    says: 'While the hole is empty, 16 KB below a stack fault.',
    source: 'fact sheet, kernel stacks 7',
    holds: () => {
      const rows = rowsOf('guard-jump', { step: 1024 }).filter(({ holes }) => holes === 'empty');
      for (const { below, landing } of rows) {
        if (Number(below) <= 16384) assert.notEqual(landing, 'mapped: no fault');
      }
      assert.ok(rows.some(({ landing }) => landing === 'mapped: no fault'));
    },
  },
  {
    says: 'A frame of one page or less never passes.',
    source: 'the model',
    holds: () => {
      for (const { frame, silent } of rowsOf('jump-by-frame', { entries: 8 })) {
        if (Number(frame) <= 4096) assert.equal(silent, 0);
      }
    },
  },
  {
    says: '`FRAME_WARN` is 2048 on 64-bit',
    source: 'fact sheet, kernel stacks 9',
    holds: () => {
      assert.equal(constant('FRAME_WARN, 64 bit'), 2048);
      assert.equal(FRAME_WARN, 2048);
    },
  },
  {
    says: 'Arrays whose length is known only at run time were removed, more than 200 of them, and since 4.20 the kernel is compiled with `-Wvla`.',
    source: 'fact sheet, kernel stacks 9 (4.20 Makefile)',
    // A rule of the compiler, which the model has no place for: what it keeps away is a larger frame.
    holds: () => assert.ok(FRAME_WARN < 4096),
  },
  {
    says: 'the trees of 5.17, 6.8 and 6.19 pass `-fno-stack-clash-protection`',
    source: 'fact sheet, kernel stacks 9',
    holds: () => {
      for (const version of ['5.17', '6.8', '6.19']) assert.ok(versionFact(version).tree);
    },
  },
  {
    says: 'For about one in five, if the stack protector is off',
    source: 'the model',
    holds: () => {
      const rows = rowsOf('stray-word').filter(({ protector }) => protector === 'n');
      const share = rows.filter(({ noticed }) => noticed !== 'never').length / rows.length;
      assert.ok(share > 0.16 && share < 0.25, String(share));
    },
  },
  {
    says: 'The stack protector adds two words: its own canaries.',
    source: 'the model',
    holds: () => {
      const caught = rowsOf('stray-word').filter(({ by }) => by === 'stack-protector');
      assert.equal(caught.length, 2);
      assert.ok(caught.every(({ protector }) => protector === 'y'));
    },
  },
  {
    says: '`VMAP_STACK` came with 4.9. Which of these stacks had a guard page then?',
    source: 'fact sheet, kernel stacks 2',
    holds: () => {
      const { vmap, irqGuard, istGuard } = versionFact('4.9');
      assert.deepEqual([vmap, irqGuard, istGuard], [true, false, false]);
    },
  },
  {
    says: 'Up to 5.0 the IRQ stack was an array in per-CPU memory',
    source: 'fact sheet, kernel stacks 2',
    holds: () => {
      assert.equal(versionFact('5.0').irqGuard, false);
      for (const { kernel, stack, noticed } of rowsOf('other-stacks')) {
        if (stack === 'IRQ' && ['4.9', '4.20', '5.0'].includes(String(kernel)))
          assert.equal(noticed, 'never');
      }
    },
  },
  {
    says: 'Since 5.2 the IRQ stack is mapped into the vmalloc area with guards, and in the tree of 5.3 the exception stacks have unmapped pages between them.',
    source: 'fact sheet, kernel stacks 2',
    holds: () => {
      assert.equal(versionFact('5.2').irqGuard, true);
      assert.equal(versionFact('5.3').istGuard, true);
      assert.equal(featuresOf('5.3').features.guardsIstStacks, true);
    },
  },
  {
    says: 'Up to 5.15 the handler of the [double fault](glossary.ipynb#double-fault) knew the task\'s guard page only; an overflow of the IRQ stack was `PANIC: double fault`, and finding out why was left to the reader. Since 5.16 the line says `IRQ stack guard page`.',
    source: 'fact sheet, kernel stacks 6.1',
    holds: () => {
      const line = (version: string) =>
        String(
          rowsOf('other-stacks').find((row) => row.kernel === version && row.stack === 'IRQ')?.line,
        );
      assert.match(line('5.7'), /PANIC: double fault/);
      assert.equal(line('5.16'), 'BUG: IRQ stack guard page was hit');
    },
  },
  {
    says: '`RANDOMIZE_KSTACK_OFFSET`, which moves the frames of a system call by up to 1008 bytes',
    source: 'fact sheet, kernel stacks 9 (6.19)',
    holds: () => {
      assert.equal(constant('KSTACK_OFFSET_MAX step'), 16);
      assert.equal(0b1111110000, 1008);
    },
  },
  {
    says: 'the top-level `Makefile` for `-Wvla` (4.20), `-Wvla-larger-than=1` (6.19) and `-fno-stack-clash-protection` (5.17, 6.8, 6.19)',
    source: 'fact sheet, kernel stacks 9',
    holds: () => {
      for (const version of ['4.20', '5.17', '6.8', '6.19']) assert.ok(versionFact(version).tree);
    },
  },
  {
    says: '`arch/x86/include/asm/cpu_entry_area.h` (5.3): the exception stacks and the guards between them; `arch/x86/kernel/irq_64.c` (5.2): the IRQ stack.',
    source: 'fact sheet, kernel stacks 2',
    holds: () => {
      assert.equal(versionFact('5.3').istGuard, true);
      assert.equal(versionFact('5.2').irqGuard, true);
    },
  },
];
