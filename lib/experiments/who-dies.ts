import { Random } from '../random';
import { kernelConfig } from '../stack/config';
import { overrunScene, type OverrunOptions } from '../stack/overrun';
import { buildScene } from '../stack/scene';
import { defineExperiment } from './experiment';
import { EVIDENCE, type Row } from './table';

const THREAD_SIZE = 16_384;

/** Versions around the changes: what lies between two of them behaves as the lower one. */
const KERNELS = ['4.9', '4.14', '4.20', '5.3', '5.7', '5.8', '5.14', '5.16', '6.1', '6.10', '6.19'];

/** Ways to touch a guard page, or what older kernels take for one. */
const CASES: readonly { readonly label: string; readonly options: OverrunOptions }[] = [
  { label: 'recursion into the guard page', options: {} },
  { label: 'store to the guard page, RSP inside', options: { poke: 8 } },
  { label: 'store to the page above, RSP inside', options: { poke: -THREAD_SIZE } },
];

/** Boots of 6.1.192 with their console logs among this project's fixtures, and all boots counted. */
const RECORDED = [
  {
    label: CASES[0].label,
    boots: 7,
    machine: 'panic',
    task: '–',
    line: 'BUG: TASK stack guard page was hit',
  },
  {
    label: CASES[1].label,
    boots: 3,
    machine: 'alive',
    task: 'killed',
    line: 'BUG: TASK stack guard page was hit',
  },
] as const;

/** `npx guardpage experiment who-dies` */
export const whoDies = defineExperiment({
  name: 'who-dies',
  title: 'Who dies of a guard hit',
  question:
    'A task touches the guard page of its stack: which kernels end the task, and which the machine?',
  parameters: {},
  notes: [
    'Model: versions around the changes; one between two of them behaves as the lower one.',
    'Recorded: 6.1.192 boots of this project with panic_on_oops=0. Recursion counts one boot whose single frame landed in the guard page; the two boots that stored above the stack or below the guard page are counted together in the recordings and stand in no row.',
  ],
  table: (_values, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'panicOnOops', label: 'panic_on_oops' },
      { key: 'kernel', label: 'kernel' },
      { key: 'case', label: 'what the task does' },
      { key: 'exception', label: 'came as' },
      { key: 'machine', label: 'machine' },
      { key: 'task', label: 'task' },
      { key: 'dies', label: 'who dies' },
      { key: 'boots', label: 'boots' },
      { key: 'line', label: 'first line' },
    ],
    rows: [
      ...[0, 1].flatMap((panicOnOops) =>
        KERNELS.flatMap((kernel) => hits(kernel, panicOnOops, seed)),
      ),
      ...RECORDED.map(({ label, boots, machine, task, line }): Row => ({
        evidence: 'recorded',
        panicOnOops: 0,
        kernel: '6.1',
        case: label,
        exception: machine === 'panic' ? '#DF' : '#PF',
        machine,
        task,
        dies: machine === 'panic' ? 'the machine' : 'the task',
        boots,
        line,
      })),
    ],
  }),
});

/** One machine of that version, on which each case is tried. */
function hits(kernel: string, panicOnOops: number, seed: number): Row[] {
  const config = kernelConfig('vmap', { kernel, panicOnOops: panicOnOops === 1 });
  const scene = buildScene(config, {
    seed,
    neighbour: 'any',
  });
  const { machine: m } = scene;
  m.snapshot();
  return CASES.map(({ label, options }): Row => {
    m.restore(new Random(seed));
    const earlier = m.deliveries.length;
    const { machine, task, console: lines } = overrunScene(scene, options);
    const { delivery } = m.deliveries[earlier];
    return {
      evidence: 'model',
      panicOnOops,
      kernel,
      case: label,
      exception: delivery.kind === 'triple-fault' ? 'none' : delivery.vector === 14 ? '#PF' : '#DF',
      machine,
      task,
      dies: machine === 'alive' ? (task === 'killed' ? 'the task' : 'nobody') : 'the machine',
      boots: null,
      line: (lines[0] ?? '').replace(/ at .*$/, '').replace(/ for address:.*$/, ''),
    };
  });
}
