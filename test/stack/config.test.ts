import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ERAS } from '../../lib/stack/config';
import { eraOf, kernelConfig } from '../../lib/stack/config';
import { featuresOf, KNOWN_VERSIONS } from '../../lib/stack/versions';

describe('kernelConfig', () => {
  it('leaves above thread_info and end magic what the fact sheet says', () => {
    // facts: 8192-112 = 8080; 3.15: 16384-112 = 16272; 4.9+: 16384-8 = 16376
    const usable = [
      kernelConfig('8k', { kernel: '2.6.32' }),
      kernelConfig('8k'),
      kernelConfig('16k'),
      kernelConfig('16k', { kernel: '4.9' }),
      kernelConfig('vmap'),
    ].map((config) => config.usable);
    assert.deepEqual(usable, [8080, 8080, 16272, 16376, 16376]);
  });

  it('refuses VMAP_STACK before 4.9 and names the option that is missing', () => {
    assert.throws(
      () => kernelConfig('vmap', { kernel: '4.8' }),
      /HAVE_ARCH_VMAP_STACK.*4\.9.*got 4\.8/,
    );
    assert.equal(kernelConfig('vmap', { kernel: '4.9' }).VMAP_STACK, true);
  });

  it('refuses SCHED_STACK_END_CHECK where no tree that was read has it', () => {
    assert.throws(
      () => kernelConfig('8k', { stackEndCheck: true }),
      /SCHED_STACK_END_CHECK is not/,
    );
    assert.throws(() => kernelConfig('16k', { kernel: '3.17', stackEndCheck: true }), /3\.18 on/);
    for (const kernel of ['3.18', '4.1', '4.4'])
      assert.equal(
        kernelConfig('16k', { kernel, stackEndCheck: true }).SCHED_STACK_END_CHECK,
        true,
      );
  });

  it('marks a THREAD_SIZE that the version did not ship as patched', () => {
    const patched = (era: (typeof ERAS)[number], kernel: string) =>
      kernelConfig(era, { kernel }).patched;
    assert.deepEqual(
      [
        patched('8k', '3.14'),
        patched('16k', '2.6.32'),
        patched('16k', '3.15'),
        patched('8k', '6.1'),
      ],
      [false, true, false, true],
    );
  });

  it('models an unknown version as the nearest lower one', () => {
    assert.equal(featuresOf('5.10').modelled, '5.8');
    assert.equal(featuresOf('4.7').modelled, '4.6');
    for (const version of KNOWN_VERSIONS) assert.equal(featuresOf(version).modelled, version);
  });

  it('says by `modelled` which versions are alike: nothing else of stacks, traps and texts asks for one', () => {
    assert.deepEqual(
      ['5.16', '5.17', '5.18'].map((kernel) => featuresOf(kernel).modelled),
      ['5.16', '5.17', '5.17'],
    );
    const folder = join(__dirname, '../../lib/stack');
    const asking = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => readFileSync(join(folder, file), 'utf8').includes('/kernel-version'));
    // What can be configured, and where the layout can be moved, go by the version itself.
    assert.deepEqual(asking.sort(), ['config.ts', 'kconfig.ts', 'kernel-layout.ts', 'versions.ts']);
  });

  it('refuses versions outside what is known, and what is no version', () => {
    for (const kernel of ['2.6.31', '7.0', '6.20', 'latest', '']) {
      assert.throws(() => kernelConfig('8k', { kernel }), RangeError, kernel);
    }
    assert.throws(() => kernelConfig('32k' as never), /era: expected 8k, 16k, vmap/);
  });

  it('has `cpu` in the thread_info of the task since 5.16', () => {
    const fields = (kernel: string) =>
      featuresOf(kernel).features.threadInfo.fields.map(({ name, offset }) => `${name}@${offset}`);
    assert.deepEqual(fields('5.14'), ['flags@0', 'syscall_work@8', 'status@16']);
    for (const kernel of ['5.16', '6.5', '6.19'])
      assert.deepEqual(fields(kernel), ['flags@0', 'syscall_work@8', 'status@16', 'cpu@20']);
  });

  it('clears stacks since 4.17', () => {
    const clears = (kernel: string) => {
      const { clearsReusedStack, clearsNewStack } = featuresOf(kernel).features;
      return [clearsReusedStack, clearsNewStack];
    };
    assert.deepEqual(clears('4.16'), [false, false]);
    assert.deepEqual(clears('4.17'), [true, true]);
  });

  it('lets the double fault count as NMI from 5.8 on only', () => {
    assert.deepEqual(
      ['4.9', '5.7', '5.8', '6.19'].map((kernel) => featuresOf(kernel).features.doubleFaultIsNmi),
      [false, false, true, true],
    );
  });

  it('gives every exception stack the size its version declares', () => {
    const sizes = (version: string) =>
      featuresOf(version).features.istStacks.map(({ name, size }) => `${name} ${size / 1024}`);
    assert.deepEqual(sizes('3.15'), ['#SS 4', '#DF 4', 'NMI 4', '#DB 8', '#MC 4']);
    assert.deepEqual(sizes('5.0'), ['#DF 4', 'NMI 4', '#DB 8', '#MC 4']);
    assert.deepEqual(sizes('5.8'), ['#DF 4', 'NMI 4', '#DB 4', '#MC 4']);
    assert.deepEqual(sizes('5.14'), ['#DF 4', 'NMI 4', '#DB 4', '#MC 4', '#VC 4']);
    assert.deepEqual(sizes('6.19'), ['#DF 8', 'NMI 8', '#DB 8', '#MC 8', '#VC 8']);
  });

  it('keeps the double fault at the IST index that its gate names', () => {
    const index = (kernel: string) => {
      const { istStacks } = featuresOf(kernel).features;
      return istStacks.findIndex(({ name }) => name === '#DF') + 1;
    };
    assert.deepEqual([index('2.6.32'), index('3.15'), index('4.4'), index('6.19')], [2, 2, 1, 1]);
  });

  it('doubles the stack for KASAN, and only where a kernel with KASAN can be built', () => {
    assert.equal(kernelConfig('vmap', { kasan: true }).THREAD_SIZE, 32768);
    assert.equal(kernelConfig('16k', { kernel: '4.4', kasan: true }).THREAD_SIZE, 32768);
    assert.equal(kernelConfig('vmap', { kasan: true }).patched, false);
    const { IRQ_STACK_SIZE, istStacks } = kernelConfig('16k', { kernel: '4.4', kasan: true });
    assert.equal(IRQ_STACK_SIZE, 32768);
    assert.deepEqual(
      istStacks.map(({ name, size }) => `${name} ${size / 1024}`),
      ['#DF 8', 'NMI 8', '#DB 16', '#MC 8'],
    );
    assert.throws(() => kernelConfig('8k', { kasan: true }), /KASAN=y is impossible.*4\.0/);
    assert.throws(
      () => kernelConfig('vmap', { kernel: '4.20', kasan: true }),
      /VMAP_STACK depends on !KASAN until KASAN_VMALLOC came with 5\.5: expected era 16k with KASAN/,
    );
  });

  it('has the check at interrupts up to 5.1 only', () => {
    const check = (kernel: string) =>
      kernelConfig('16k', { kernel, stackOverflowCheck: true }).DEBUG_STACKOVERFLOW;
    assert.equal(check('5.0'), true);
    assert.throws(() => check('5.2'), /DEBUG_STACKOVERFLOW=y is impossible.*32 bits/);
  });

  it('hashes pointers from 4.15 on', () => {
    const hashes = (kernel: string) => kernelConfig('vmap', { kernel, hashPointers: true });
    assert.equal(hashes('4.15').hashPointers, true);
    assert.equal(hashes('4.16').hashPointers, true);
    assert.throws(() => hashes('4.14'), /expected a kernel from 4\.15 on/);
  });

  it('has no addr_limit in the thread_info of 4.8', () => {
    const { threadInfo } = featuresOf('4.8').features;
    assert.equal(threadInfo.size, 24);
    assert.deepEqual(
      threadInfo.fields.map(({ name }) => name),
      ['task', 'flags', 'status', 'cpu'],
    );
    assert.equal(kernelConfig('16k', { kernel: '4.8' }).usable, 16384 - 32);
  });

  it('takes 5 levels for a stack where 4 can not reach', () => {
    assert.equal(kernelConfig('vmap', { stackBase: 0xffa0000000100000n }).levels, 5);
    assert.equal(kernelConfig('vmap', { stackBase: 0xffffb2a683170000n }).levels, 4);
    assert.equal(kernelConfig('vmap').levels, 4);
  });

  it('keeps every field of thread_info inside it and apart from the others', () => {
    for (const version of KNOWN_VERSIONS) {
      const { size, fields } = featuresOf(version).features.threadInfo;
      let end = 0;
      for (const field of fields) {
        assert.ok(field.offset >= end, `${version} ${field.name}`);
        end = field.offset + field.size;
      }
      assert.ok(end <= size, version);
    }
  });

  it('knows the era that a version shipped with', () => {
    const eras = ['2.6.32', '3.14', '3.15', '4.8', '4.9', '6.19'].map(eraOf);
    assert.deepEqual(eras, ['8k', '8k', '16k', '16k', 'vmap', 'vmap']);
    for (const version of KNOWN_VERSIONS) {
      assert.equal(kernelConfig(eraOf(version), { kernel: version }).patched, false, version);
    }
  });
});
