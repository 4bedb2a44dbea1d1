import { kernelConfig, ERAS, type Era } from '../stack/config';
import { PUBLISHED_TRACES, publishedTrace } from '../stack/published-traces';
import { defineExperiment } from './experiment';
import { EVIDENCE, type Row } from './table';

/** What each published trace shows, and who posted it when. */
export const TRACE_LABELS: Readonly<Record<string, string>> = {
  '01': 'ext4, reclaim, swap, virtio (Kim 2014)',
  '02': 'the same after unplugging moved (Kim 2014)',
  '03': 'the same, virtio on a diet (Kim 2014)',
  '04': 'sendfile, XFS, SATA (Berthels 2010)',
  '05': 'write, XFS twice (Berthels 2010)',
  '06': 'the same service in 8 KB (Berthels 2010)',
  '07': 'select, reclaim (Chinner 2010)',
  '08': 'radix tree under reclaim (Chinner 2010)',
  '09': 'reclaim, other compiler (Chinner 2010)',
  '10': 'XFS, SCSI (Gorman 2010)',
  '11': 'XFS flusher (Chinner 2011)',
  '12': 'ext4 writeback (Rostedt 2025)',
  '13': 'bcachefs writeback (Overstreet 2025)',
  '14': 'nested probes, ARM 32-bit (Valkeinen)',
  '15': 'select (ftrace.rst)',
};

const ERA_LABEL: Readonly<Record<Era, string>> = {
  '8k': '8 KB, direct map',
  '16k': '16 KB, direct map',
  vmap: '16 KB, vmalloc',
};

/** `npx guardpage experiment trace-depths` */
export const traceDepths = defineExperiment({
  name: 'trace-depths',
  title: 'Published traces against the limits',
  question:
    'How deep are the kernel stacks that people posted, and which of them fit into which stack?',
  parameters: {
    extra: {
      kind: 'number',
      description: 'bytes that every chain needs more; an interrupt’s registers are 168',
      unit: 'bytes',
      default: 0,
      min: 0,
      max: 8192,
    },
  },
  notes: [
    'Recorded: greatest depth as the stack tracer printed it; of “part” traces not all lines were posted, the depth was. People post traces because they are deep: this is no sample of ordinary stacks. With extra bytes the depths are estimates.',
    'Limits: usable bytes above end magic and on-stack thread_info, of 3.14, 3.15 and 6.1. Trace 14 is of another architecture, whose frames differ. Nothing is drawn from the seed.',
  ],
  table: ({ extra }) => ({
    columns: [
      EVIDENCE,
      { key: 'what', label: 'trace or limit' },
      { key: 'kind', label: 'kind' },
      { key: 'depth', label: 'depth', unit: 'bytes' },
      { key: 'calls', label: 'calls' },
      { key: 'left8k', label: 'left of 8 KB', unit: 'bytes' },
      { key: 'left16k', label: 'left of 16 KB', unit: 'bytes' },
      { key: 'leftVmap', label: 'left of vmalloc’ed 16 KB', unit: 'bytes' },
    ],
    rows: [...PUBLISHED_TRACES.map((id) => traceRow(id, extra)), ...ERAS.map(limitRow)],
  }),
});

function traceRow(id: string, extra: number): Row {
  const { maxDepth, totalEntries, partial, arch, source } = publishedTrace(id);
  const depth = maxDepth + extra;
  const x86 = /^x86[_-]64/.test(arch);
  return {
    evidence: extra === 0 ? 'recorded' : 'estimate',
    what: `${id} ${TRACE_LABELS[id] ?? source ?? ''}`,
    kind: !x86 ? 'other architecture' : partial ? 'part of a trace' : 'whole trace',
    depth,
    calls: totalEntries,
    left8k: kernelConfig('8k').usable - depth,
    left16k: kernelConfig('16k').usable - depth,
    leftVmap: kernelConfig('vmap').usable - depth,
  };
}

function limitRow(era: Era): Row {
  return {
    evidence: 'model',
    what: ERA_LABEL[era],
    kind: 'limit',
    depth: kernelConfig(era).usable,
    calls: null,
    left8k: null,
    left16k: null,
    leftVmap: null,
  };
}
