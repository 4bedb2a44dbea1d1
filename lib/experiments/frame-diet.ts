import { kernelConfig } from '../stack/config';
import { PUBLISHED_TRACES, publishedTrace } from '../stack/published-traces';
import { capFrames } from '../stack/trace-edit';
import { defineExperiment } from './experiment';
import { EVIDENCE, type Row } from './table';
import { TRACE_LABELS } from './trace-depths';

/** Largest frames allowed, bytes; null: as they were. */
const CAPS: readonly (number | null)[] = [null, 1024, 512, 384, 256, 192, 128];

/** `npx guardpage experiment frame-diet` */
export const frameDiet = defineExperiment({
  name: 'frame-diet',
  title: 'If no frame were larger than this',
  question: 'How much would it help if every large frame were trimmed?',
  parameters: {},
  notes: [
    'Recorded: the depths as they were posted. Estimate: the depth with every frame above the cap trimmed to it, as if its buffers had been moved to the heap, and nothing else changed: what the allocation itself would need is not counted.',
    'Whole traces of x86-64 only. pt_regs at the top is no frame and stays. Nothing is drawn from the seed.',
  ],
  table: () => ({
    columns: [
      EVIDENCE,
      { key: 'what', label: 'trace' },
      { key: 'cap', label: 'largest frame', unit: 'bytes' },
      { key: 'trimmed', label: 'frames trimmed' },
      { key: 'calls', label: 'of' },
      { key: 'depth', label: 'depth', unit: 'bytes' },
      { key: 'left8k', label: 'left of 8 KB', unit: 'bytes' },
    ],
    rows: CAPS.flatMap((cap) => WHOLE.map((id) => rowOf(id, cap))),
  }),
});

const WHOLE = PUBLISHED_TRACES.filter((id) => {
  const { partial, arch } = publishedTrace(id);
  return !partial && /^x86[_-]64/.test(arch);
});

function rowOf(id: string, cap: number | null): Row {
  const trace = publishedTrace(id);
  const { maxDepth } = cap === null ? trace : capFrames(trace, cap);
  const { entries } = trace;
  return {
    evidence: cap === null ? 'recorded' : 'estimate',
    what: `${id} ${TRACE_LABELS[id]}`,
    cap: cap ?? 'as posted',
    trimmed:
      cap === null
        ? 0
        : entries.filter(({ size }, i) => i < entries.length - 1 && size > cap).length,
    calls: entries.length,
    depth: maxDepth,
    left8k: kernelConfig('8k').usable - maxDepth,
  };
}
