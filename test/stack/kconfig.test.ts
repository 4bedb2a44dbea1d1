import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { HAVE_ARCH_VMAP_STACK_SINCE, type Arch } from '../../lib/stack/architectures';
import { kconfig } from '../../lib/stack/kconfig';
import { KNOWN_VERSIONS } from '../../lib/stack/versions';

describe('kconfig', () => {
  const vmap = (arch: Arch, version: string) => kconfig({ arch, version }).value('VMAP_STACK');

  it('has VMAP_STACK=y by default from the first release whose architecture selects HAVE_ARCH_VMAP_STACK', () => {
    const before: Partial<Record<Arch, string>> = {
      ...{ x86_64: '4.8', arm64: '4.13', s390: '4.19', powerpc: '5.6' },
      ...{ riscv: '5.13', um: '5.16', arm: '5.18' },
    };
    for (const [arch, first] of Object.entries(HAVE_ARCH_VMAP_STACK_SINCE)) {
      if (first === null) {
        assert.equal(vmap(arch as Arch, '6.19'), 'n', arch);
        continue;
      }
      assert.equal(vmap(arch as Arch, first), 'y', arch);
      assert.equal(vmap(arch as Arch, before[arch as Arch]!), 'n', arch);
    }
  });

  it('refuses VMAP_STACK where nothing selects HAVE_ARCH_VMAP_STACK, and names what is missing', () => {
    const ask = (arch: Arch, version: string) =>
      kconfig({ arch, version, options: { VMAP_STACK: 'y' } });
    assert.throws(
      () => ask('x86_64', '4.8'),
      /VMAP_STACK=y is impossible: depends on HAVE_ARCH_VMAP_STACK, which x86_64 selects since 4\.9; this is x86_64 4\.8/,
    );
    assert.throws(() => ask('mips', '6.19'), /which mips selects in no tree up to 6\.19/);
    // Only trees are known of these: the release may be an older one.
    for (const [arch, version] of [
      ['powerpc', '5.6'],
      ['s390', '4.19'],
      ['um', '5.16'],
      ['arm', '5.18'],
    ] as const)
      assert.throws(() => ask(arch, version), /selects in no tree read that is older than/);
    assert.equal(ask('arm', '6.1').value('VMAP_STACK'), 'y');
  });

  it('lets nobody choose HAVE_ARCH_VMAP_STACK', () => {
    const set = (version: string, value: boolean) =>
      kconfig({ version, options: { HAVE_ARCH_VMAP_STACK: value } });
    assert.throws(() => set('4.8', true), /x86_64 selects it since 4\.9/);
    assert.throws(() => set('6.1', false), /no prompt and nobody sets it by hand/);
    const row = kconfig({ version: '6.1' }).rows.find(
      ({ option }) => option === 'HAVE_ARCH_VMAP_STACK',
    );
    assert.deepEqual({ value: row?.value, prompt: row?.prompt }, { value: 'y', prompt: false });
  });

  it('takes VMAP_STACK away under KASAN unless KASAN_VMALLOC gives it a shadow', () => {
    const under = (version: string, options: Record<string, boolean>) =>
      kconfig({ version, options: { KASAN: true, ...options } }).value('VMAP_STACK');
    assert.equal(under('5.3', {}), 'n');
    assert.equal(under('5.8', {}), 'n');
    assert.equal(under('5.8', { KASAN_VMALLOC: true }), 'y');
    assert.throws(() => under('5.3', { VMAP_STACK: true }), /depends on !KASAN/);
    assert.throws(() => under('5.8', { VMAP_STACK: true }), /depends on !KASAN \|\| KASAN_VMALLOC/);
    assert.throws(() => under('5.3', { KASAN_VMALLOC: true }), /came with 5\.5/);
  });

  it('has SCHED_STACK_END_CHECK from 3.18 on', () => {
    const check = (version: string) =>
      kconfig({ version, options: { SCHED_STACK_END_CHECK: 'y' } }).value('SCHED_STACK_END_CHECK');
    assert.equal(check('3.18'), 'y');
    assert.throws(() => check('3.17'), /came with 3\.18/);
  });

  it('answers every version with the same options in the same order, each with a reason', () => {
    const names = kconfig({ version: '6.1' }).rows.map(({ option }) => option);
    for (const version of KNOWN_VERSIONS) {
      const { rows } = kconfig({ version });
      assert.deepEqual(
        rows.map(({ option }) => option),
        names,
      );
      for (const { option, why } of rows) assert.ok(why.length > 0, `${version} ${option}`);
    }
  });

  it('says nothing of an option that was looked up for x86 only', () => {
    const arm64 = kconfig({ arch: 'arm64', version: '6.1' });
    assert.doesNotMatch(inspect(arm64), /THREAD_INFO_IN_TASK|KASAN/);
    assert.throws(
      () => arm64.value('THREAD_INFO_IN_TASK'),
      /THREAD_INFO_IN_TASK: known here for x86_64 and x86_32 only, not for arm64/,
    );
    assert.throws(
      () => kconfig({ arch: 'arm64', version: '6.1', options: { KASAN: false } }),
      /KASAN: known here for x86_64 only, not for arm64/,
    );
    assert.equal(arm64.value('VMAP_STACK'), 'y');
  });

  it('takes answers as y and n or true and false, with or without CONFIG_', () => {
    const value = (options: Record<string, boolean | 'y' | 'n'>) =>
      kconfig({ version: '6.1', options }).value('VMAP_STACK');
    assert.deepEqual(
      [
        value({ VMAP_STACK: 'n' }),
        value({ CONFIG_VMAP_STACK: false }),
        value({ VMAP_STACK: true }),
      ],
      ['n', 'n', 'y'],
    );
  });

  it('prints the lines of a .config', () => {
    const text = inspect(kconfig({ version: '4.8' }));
    assert.match(text, /^# Linux\/x86_64 4\.8\n/);
    assert.match(text, /# CONFIG_VMAP_STACK is not set +# depends on HAVE_ARCH_VMAP_STACK/);
    assert.match(inspect(kconfig({ version: '6.1' })), /CONFIG_VMAP_STACK=y +# default y/);
  });

  it('says what it expected', () => {
    assert.throws(() => kconfig({ version: '2.6.31' }), /version: expected 2\.6\.32 to 6\.19/);
    assert.throws(
      () => kconfig({ arch: 'vax' as Arch, version: '6.1' }),
      /arch: expected x86_64, .* got "vax"/,
    );
    assert.throws(
      () => kconfig({ version: '6.1', options: { STACK: 'y' } }),
      /options: expected names out of .*VMAP_STACK.* got STACK/,
    );
    assert.throws(
      () => kconfig({ version: '6.1', options: { VMAP_STACK: 'm' as never } }),
      /VMAP_STACK: expected y or n, got "m"/,
    );
  });
});
