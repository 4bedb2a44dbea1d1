import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { experiment } from '../../../lib/experiments';
import { readOops } from '../../../lib/experiments/own-machine/read-oops';
import { sample } from '../../../lib/experiments/own-machine/samples';
import { overrun, type OverrunOptions } from '../../../lib/stack/overrun';
import { featuresOf } from '../../../lib/stack/versions';
import type { Claim } from '../claim';
import { commitIn, versionFact } from '../facts';

const hit = (kernel: string, options: OverrunOptions = {}) =>
  overrun({ era: 'vmap', kernel, ...options });

const console = (file: string) =>
  readFileSync(join(__dirname, '..', '..', 'fixtures', 'console', file), 'utf8');

/** Boots of the stock kernel in which RSP ran, or jumped, into the guard page. */
const INTO_THE_GUARD = [
  'stock_rec256_nokaslr.txt',
  'stock_rec256_kaslr_hashed.txt',
  'stock_rec8192_nokaslr.txt',
  'stock_polite_no_overrun.txt',
  'stock_jump_in_guard.txt',
];

export const CLAIMS: readonly Claim[] = [
  {
    says: 'Here is one such stack on a machine with 6.1',
    source: 'the model',
    holds: () => assert.equal(hit('6.1', { peek: 8 }).modelled, '6.1'),
  },
  {
    says: 'CR2 and RSP of boots of 6.1.192 that this project recorded',
    source: 'fixtures/console, lib/data/recorded-guard-hits.json',
    holds: () => {
      const { table } = experiment('guard-delivery').run({}, 1);
      const crosses = table.rows.filter(({ result }) => result === 'faults: CR2');
      const real = table.rows.filter(({ evidence }) => evidence === 'recorded');
      assert.ok(real.length >= 7);
      for (const { rsp, at } of real) {
        assert.ok(crosses.some((row) => row.rsp === rsp && row.at === at));
      }
    },
  },
  {
    says: 'Forty-eight: six words of eight bytes.',
    source: 'SDM vol. 3, 6.14.2; fact sheet, kernel stacks 6',
    holds: () => {
      const { rows } = experiment('guard-delivery').run({}, 1).table;
      const at = (rsp: number) => rows.find((row) => row.rsp === rsp)?.delivered;
      assert.deepEqual([at(32), at(40), at(48), at(56)], ['#DF', '#DF', '#PF', '#PF']);
    },
  },
  {
    says: 'With 176 there is room for all registers. The report comes out, the task is ended, and then the scheduler panics',
    source: 'the model',
    holds: () => {
      const stackBase = 0xffffc90000590000n;
      const at = (room: bigint) =>
        overrun({ era: 'vmap', stackBase, peek: 512, rsp: stackBase + room });
      const [tight, marker, fine] = [48n, 176n, 256n].map(at);
      assert.deepEqual([at(184n).machine, at(192n).machine], ['panic', 'alive']);
      assert.match(tight.console.join('\n'), /RIP: 0010:asm_exc_page_fault/);
      assert.deepEqual([marker.task, marker.machine], ['killed', 'panic']);
      assert.match(marker.console.join('\n'), /corrupted stack end detected inside scheduler/);
      assert.deepEqual([fine.task, fine.machine], ['killed', 'alive']);
    },
  },
  {
    says: 'From 16 to 47 bytes above it some words are still stored, over whatever lay in the last bytes of the stack, and CR2 is base − 8.',
    source: 'fact sheet, real overruns; the model',
    holds: () => {
      const { rows } = experiment('guard-delivery').run({}, 1).table;
      for (const row of rows.filter(({ result }) => result === 'faults: CR2')) {
        const rsp = Number(row.rsp);
        assert.equal(row.at, rsp >= 0 ? -8 : Math.floor(rsp / 16) * 16 - 8);
      }
      const stored = rows.filter(({ rsp, result }) => rsp === 40 && result === 'stored');
      assert.equal(stored.length, 4);
    },
  },
  {
    says: 'This is the console of a Debian kernel, 6.1.192',
    source: 'fixtures/console/stock_rec256_nokaslr.txt',
    holds: () => {
      const text = console('stock_rec256_nokaslr.txt');
      assert.match(text, /Debian 6\.1\.192-2/);
      for (const line of sample('oops-recursion').text.trimEnd().split('\n')) {
        assert.ok(text.includes(line), line);
      }
    },
  },
  {
    says: '152 bytes below the base: the function had already made its frame.',
    source: 'fixtures/console/stock_rec256_nokaslr.txt',
    holds: () => {
      const { base, rsp, cr2, via, died } = readOops(sample('oops-recursion'));
      assert.equal(base! - rsp!, 152n);
      assert.equal((rsp! & ~15n) - 8n, cr2);
      assert.deepEqual([via, died], ['#DF', 'machine']);
      assert.match(sample('oops-recursion').text, /R12: ffffc9000058ff70/);
    },
  },
  {
    says: 'On 4.9 to 5.7 that is what happens.',
    source: 'fact sheet, kernel stacks 6.2',
    holds: () => {
      for (const kernel of ['4.9', '5.7']) {
        const { machine, task } = hit(kernel);
        assert.deepEqual([machine, task], ['alive', 'killed']);
        assert.equal(featuresOf(kernel).features.doubleFaultIsNmi, false);
      }
    },
  },
  {
    says: 'Since 5.8 it runs as if it were a non-maskable interrupt',
    source: 'fact sheet, kernel stacks 6.2',
    holds: () => {
      assert.equal(featuresOf('5.8').features.doubleFaultIsNmi, true);
      assert.deepEqual([versionFact('5.7').dfNmi, versionFact('5.8').dfNmi], [false, true]);
      assert.equal(hit('5.8').machine, 'panic');
    },
  },
  {
    says: 'comes as #DF, and since 5.8 it takes the machine along. All seven recorded boots of 6.1.192 that ran or jumped into the guard page ended in `Fatal exception in interrupt`. Three that loaded from it or stored to it with RSP inside lost one task each.',
    source: 'fact sheet, real overruns; fixtures/console',
    holds: () => {
      const { rows } = experiment('who-dies').run({}, 1).table;
      const boots = rows.filter(({ evidence }) => evidence === 'recorded');
      assert.deepEqual(
        boots.map(({ boots: n, dies }) => [n, dies]),
        [
          [7, 'the machine'],
          [3, 'the task'],
        ],
      );
      for (const file of INTO_THE_GUARD) assert.equal(readOops(console(file)).died, 'machine');
      for (const what of ['poke_guard_below', 'peek_guard_below', 'poke_guard_below_kaslr_hashed'])
        assert.equal(readOops(console(`stock_${what}.txt`)).died, 'task');
      const killed = rows.filter((row) => row.dies === 'the machine' && row.panicOnOops === 0);
      assert.ok(killed.every((row) => row.exception === '#DF'));
    },
  },
  {
    says: 'Up to 5.15 the page *above* a stack was called a guard hit as well, if it came as #PF; since 5.16 only the page below counts, and the rest is an ordinary page fault. Hence the `TASK` in the message: the same commit, 44b979fa302c, taught the handler to name the kind of stack.',
    source: 'fact sheet, kernel stacks 6.1',
    holds: () => {
      assert.match(hit('5.14', { poke: -16384 }).console[0], /^BUG: stack guard page was hit/);
      assert.match(hit('5.16', { poke: -16384 }).console[0], /^BUG: unable to handle page fault/);
      assert.match(hit('5.16').console[0], /^BUG: TASK stack guard page/);
      commitIn('44b979fa302c', '5.16');
    },
  },
  {
    says: 'CPUs with FRED, which Linux supports in the 6.14 tree and not in 6.8, have no IST. They have stack levels: #DF is delivered on level 3, #PF stays on level 0.',
    source: 'fact sheet, kernel stacks 2',
    // Facts of hardware that is not simulated: what the simulator can say is that #PF has no IST stack.
    holds: () => {
      const vectors = featuresOf('6.14').features.istStacks.map(({ vector }) => vector);
      assert.equal(vectors.includes(14), false);
      assert.equal(vectors.includes(8), true);
    },
  },
  {
    says: 'Some stable kernels before 5.16 have the newer message, because the commit was backported.',
    source: 'fact sheet, kernel stacks 6.1',
    holds: () => commitIn('44b979fa302c', '5.16'),
  },
  {
    says: '`arch/x86/kernel/traps.c`, `exc_double_fault()` (6.19)',
    source: 'fact sheet, kernel stacks 6',
    holds: () => assert.match(hit('6.19').console[0], /^BUG: TASK stack guard page/),
  },
  {
    says: 'Commits e37e43a497d5 (vmapped stacks on x86-64) and 6271cfdfc0e4 (stack-overflow #PF handling), both 4.9; 44b979fa302c (stack overflow warnings), 5.16.',
    source: 'fact sheet, kernel stacks 5',
    holds: () => {
      commitIn('e37e43a497d5', '4.9');
      commitIn('6271cfdfc0e4', '4.9');
      commitIn('44b979fa302c', '5.16');
    },
  },
];
