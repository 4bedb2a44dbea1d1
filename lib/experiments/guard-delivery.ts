import recorded from '../data/recorded-guard-hits.json';
import { Random } from '../random';
import { kernelConfig } from '../stack/config';
import { overrunScene } from '../stack/overrun';
import { buildScene } from '../stack/scene';
import { defineExperiment } from './experiment';
import { framePushes } from './own-machine/exception-frame';
import { EVIDENCE, type Row } from './table';

/** Words of a page fault's frame, first push first. */
const WORDS = ['SS', 'RSP', 'RFLAGS', 'CS', 'RIP', 'error code'] as const;
/** The load that faults lies so far below the base: apart from every word of the frame. */
const BELOW = 512;

/** `npx guardpage experiment guard-delivery` */
export const guardDelivery = defineExperiment({
  name: 'guard-delivery',
  title: 'Six words at the end of a stack',
  question:
    'A load from the guard page faults: at which RSP can the CPU still push the frame of the page fault, and what does CR2 hold if not?',
  parameters: {
    from: {
      kind: 'number',
      description: 'lowest RSP, from the base of the stack',
      unit: 'bytes',
      default: -192,
      min: -448,
      max: 0,
    },
    to: {
      kind: 'number',
      description: 'highest RSP, from the base of the stack',
      unit: 'bytes',
      default: 80,
      min: 8,
      max: 512,
    },
  },
  notes: [
    'Model: 6.1. One 8-byte load 512 bytes below the base, with RSP in steps of 8 bytes; each row is a word of the frame that the CPU pushes to call the handler of the page fault, until one of them can’t be stored.',
    'Recorded: CR2 of 6.1.192 boots of this project and of guard hits that were posted to mailing lists (6.1-rc7 to 6.12-rc6), those with RSP in the range. Where only RSP and CR2 were posted, the base is taken to be the upper end of the page that CR2 points into.',
  ],
  table: ({ from, to }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'rsp', label: 'RSP − base', unit: 'bytes' },
      { key: 'word', label: 'word' },
      { key: 'at', label: 'address − base', unit: 'bytes' },
      { key: 'result', label: 'result' },
      { key: 'delivered', label: 'delivered' },
      { key: 'what', label: 'what' },
    ],
    rows: [
      ...pushes(Math.ceil(from / 8) * 8, to, seed),
      ...recorded.hits
        .filter(({ rsp }) => rsp >= from && rsp <= to)
        .map(({ what, rsp, cr2, delivered }): Row => ({
          evidence: 'recorded',
          rsp,
          word: null,
          at: cr2,
          result: 'CR2',
          delivered,
          what,
        })),
    ],
  }),
});

function pushes(from: number, to: number, seed: number): Row[] {
  const scene = buildScene(kernelConfig('vmap'), { seed, neighbour: 'any' });
  const { machine, chosen } = scene;
  machine.snapshot();
  const base = chosen.task.stack;
  const rows: Row[] = [];
  for (let offset = from; offset <= to; offset += 8) {
    machine.restore(new Random(seed));
    const earlier = machine.deliveries.length;
    overrunScene(scene, { peek: BELOW, rsp: base + BigInt(offset) });
    const { delivery, rsp } = machine.deliveries[earlier];
    const [, refused] = delivery.faults;
    const delivered = delivery.kind === 'triple-fault' ? 'none' : `#${nameOf(delivery.vector)}`;
    for (const [i, at] of framePushes(rsp).entries()) {
      const failed = refused?.address === at;
      rows.push({
        evidence: 'model',
        rsp: offset,
        word: WORDS[i],
        at: Number(at - base),
        result: failed ? 'faults: CR2' : 'stored',
        delivered,
        what: 'load from the guard page',
      });
      if (failed) break;
    }
  }
  return rows;
}

const nameOf = (vector: number) => (vector === 14 ? 'PF' : 'DF');
