import recorded from '../data/recorded-overruns.json';
import { defineExperiment } from './experiment';
import { LandingTrials, type Holes } from './landing';
import { EVIDENCE, type Row } from './table';

const HOLES: readonly Holes[] = ['empty', 'filled'];

/** `npx guardpage experiment guard-jump` */
export const guardJump = defineExperiment({
  name: 'guard-jump',
  title: 'How far a frame must jump',
  question:
    'At which distance below a vmalloc’ed stack does the store of one large frame fault, and at which not?',
  parameters: {
    reach: {
      kind: 'number',
      description: 'greatest distance below the base',
      unit: 'bytes',
      default: 34_816,
      min: 4096,
      max: 65_536,
    },
    step: {
      kind: 'number',
      description: 'from one trial to the next',
      unit: 'bytes',
      default: 512,
      min: 64,
      max: 8192,
    },
  },
  notes: [
    'Model: 6.1, one frame whose lowest byte lies that far below the base. “empty”: only stacks in the vmalloc area, one every 32 KB; “filled”: a small area of two pages in each alignment hole, as /proc/vmallocinfo of real machines shows them.',
    'Recorded: 6.1.192 boots of this project, frames and single accesses; what lay in the holes is not known for each.',
  ],
  table: ({ reach, step }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'holes', label: 'alignment holes' },
      { key: 'access', label: 'access' },
      { key: 'below', label: 'distance', unit: 'bytes' },
      { key: 'landing', label: 'the store hits' },
      { key: 'outcome', label: 'noticed' },
    ],
    rows: [
      ...HOLES.flatMap((holes) => {
        const trials = new LandingTrials(holes, seed);
        const rows: Row[] = [];
        for (let below = step / 2; below <= reach; below += step) {
          rows.push({ evidence: 'model', holes, access: 'frame', below, ...trials.at(below) });
        }
        return rows;
      }),
      ...recorded.landings.map(({ access, below, landing, outcome }) => ({
        evidence: 'recorded',
        holes: 'as they were',
        access,
        below,
        landing,
        outcome,
      })),
    ],
  }),
});
