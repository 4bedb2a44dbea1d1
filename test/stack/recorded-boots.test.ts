import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { CONSOLE, readBoot, runAgain, type RecordedBoot } from './recorded-boot';

/**
 * What is not compared, because the model does not know it:
 * - lines `Hardware name:`, `Code:`, `PKRU:`, and those of a call trace marked `? `;
 * - in `CPU:` lines what follows the task's name (taint, release); in `Modules linked in:` the taint marks;
 * - EFLAGS, segment bases, CR0, CR3, CR4, and the registers RCX, RDX, RSI, RDI, R8 to R11 and R15;
 * - where in the direct map an object lies: RBX, R13 and R14 are compared as `direct map` if they point there;
 * - page-table entries but for those that are 0; the offset by which KASLR moved the image;
 * - hashed pointers, but for which of them are equal.
 */
function masked(lines: readonly string[]): string[] {
  const hashes: string[] = [];
  return lines
    .filter((line) => !/^(Hardware name:|Code:|PKRU:)|^ \? /.test(line))
    .map((line) =>
      line
        .replace(/^(CPU: \d+ PID: \d+ Comm: \S+) .*/, '$1')
        .replace(/\((OE|O|E)\)/, '')
        .replace(/EFLAGS: [0-9a-f]+/, 'EFLAGS')
        .replace(/^(FS|CS): .*/, '$1')
        .replace(/(CR3|CR4|RCX|RDX|RSI|RDI|R08|R09|R10|R11|R15): [0-9a-f]{16}/g, '$1')
        .replace(/(RBX|R13|R14): ffff[89][0-9a-f]{11}/g, '$1: direct map')
        .replace(/(PGD|P4D|PUD|PMD|PTE) [1-9a-f][0-9a-f]*/g, '$1')
        .replace(/^(Kernel Offset:) 0x[0-9a-f]+/, '$1')
        .replace(/\b00000000[0-9a-f]{8}(?=[ .)])/g, (hash) => {
          if (!/guard page was hit/.test(line)) return hash;
          if (!hashes.includes(hash)) hashes.push(hash);
          return `hash ${hashes.indexOf(hash)}`;
        }),
    );
}

describe('recorded boots of the stock kernel', () => {
  const files = readdirSync(CONSOLE).filter((name) => /^stock_.*\.txt$/.test(name));

  it('are there', () => {
    assert.ok(files.length >= 12);
  });

  for (const file of files) {
    describe(file, () => {
      let boot: RecordedBoot;
      let again: ReturnType<typeof runAgain>;
      before(() => {
        boot = readBoot(file);
        again = runAgain(boot);
      });

      it('says the same, line by line', () => {
        assert.deepEqual(masked(again.machine.console), masked(boot.console));
      });

      it('ends the same way', () => {
        const panicked = boot.console.some((line) => line.startsWith('Kernel panic'));
        assert.equal(again.machine.state, panicked ? 'panic' : 'alive');
        if (boot.alive) {
          const living = again.machine.tasks.filter(
            ({ comm, state }) => comm.startsWith('kstk/') && state !== 'dead',
          );
          assert.deepEqual(
            living.map(({ pid }) => pid),
            boot.alive,
          );
        }
      });

      it('lets the same threads come back, from the same depth, over the same end magic', () => {
        const depths = (list: RecordedBoot['returned']) =>
          list.map(({ pid, deepest, magic }) => ({ pid, deepest, magic }));
        assert.deepEqual(depths(again.returned), depths(boot.returned));
      });
    });
  }
});
