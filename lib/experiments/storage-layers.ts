import { kernelConfig } from '../stack/config';
import { publishedTrace } from '../stack/published-traces';
import { PARTS, type Part } from '../stack/trace-parts';
import { defineExperiment } from './experiment';
import { EVIDENCE, type Evidence, type Row } from './table';

/** A run of frames of a published trace, from one function in to another. */
interface Segment {
  readonly part: Part;
  readonly trace: string;
  /** Its outermost and its innermost function. */
  readonly from: string;
  readonly to: string;
}

const SEGMENTS = {
  writeback: { part: 'writeback', trace: '01', from: 'ret_from_fork', to: 'do_writepages' },
  ext4: { part: 'file system', trace: '01', from: 'ext4_writepages', to: 'ext4_mb_load_buddy' },
  xfs: { part: 'file system', trace: '04', from: 'xfs_vm_writepage', to: '_xfs_buf_ioapply' },
  reclaim: {
    part: 'memory management',
    trace: '01',
    from: 'find_or_create_page',
    to: 'get_swap_bio',
  },
  blkMq: {
    part: 'block layer',
    trace: '01',
    from: 'bio_alloc_bioset',
    to: '__blk_mq_run_hw_queue',
  },
  block: { part: 'block layer', trace: '04', from: 'submit_bio', to: '__blk_run_queue' },
  virtio: { part: 'drivers', trace: '01', from: 'virtio_queue_rq', to: 'vring_add_indirect' },
  sata: { part: 'drivers', trace: '04', from: 'scsi_request_fn', to: 'ata_pio_queue_task' },
  driverAlloc: {
    part: 'memory management',
    trace: '01',
    from: '__kmalloc',
    to: 'get_page_from_freelist',
  },
  debug: {
    part: 'scheduler, interrupts, debugging',
    trace: '01',
    from: 'kernel_map_pages',
    to: 'lookup_address',
  },
  wakeup: {
    part: 'scheduler, interrupts, debugging',
    trace: '04',
    from: 'queue_delayed_work',
    to: 'select_task_rq_fair',
  },
} as const satisfies Readonly<Record<string, Segment>>;
type SegmentName = keyof typeof SEGMENTS;

interface Storage {
  readonly label: string;
  readonly segments: readonly SegmentName[];
  /** Block devices that pass a request on to another one. */
  readonly layers: number;
  readonly evidence: Evidence;
}

const SATA = ['block', 'sata', 'wakeup'] as const;

const STORAGES: readonly Storage[] = [
  {
    label: 'ext4, virtio, memory plentiful',
    segments: ['writeback', 'ext4', 'blkMq', 'virtio'],
    layers: 0,
    evidence: 'estimate',
  },
  {
    label: 'ext4, virtio, memory short (trace 01)',
    segments: ['writeback', 'ext4', 'reclaim', 'blkMq', 'virtio', 'driverAlloc', 'debug'],
    layers: 0,
    evidence: 'recorded',
  },
  {
    label: 'ext4, SATA, memory short',
    segments: ['writeback', 'ext4', 'reclaim', ...SATA],
    layers: 0,
    evidence: 'estimate',
  },
  {
    label: 'XFS, SATA, memory short',
    segments: ['writeback', 'xfs', 'reclaim', ...SATA],
    layers: 0,
    evidence: 'estimate',
  },
  {
    label: 'XFS, a volume manager, SATA',
    segments: ['writeback', 'xfs', 'reclaim', ...SATA],
    layers: 1,
    evidence: 'estimate',
  },
  {
    label: 'XFS, a volume manager, RAID, SATA',
    segments: ['writeback', 'xfs', 'reclaim', ...SATA],
    layers: 2,
    evidence: 'estimate',
  },
];

/** `npx guardpage experiment storage-layers` */
export const storageLayers = defineExperiment({
  name: 'storage-layers',
  title: 'Storage layers on one stack',
  question: 'How much stack does writing one page take, from the thread down to the disk?',
  parameters: {
    layer: {
      kind: 'number',
      description:
        'stack that one more block device takes; 512 is one pass through the block layer in trace 04',
      unit: 'bytes',
      default: 512,
      min: 0,
      max: 4096,
    },
  },
  notes: [
    'Recorded: trace 01 as it was posted, and the size of every run of frames, taken from traces 01 and 04. Estimate: that these runs would follow one another like this, and what one more block device takes. Frames differ from compiler to compiler and from version to version.',
    'Network storage is not among them, for want of a published trace. Nothing is drawn from the seed.',
  ],
  table: ({ layer }) => ({
    columns: [
      EVIDENCE,
      { key: 'what', label: 'storage' },
      { key: 'part', label: 'part of the kernel' },
      { key: 'bytes', label: 'stack', unit: 'bytes' },
      { key: 'depth', label: 'all parts', unit: 'bytes' },
      { key: 'left8k', label: 'left of 8 KB', unit: 'bytes' },
    ],
    rows: STORAGES.flatMap((storage) => rowsOf(storage, layer)),
  }),
});

function bytesOf({ trace, from, to }: Segment): number {
  const { entries } = publishedTrace(trace);
  const names = entries.map(({ fn }) => fn);
  const outer = names.lastIndexOf(from);
  // The innermost function is the first of its name inside the outer one.
  const inner = names.lastIndexOf(to, outer);
  return entries.slice(inner, outer + 1).reduce((sum, { size }) => sum + size, 0);
}

function rowsOf({ label, segments, layers, evidence }: Storage, layer: number): Row[] {
  const sums = new Map<Part, number>();
  for (const name of segments) {
    const segment = SEGMENTS[name];
    sums.set(segment.part, (sums.get(segment.part) ?? 0) + bytesOf(segment));
  }
  if (layers > 0) sums.set('block layer', (sums.get('block layer') ?? 0) + layers * layer);
  const depth = [...sums.values()].reduce((sum, bytes) => sum + bytes, 0);
  const left8k = kernelConfig('8k').usable - depth;
  return PARTS.flatMap((part): Row[] => {
    const bytes = sums.get(part);
    return bytes === undefined ? [] : [{ evidence, what: label, part, bytes, depth, left8k }];
  });
}
