import assert from 'node:assert/strict';
import { experiment } from '../../../lib/experiments';
import { readMachineText } from '../../../lib/experiments/own-machine/read-machine-text';
import { readStackTrace } from '../../../lib/experiments/own-machine/read-stack-trace';
import { readVmallocinfo } from '../../../lib/experiments/own-machine/read-vmallocinfo';
import { readBuddyinfo } from '../../../lib/experiments/own-machine/read-buddyinfo';
import { sample } from '../../../lib/experiments/own-machine/samples';
import { HAVE_ARCH_VMAP_STACK_SINCE, type Arch } from '../../../lib/stack/architectures';
import { kernelConfig } from '../../../lib/stack/config';
import { kconfig } from '../../../lib/stack/kconfig';
import type { Claim } from '../claim';
import { ARCHITECTURE_FACTS, commitIn, figureFact, mail } from '../facts';

const since = (arch: Arch) => HAVE_ARCH_VMAP_STACK_SINCE[arch];

const NEWEST = '6.19';

export const CLAIMS: readonly Claim[] = [
  {
    says: 'it is one you cannot enable.',
    source: 'fact sheet, kernel stacks 9.1; arch/Kconfig',
    holds: () => {
      const row = kconfig({ version: '6.1' }).rows.find(
        ({ option }) => option === 'HAVE_ARCH_VMAP_STACK',
      );
      assert.deepEqual([row?.prompt, row?.value], [false, 'y']);
      assert.throws(
        () => kconfig({ version: '6.1', options: { HAVE_ARCH_VMAP_STACK: 'n' } }),
        /no prompt and nobody sets it by hand/,
      );
    },
  },
  {
    says: 'x86-64 was first, in 4.9, and had the new stacks for everybody from the start, default y. arm64 followed within the 4.14 tree, s390 by 4.20; the last one to join so far, 32-bit ARM, is in the 5.19 tree.',
    source: 'fact sheet, kernel stacks 9.1',
    holds: () => {
      assert.deepEqual(
        [since('x86_64'), since('arm64'), since('s390'), since('arm')],
        ['4.9', '4.14', '4.20', '5.19'],
      );
      for (const { arch, since: version } of ARCHITECTURE_FACTS)
        assert.equal(since(arch as Arch), version, arch);
      assert.equal(kconfig({ version: '4.9' }).value('VMAP_STACK'), 'y');
    },
  },
  {
    says: 'The tree of 5.3 still refuses the pair; that of 5.8 takes it with `KASAN_VMALLOC`',
    source: 'fact sheet, kernel stacks 9',
    holds: () => {
      const options = { KASAN: 'y', VMAP_STACK: 'y' } as const;
      assert.throws(() => kconfig({ version: '5.3', options }), /depends on !KASAN/);
      const both = kconfig({ version: '5.8', options: { ...options, KASAN_VMALLOC: 'y' } });
      assert.equal(both.value('VMAP_STACK'), 'y');
    },
  },
  {
    says: 'Such a kernel has stacks of 32 KB',
    source: 'fact sheet, kernel stacks 1',
    holds: () => {
      const { THREAD_SIZE } = kernelConfig('vmap', { kernel: '5.8', kasan: true });
      assert.equal(THREAD_SIZE, 32768);
    },
  },
  {
    says: 'His first tests, on idle, freshly booted machines, saved 70 to 75 % of all stack memory',
    source: 'mail of 2024-03-11',
    holds: () => {
      const { author, what } = mail(
        'CA+CK2bBr2wH4=L39ZthRPUnAjVxMqt80bsZj0NPx9xdH=_Mn0Q@mail.gmail.com',
      );
      assert.equal(author, 'Pasha Tatashin');
      assert.match(what, /one page, three more by fault; 70 to 75 %/);
    },
  },
  {
    says: 'With one thread in ten that goes deep it is 72 %',
    source: 'the model',
    holds: () => {
      const { rows } = experiment('dynamic-stacks').run({}, 1).table;
      const saved = rows.filter(({ evidence, deep }) => evidence === 'model' && deep === 10);
      assert.deepEqual(
        saved.map((row) => Math.round(Number(row.saved))),
        [72],
      );
    },
  },
  {
    says: 'on one host 4632 threads had taken 156 KB in all beyond their first pages',
    source: 'figures.json: patch in linusw/linux-integrator 56b22ea21ac1',
    holds: () => {
      const { value, source } = figureFact('stack memory on a host with dynamic stacks');
      assert.match(source, /4632 tasks, 156 KB faulted in/);
      assert.equal(value, 4632 * 4 + 156);
    },
  },
  {
    says: 'David Stevens posted a second version in April 2026, for Android',
    source: 'mail of 2026-04-24',
    holds: () => {
      const { author, date } = mail('20260424191456.2679717-1-stevensd@google.com');
      assert.deepEqual([author, date], ['David Stevens', '2026-04-24']);
    },
  },
  {
    says: 'so the saving is a question of how many threads have *ever* gone deep',
    source: 'the model',
    holds: () => {
      const { rows } = experiment('dynamic-stacks').run({ threads: 50 }, 1).table;
      const model = rows.filter(({ evidence }) => evidence === 'model');
      const saved = model.map((row) => Number(row.saved));
      assert.deepEqual(
        saved,
        [...saved].sort((a, b) => b - a),
      );
    },
  },
  {
    says: 'The tree of 6.19 has neither.',
    source: 'fact sheet, kernel stacks 11',
    // What is modelled as 6.19 maps every page of a stack when it is made.
    holds: () => assert.equal(kernelConfig('vmap', { kernel: NEWEST }).THREAD_SIZE, 16384),
  },
  {
    says: 'is 8360 bytes deep: on a kernel of the first era it would run 280 bytes over',
    source: 'lib/data/traces/12',
    holds: () => {
      const { maxDepth, room } = readStackTrace(sample('stack_trace-writeback'));
      assert.deepEqual([maxDepth, room[0].headroom], [8360, -280]);
      assert.match(sample('stack_trace-writeback').source, /Rostedt/);
      assert.ok(room[2].headroom / room[2].usable > 0.45);
    },
  },
  {
    says: 'Most stacks have 16 KB of nothing below them',
    source: 'test/fixtures/memstate_nokaslr.json.gz, phase after_seq_par',
    holds: () => {
      const { stacks } = readVmallocinfo(sample('vmallocinfo-idle'));
      const with16 = stacks.filter(({ below }) => below === 16384);
      assert.ok(with16.length > stacks.length / 2);
      assert.equal(stacks.filter(({ below }) => below === 4096).length, 1);
    },
  },
  {
    says: 'nearly half of what is free on this guest is of no use to an order-2 request',
    source: 'test/fixtures/memstate_nokaslr.json.gz, phase fragged',
    holds: () => {
      const { zones } = readBuddyinfo(sample('buddyinfo-fragmented'));
      const { unusable } = zones.find(({ zone }) => zone === 'DMA32')!.orders[2];
      assert.ok(unusable > 0.4 && unusable < 0.5);
    },
  },
  {
    says: 'The first line of its oops has three addresses, all useless.',
    source: 'test/fixtures/console/stock_rec256_kaslr_hashed.txt',
    holds: () => {
      const reading = readMachineText(sample('oops-recursion-hashed'));
      assert.ok(reading.kind === 'oops' && reading.hashed && reading.base !== null);
    },
  },
  {
    says: '`arch/Kconfig`, `HAVE_ARCH_VMAP_STACK` and `VMAP_STACK` (6.19)',
    source: 'fact sheet, kernel stacks 9.1',
    holds: () => assert.equal(kconfig({ version: NEWEST }).value('VMAP_STACK'), 'y'),
  },
  {
    says: 'Commits ba14a194a434 (generic part) and e37e43a497d5 (x86-64), 4.9; 31da94c25aea (riscv); a1c510d0adc6 (ARM).',
    source: 'fact sheet, kernel stacks 5 and 9.1',
    holds: () => {
      commitIn('ba14a194a434', '4.9');
      commitIn('e37e43a497d5', '4.9');
      commitIn('31da94c25aea', since('riscv'));
      commitIn('a1c510d0adc6', since('arm'));
    },
  },
];
