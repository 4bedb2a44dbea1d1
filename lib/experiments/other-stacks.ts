import { Random } from '../random';
import { kernelConfig } from '../stack/config';
import type { Machine } from '../stack/machine';
import { overrunScene } from '../stack/overrun';
import { buildScene } from '../stack/scene';
import { kernelStacks, stackAt, type KernelStack } from '../stack/stack-info';
import { defineExperiment } from './experiment';
import { EVIDENCE, type Row } from './table';

/** Versions around the changes. */
const KERNELS = ['4.9', '4.20', '5.0', '5.2', '5.7', '5.16', '6.1', '6.19'];

/** `npx guardpage experiment other-stacks` */
export const otherStacks = defineExperiment({
  name: 'other-stacks',
  title: 'What lies below the other stacks',
  question:
    'Tasks have guard pages since 4.9: what lies below the stacks of interrupts and exceptions, and what comes of an interrupt handler that needs more stack than there is?',
  parameters: {
    handler: {
      kind: 'number',
      description: 'what the handler of a device interrupt takes of the IRQ stack',
      unit: 'bytes',
      default: 17_000,
      min: 256,
      max: 20_000,
    },
  },
  notes: [
    'Model: a machine of each version with VMAP_STACK=y; the word below each stack is looked up in its page tables. Then a device interrupts, and its handler recurses in frames of 256 bytes. “changed” counts the bytes of the page below the IRQ stack that differ afterwards.',
    'Read from source trees: guard pages around the IRQ stack since 5.2 (not in 5.0), between the exception stacks since 5.2 or 5.3. In 4.9 to 5.15 the handler of the double fault looks for the guard page of the task only. The seed changes where things lie.',
  ],
  table: ({ handler }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'kernel', label: 'kernel' },
      { key: 'stack', label: 'stack' },
      { key: 'below', label: 'below it' },
      { key: 'noticed', label: 'overflow noticed' },
      { key: 'changed', label: 'changed', unit: 'bytes' },
      { key: 'machine', label: 'machine' },
      { key: 'line', label: 'first line' },
    ],
    rows: KERNELS.flatMap((kernel) => stacksOf(kernel, handler, seed)),
  }),
});

function stacksOf(kernel: string, handler: number, seed: number): Row[] {
  const scene = buildScene(kernelConfig('vmap', { kernel }), { seed, neighbour: 'any' });
  const { machine: m } = scene;
  m.snapshot();
  m.irq.handlerDepth = handler;
  const report = overrunScene(scene, { irq: 4096 });
  const overflow = {
    noticed: report.phase === null ? 'never' : report.phase === 'immediate' ? 'at once' : 'later',
    changed: changedBelow(m),
    machine: report.machine,
    line: (report.console[0] ?? '–').replace(/ at [0-9a-f]{16}.*$/, ''),
  };
  const stacks = kernelStacks(m);
  m.restore(new Random(seed));
  return stacks.map((stack): Row => {
    const isIrq = stack.kind === 'irq';
    const none = { noticed: null, changed: null, machine: null, line: null };
    const name = stack.kind === 'exception' ? `exception ${stack.name}` : stack.name;
    const row = { evidence: 'model', kernel, stack: name, below: below(m, stack, stacks) };
    return { ...row, ...(isIrq ? overflow : none) };
  });
}

/** What a push from the lowest word of a stack would meet. */
function below(m: Machine, { base }: KernelStack, stacks: readonly KernelStack[]): string {
  const at = base - 8n;
  if (m.walk(at).pa === null) return 'nothing: a guard page';
  const other = stackAt(m, at) ?? stacks.find((one) => at >= one.base && at < one.top);
  return other ? 'another exception stack' : 'memory of somebody else';
}

/** Bytes of the page below the IRQ stack that are not what they were. */
function changedBelow(m: Machine): number {
  const { stack } = m.irq;
  const { pa } = m.walk((stack ?? 0n) - 8n);
  if (stack === null || pa === null) return 0;
  const page = pa & ~0xfffn;
  const old = m.memory.atCheckpoint(Number(page >> 12n));
  const now = m.memory.readBytes(page, 4096);
  return old.reduce((sum, byte, i) => sum + (byte === now[i] ? 0 : 1), 0);
}
