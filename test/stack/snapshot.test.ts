import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { Random } from '../../lib/random';
import { kernelConfig, type KernelConfig } from '../../lib/stack/config';
import { loadProbeModule } from '../../lib/stack/before-threads';
import { FAULTED } from '../../lib/stack/kernel-access';
import { Load } from '../../lib/stack/load';
import { Machine } from '../../lib/stack/machine';
import { command, startProbe, wakeProbe } from '../../lib/stack/probe';
import { wakeUpProcess } from '../../lib/stack/scheduler';
import { UserMemory } from '../../lib/stack/user-memory';
import { WriteWatch } from '../../lib/stack/write-watch';

const UNMAPPED = 0xffffc9000bf00000n;

/** Parts of a machine that are shown below in their own way, never change, or hold the snapshot. */
const SHOWN_APART = new Set([
  ...['memory', 'cpu', 'pageAllocator', 'pageTable', 'directMap', 'vmalloc', 'caches', 'irq'],
  ...['config', 'layout', 'text', 'entryArea', 'threadInfo'],
  ...['random', 'saved', 'attached', 'copied', 'idleTask'],
]);

/** All that can be seen of a machine: whatever else it may get is among it. */
function visible(m: Machine): string {
  const { saved, ...irq } = m.irq as unknown as Record<string, unknown>;
  assert.ok(saved);
  const own = Object.entries(m).filter(([name]) => !SHOWN_APART.has(name));
  const parts = {
    memory: createHash('sha1').update(m.memory.readBytes(0n, m.memory.size)).digest('hex'),
    cpu: m.cpu.snapshot(),
    buddies: m.pageAllocator.buddyinfo(),
    areas: m.vmalloc.vmallocinfo(),
    leaves: { ...m.directMap.leaves },
    slabs: [...m.caches.values()].map((cache) => cache.slabinfo()),
    threadInfo: m.threadInfo && { ...m.threadInfo, m: null, saved: null },
    irq,
  };
  return inspect({ ...Object.fromEntries(own), ...parts }, { depth: 6, maxArrayLength: null });
}

/** A task that oopses: a store to an address that is not mapped. */
function oops(m: Machine, id: number): void {
  const probe = startProbe(m, id)!;
  command(m, probe, { do: 'poke', address: UNMAPPED });
  wakeProbe(m, probe);
}

/** Changes as much as can be changed. */
function disturb(m: Machine): void {
  Object.assign(m, { state: 'alive', kasanReported: !m.kasanReported, nextStack: null });
  m.irq.handlerDepth += 256;
  m.irq.due = () => true;
  m.irq.warned = !m.irq.warned;
  m.run();
  loadProbeModule(m);
  oops(m, 100);
  Object.assign(m, { nextStack: 0n, nextWatch: new WriteWatch(), idle: !m.idle });
  const page = m.pageAllocator.allocPages(0, { class: 'kernel' })!;
  const alias = m.directMap.physToVirt(BigInt(page) << 12n);
  m.directMap.setMemory(alias, 1, { present: false }).flush.discharge(m.cpu);
  for (const task of m.tasks) task.pages.push(page);
  m.stackPayers.set(1n, 'other');
  m.printk('more');
  m.watch = m.nextWatch;
  m.work.push(() => {});
  m.exited.push(m.tasks[0]);
  m.runQueue.push(m.tasks[0]);
  m.lazyPgd = page;
}

const OLD = kernelConfig('8k', { kernel: '3.14' });
const NEW = kernelConfig('16k', { kernel: '6.1', smp: false });
const VMAP = kernelConfig('vmap', { kernel: '6.1' });

const MOMENTS: readonly (readonly [
  when: string,
  config: KernelConfig,
  reach: (m: Machine) => void,
])[] = [
  ['it has booted', VMAP, () => {}],
  ['a thread sleeps', NEW, (m) => startProbe(m, 0)],
  ['a thread is to be woken', OLD, (m) => wakeUpProcess(m, startProbe(m, 0)!.task)],
  ['a task has been killed', VMAP, (m) => oops(m, 0)],
  [
    'an interrupt with a deep handler is due, and a stack to lie somewhere',
    NEW,
    (m) => {
      m.irq.handlerDepth = 17_000;
      m.irq.due = () => true;
      m.irq.warned = true;
      m.nextStack = m.idleTask.stack;
      m.stackPayers.set(m.idleTask.stack, 'group');
      m.kasanReported = true;
    },
  ],
  ['the machine has panicked', OLD, (m) => assert.throws(() => m.panic('done'), isFaulted)],
];

/** panic() leaves the code that called it. */
const isFaulted = (thrown: unknown) => thrown === FAULTED;

describe('a snapshot', () => {
  for (const [when, config, reach] of MOMENTS)
    it(`is what the machine goes back to: ${when}`, () => {
      const m = new Machine(config, { ramMiB: 32 });
      reach(m);
      m.snapshot();
      const before = visible(m);
      for (const time of ['once', 'again']) {
        disturb(m);
        assert.notEqual(visible(m), before);
        m.restore(new Random(1));
        assert.equal(visible(m), before, time);
      }
    });

  it('can be taken in the middle of what a task does', () => {
    const m = new Machine(kernelConfig('16k', { kernel: '4.4' }), { ramMiB: 32 });
    const load = new Load(m, new UserMemory(m));
    let before = '';
    load.do(
      () => load.openFiles(1),
      () => {
        m.snapshot();
        before = visible(m);
        assert.deepEqual([m.idle, m.work.length], [false, 1]);
      },
      () => load.openFiles(1),
    );
    assert.notEqual(visible(m), before);
    m.restore(new Random(1));
    assert.equal(visible(m), before);
  });

  it('knows that the machine rested: who is woken then is woken by the code that runs next', () => {
    const m = new Machine(kernelConfig('8k', { kernel: '3.14' }), { ramMiB: 32 });
    const load = new Load(m, new UserMemory(m));
    load.command();
    m.snapshot();
    m.restore(new Random(1));
    const cpu = m.config.threadInfo.fields.find(({ name }) => name === 'cpu')!;
    m.store32(load.shell.stack + BigInt(cpu.offset), 0xa5a5a5a5);
    load.command();
    assert.equal(m.state, 'panic');
    assert.ok(m.console.some((line) => /try_to_wake_up\+/.test(line)));
  });

  it('knows whether the probe’s module was loaded', () => {
    const m = new Machine(kernelConfig('vmap'), { ramMiB: 32 });
    m.snapshot();
    for (let i = 0; i < 2; i++) {
      assert.equal(startProbe(m, 0)?.task.state, 'sleeping');
      assert.deepEqual(m.console, []);
      m.restore(new Random(1));
    }
  });
});
