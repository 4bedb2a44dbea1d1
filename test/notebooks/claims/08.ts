import assert from 'node:assert/strict';
import recordedStacks from '../../../lib/data/recorded-stacks.json';
import { bareMachine } from '../../../lib/experiments/bare-machine';
import { experiment } from '../../../lib/experiments';
import { RECORDED_MEMORY } from '../../../lib/mm/recorded-memory';
import { recordedTables } from '../../../lib/mm/recorded-tables';
import { lazyMaxPages, vmallocRules } from '../../../lib/mm/vmalloc-rules';
import { isVmallocFailure } from '../../../lib/mm/vm-struct';
import { parseVmallocinfo } from '../../../lib/mm/vmallocinfo';
import { kernelConfig } from '../../../lib/stack/config';
import type { Claim } from '../claim';
import { commitIn, constant, mail, versionFact } from '../facts';

const real = recordedTables();
const areas = parseVmallocinfo(real.vmallocinfo);
const meminfo = (when: 'fresh' | 'parked', name: string) =>
  Number(new RegExp(`${name}: +(\\d+)`).exec(RECORDED_MEMORY[when].meminfo)?.[1]);
const grown = (name: string) => meminfo('parked', name) - meminfo('fresh', name);

/** An area of a stack on a bare machine of that kernel. */
function stackOn(version: string) {
  const { vmalloc } = bareMachine({ ramMiB: 32, version });
  const area = vmalloc.vmalloc(16384, { align: 16384 });
  assert.ok(!isVmallocFailure(area));
  return { vmalloc, area };
}

export const CLAIMS: readonly Claim[] = [
  {
    says: 'Since 4.9 stacks may live there',
    source: 'fact sheet, kernel stacks 5',
    holds: () => {
      assert.equal(versionFact('4.9').vmap, true);
      assert.equal(versionFact('4.4').vmap, false);
    },
  },
  {
    says: 'as `fork` does for three threads, on a machine like 6.1',
    source: 'the model: kernel, size, alignment',
    holds: () => {
      const { version, THREAD_SIZE } = kernelConfig('vmap');
      assert.deepEqual([version, THREAD_SIZE], ['6.1', 16384]);
    },
  },
  {
    says: 'what a real kernel showed, 6.1.192, shortly after boot',
    source: 'recording pt_4level_nokaslr, /proc/vmallocinfo',
    holds: () => assert.equal(real.kernel, '6.1.192'),
  },
  {
    says: 'The size is 20480, five pages, but `pages=4`',
    source: 'fact sheet, kernel stacks 7; recording pt_4level_nokaslr',
    holds: () => {
      assert.equal(constant('size of a stack in /proc/vmallocinfo'), 20480);
      const stacks = areas.filter(({ caller }) => caller?.startsWith('kernel_clone+'));
      assert.ok(stacks.length > 80);
      assert.ok(stacks.every(({ size, pages }) => size === 20480 && pages === 4));
    },
  },
  {
    says: 'Joonsoo Kim pointed that out when the patches were discussed, in July 2016',
    source: 'mail 20160729030146.GA31867@js1304-P5Q-DELUXE',
    holds: () => {
      assert.equal(mail('20160729030146.GA31867@js1304-P5Q-DELUXE').date, '2016-07-29');
    },
  },
  {
    says: '`vmap()` refuses to make them today',
    source: 'fact sheet, kernel stacks 7: vmap() strips VM_NO_GUARD in 6.8 and 6.19',
    holds: () => {
      assert.equal(vmallocRules('6.8').vmapStripsNoGuard, true);
      assert.equal(vmallocRules('4.9').vmapStripsNoGuard, false);
    },
  },
  {
    says: 'one stack every `0x8000`. Between them lie the guard page and a hole of 12 KiB',
    source: 'fact sheet, kernel stacks 7; recording pt_4level_nokaslr',
    holds: () => {
      const { vmalloc, area } = stackOn('6.1');
      const next = vmalloc.vmalloc(16384, { align: 16384 });
      assert.ok(!isVmallocFailure(next));
      assert.equal(next.addr - area.addr, 0x8000n);
      const bases = real.stacks.map(({ base }) => base);
      const steps = bases.slice(1).map((base, i) => base - bases[i]);
      assert.ok(steps.filter((step) => step === 0x8000n).length > steps.length / 3);
      assert.ok(steps.filter((step) => step % 0x4000n === 0n).length === steps.length);
    },
  },
  {
    says: 'The model makes the same two patterns',
    source: 'recording pt_4level_nokaslr, and the model',
    holds: () => {
      const { rows } = experiment('vmalloc-map').run().table;
      const pattern = (one: string) =>
        rows.filter((row) => row.case === one).map(({ from, kib, what }) => [from, kib, what]);
      assert.deepEqual(pattern('model, stacks alone'), pattern('recorded, later'));
      assert.deepEqual(pattern('model, small areas too'), pattern('recorded, early in boot'));
    },
  },
  {
    says: 'Of 500 recorded stacks 422 were contiguous in fresh memory and 306 where a program had freed every second of its pages; of 400 none at all',
    source: 'fact sheet, real overruns, physical scatter',
    holds: () => {
      const { fresh, fragmented, kernelFragmented64 } = recordedStacks.counts;
      assert.deepEqual(
        [fresh.n, fresh.contiguous, fragmented.n, fragmented.contiguous],
        [500, 422, 500, 306],
      );
      assert.deepEqual([kernelFragmented64.n, kernelFragmented64.contiguous], [400, 0]);
    },
  },
  {
    says: 'Linux 6.19 asks for a block of four pages first and takes it apart',
    source: 'fact sheet, kernel stacks 5: vm_area_alloc_pages() of 6.19, not of 6.14',
    holds: () => {
      assert.deepEqual(
        ['6.14', '6.19'].map((version) => vmallocRules(version).largeBlockFirst),
        [false, true],
      );
    },
  },
  {
    says: '8000 kB are 500 times 16, and no more. `VmallocUsed`, which counts mapped pages, grew by one stack less',
    source: 'recording memstate_nokaslr',
    holds: () => assert.deepEqual([grown('KernelStack'), grown('VmallocUsed')], [8000, 8000 - 16]),
  },
  {
    says: 'a thousand vmalloc\'ed stacks take 16,000 kB and 72 kB of page tables: one table for 64 stacks',
    source: 'the model',
    holds: () => {
      const { rows } = experiment('stack-memory').run({ threads: 1000 }).table;
      const row = rows.find(
        ({ evidence, layout, threads }) =>
          evidence === 'model' && layout === '16 KB, vmalloc' && threads === 1000,
      )!;
      assert.deepEqual([row.stackKb, row.lostKb, row.tablesKb], [16_000, 0, 72]);
      assert.equal((512 * 4096) / 0x8000, 64);
      assert.equal(Math.ceil(1000 / 64) + 2, 72 / 4);
    },
  },
  {
    says: 'The area has 32 TB on a machine with four levels',
    source: 'fact sheet, kernel stacks 7',
    holds: () => {
      assert.equal(constant('vmalloc area, 4 levels'), 32);
      assert.equal((real.VMALLOC_END - real.VMALLOC_START + 1n) >> 40n, 32n);
    },
  },
  {
    says: 'on a machine with 8 CPUs 128 MiB of addresses may wait, which is about 6,550 freed stacks',
    source: 'fact sheet, kernel stacks 7: lazy_max_pages()',
    holds: () => {
      assert.equal(constant('lazy_max_pages, 8 CPUs'), lazyMaxPages(8));
      assert.equal((lazyMaxPages(8) * 4096) / 2 ** 20, 128);
      assert.equal(Math.round(lazyMaxPages(8) / 5 / 10), 655);
    },
  },
  {
    says: 'each CPU keeps two freed ones for the next `fork`',
    source: 'fact sheet, kernel stacks 5: NR_CACHED_STACKS',
    holds: () => {
      assert.equal(constant('NR_CACHED_STACKS'), 2);
      assert.equal(kernelConfig('vmap').NR_CACHED_STACKS, 2);
    },
  },
  {
    says: 'Linux 6.1: `mm/vmalloc.c`, `__get_vm_area_node()`',
    source: 'fact sheet, kernel stacks 7; the listing of the recorded 6.1.192',
    holds: () => assert.equal(stackOn('6.1').area.size, 20480),
  },
  {
    says: '*fork: Add generic vmalloced stack support*, commit ba14a194a434, Linux 4.9',
    source: 'fact sheet, kernel stacks 5',
    holds: () => commitIn('ba14a194a434', '4.9'),
  },
  {
    says: 'commit 68ad4a330433, Linux 5.2: lowest address first',
    source: 'fact sheet, kernel stacks 7; the model after it',
    holds: () => {
      commitIn('68ad4a330433', '5.2');
      assert.equal(vmallocRules('5.2').search, 'lowest-fit');
      assert.equal(vmallocRules('5.0').search, 'next-fit');
    },
  },
];
