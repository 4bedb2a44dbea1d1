import { parseVmallocinfo, type VmallocinfoEntry } from '../mm/vmallocinfo';
import { recordedTables } from '../mm/recorded-tables';
import { hex, type VirtAddr } from '../x86/addr';
import { bareMachine } from './bare-machine';
import { defineExperiment } from './experiment';
import { EVIDENCE, type Row } from './table';

const PAGE = 4096;
const THREAD_SIZE = 16384;
const STACK_CALLER = 'kernel_clone+0xbf/0x430';
const SMALL_CALLER = 'bpf_prog_alloc_no_stats+0x31/0x1f0';
/** Where the recorded windows begin: the first stack after boot, and one among those that came later. */
const WINDOWS: readonly (readonly [string, VirtAddr])[] = [
  ['recorded, early in boot', 0xffffc90000010000n],
  ['recorded, later', 0xffffc90000560000n],
];

/** `npx guardpage experiment vmalloc-map` */
export const vmallocMap = defineExperiment({
  name: 'vmalloc-map',
  title: 'Addresses around vmalloc’ed stacks',
  question:
    'What lies between two stacks in the vmalloc area, with and without smaller areas about?',
  parameters: {
    kib: {
      kind: 'number',
      description: 'addresses looked at, from the first stack',
      unit: 'KiB',
      default: 144,
      min: 32,
      max: 1024,
    },
  },
  notes: [
    'Model: 6.1, stacks of 16 KiB, aligned to 16 KiB; where small areas are about, one of a single page follows each stack. Nothing is drawn from the seed.',
    'Recorded: /proc/vmallocinfo of a 6.1.192 guest. The last page of each area is taken for its guard page, as for all areas the kernel lists without a flag that says otherwise.',
  ],
  table: ({ kib }) => ({
    columns: [
      EVIDENCE,
      { key: 'case', label: 'areas' },
      { key: 'address', label: 'address' },
      { key: 'from', label: 'from the first stack', unit: 'KiB' },
      { key: 'kib', label: 'size', unit: 'KiB' },
      { key: 'what', label: 'what' },
      { key: 'caller', label: 'caller' },
    ],
    rows: [
      ...pieces('model', 'model, stacks alone', modelAreas(kib, false), kib),
      ...pieces('model', 'model, small areas too', modelAreas(kib, true), kib),
      ...WINDOWS.flatMap(([label, start]) => pieces('recorded', label, recordedFrom(start), kib)),
    ],
  }),
});

/** Areas as the listing shows them, the first one a stack. */
function modelAreas(kib: number, small: boolean): VmallocinfoEntry[] {
  const { vmalloc } = bareMachine({ ramMiB: 64 });
  for (let i = 0; i <= kib / 20; i++) {
    vmalloc.vmalloc(THREAD_SIZE, { align: THREAD_SIZE, caller: STACK_CALLER });
    if (small) vmalloc.vmalloc(PAGE, { caller: SMALL_CALLER });
  }
  return parseVmallocinfo(vmalloc.vmallocinfo());
}

function recordedFrom(start: VirtAddr): VmallocinfoEntry[] {
  return parseVmallocinfo(recordedTables().vmallocinfo).filter(({ addr }) => addr >= start);
}

/** What the addresses from the first area on are: mapped, a guard page, or a hole. */
function pieces(
  evidence: 'model' | 'recorded',
  label: string,
  areas: readonly VmallocinfoEntry[],
  kib: number,
): Row[] {
  const start = areas[0].addr;
  const limit = start + BigInt(kib * 1024);
  const rows: Row[] = [];
  const add = (from: VirtAddr, to: VirtAddr, what: string, caller: string | null) => {
    const end = to < limit ? to : limit;
    if (from >= end) return;
    rows.push({
      evidence,
      case: label,
      address: hex(from),
      from: Number(from - start) / 1024,
      kib: Number(end - from) / 1024,
      what,
      caller,
    });
  };
  let at = start;
  for (const { addr, size, caller } of areas) {
    add(at, addr, 'hole', null);
    const guard = addr + BigInt(size - PAGE);
    const isStack = caller?.startsWith('kernel_clone+') === true;
    add(addr, guard, isStack ? 'stack' : 'other area', caller);
    add(guard, guard + BigInt(PAGE), 'guard page', caller);
    at = guard + BigInt(PAGE);
  }
  add(at, limit, 'hole', null);
  return rows;
}
