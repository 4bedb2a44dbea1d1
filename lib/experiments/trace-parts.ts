import { PUBLISHED_TRACES, publishedTrace } from '../stack/published-traces';
import { PARTS, traceParts } from '../stack/trace-parts';
import { defineExperiment } from './experiment';
import { EVIDENCE, round, type Row } from './table';
import { TRACE_LABELS } from './trace-depths';

/** `npx guardpage experiment trace-parts` */
export const tracePartsExperiment = defineExperiment({
  name: 'trace-parts',
  title: 'Whose bytes fill the stack',
  question: 'Which parts of the kernel take how much of the deepest published stacks?',
  parameters: {},
  notes: [
    'Recorded: the frames as the stack tracer printed them. Estimate: which part of the kernel a function belongs to, which is decided here by its name. “Not listed”: lines of a trace that were not posted; their sum is known, their functions are not.',
    'pt_regs at the top of the stack counts as entry. The tracer may put a frame down to its caller or callee: trace 03 gives alloc_pages_current() the 352 bytes that trace 01 gives __alloc_pages_nodemask(). Nothing is drawn from the seed.',
  ],
  table: () => ({
    columns: [
      EVIDENCE,
      { key: 'what', label: 'trace' },
      { key: 'part', label: 'part of the kernel' },
      { key: 'bytes', label: 'stack', unit: 'bytes' },
      { key: 'share', label: 'share', unit: '%' },
    ],
    rows: PUBLISHED_TRACES.flatMap(rowsOf),
  }),
});

function rowsOf(id: string): Row[] {
  const trace = publishedTrace(id);
  const parts = traceParts(trace);
  return PARTS.flatMap((part): Row[] => {
    const found = parts.find((one) => one.part === part);
    if (!found) return [];
    const share = round((100 * found.bytes) / trace.maxDepth, 1);
    return [
      { evidence: 'recorded', what: `${id} ${TRACE_LABELS[id]}`, part, bytes: found.bytes, share },
    ];
  });
}
