import { Random } from '../random';
import { FRAME_WARN } from '../stack/detectors/checkstack';
import { defineExperiment } from './experiment';
import { LandingTrials, type Holes, type Landing } from './landing';
import { EVIDENCE, round, type Row } from './table';

const HOLES: readonly Holes[] = ['empty', 'filled'];

/** Sizes of a frame, bytes: from an ordinary one to a stack and a half. */
const FRAMES = [256, 512, 1024, 2048, 4096, 6144, 8192, 12_288, 16_384, 20_480, 24_576];

const THREAD_SIZE = 16_384;

/** `npx guardpage experiment jump-by-frame` */
export const jumpByFrame = defineExperiment({
  name: 'jump-by-frame',
  title: 'Which frames get over the guard page',
  question:
    'How large must a frame be to pass the guard page without a fault, wherever on the stack it is entered?',
  parameters: {
    entries: {
      kind: 'number',
      description: 'depths at which each frame is entered, spread evenly over the stack',
      default: 32,
      min: 4,
      max: 512,
    },
  },
  notes: [
    'Model: 6.1; the frame stores to its lowest byte only, the worst case: a frame that is written from its upper end meets the guard first. Depths are drawn from the seed, one in each of equal parts of the stack.',
    `FRAME_WARN is ${FRAME_WARN} bytes on 64-bit kernels and VLAs are out of the kernel since 4.20: frames beyond a page take an alloca or a mistake.`,
  ],
  table: ({ entries }, seed) => ({
    columns: [
      EVIDENCE,
      { key: 'holes', label: 'alignment holes' },
      { key: 'frame', label: 'frame', unit: 'bytes' },
      { key: 'n', label: 'depths tried' },
      { key: 'fits', label: 'fits', unit: '%' },
      { key: 'guard', label: 'guard page', unit: '%' },
      { key: 'unmapped', label: 'unmapped below it', unit: '%' },
      { key: 'silent', label: 'mapped: no fault', unit: '%' },
    ],
    rows: HOLES.flatMap((holes) => {
      const trials = new LandingTrials(holes, seed);
      return FRAMES.map((frame) => enterEverywhere(trials, holes, frame, entries, seed));
    }),
  }),
});

function enterEverywhere(
  trials: LandingTrials,
  holes: Holes,
  frame: number,
  entries: number,
  seed: number,
): Row {
  const random = new Random(seed);
  const counts: Record<Landing | 'fits', number> = {
    fits: 0,
    'guard page': 0,
    unmapped: 0,
    'mapped: no fault': 0,
  };
  for (let i = 0; i < entries; i++) {
    // Bytes of the stack left when the frame is entered, a multiple of 16.
    const left = Math.floor(((i + random.unit()) * THREAD_SIZE) / entries / 16) * 16;
    counts[left >= frame ? 'fits' : trials.at(frame - left).landing]++;
  }
  const percent = (n: number) => round((100 * n) / entries, 1);
  return {
    evidence: 'model',
    holes,
    frame,
    n: entries,
    fits: percent(counts.fits),
    guard: percent(counts['guard page']),
    unmapped: percent(counts.unmapped),
    silent: percent(counts['mapped: no fault']),
  };
}
