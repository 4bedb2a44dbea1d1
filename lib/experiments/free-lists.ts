import guests from '../data/recorded-order2.json';
import { defineExperiment } from './experiment';
import { blocksOf, PUBLISHED_LISTS, type PublishedZone } from './published-lists';
import { EVIDENCE, round, type Row } from './table';

/** What part of free memory an order-2 stack can lie in, and what it can't. */
export const FREE_PARTS = [
  'single pages (order 0)',
  'pairs (order 1)',
  'order 2 and up, in the HIGHATOMIC reserve',
  'order 2 and up',
] as const;

/** Guests in which the memory of a program, or of the kernel, lay between the free pages. */
const GUESTS: Readonly<Record<string, string>> = {
  A16_userfrag_park400: 'guest, user pages between',
  A16_kfrag_park400: 'guest, kernel pages between',
};

const LABELS: Readonly<Record<string, string>> = {
  'handa-2016-smbd': 'smbd 2016',
  'handa-2016-fork-a': 'fork 2016, a',
  'handa-2016-fork-b': 'fork 2016, b',
  'handa-2016-fork-c': 'fork 2016, c',
  'trippelsdorf-2016-kthreadd': 'kthreadd 2016',
};

/** `npx guardpage experiment free-lists` */
export const freeLists = defineExperiment({
  name: 'free-lists',
  title: 'Free memory of machines that ran out of blocks of four pages',
  question: 'In which sizes of block did free memory lie when a stack of order 2 was refused?',
  parameters: {},
  notes: [
    'Recorded: free lists that x86-64 kernels printed in 2016 when a request of order 2 ended in the OOM killer (mails of Tetsuo Handa and Markus Trippelsdorf, lib/data/buddy-order2.json), and two 6.1.192 guests of this project just before they were asked for 400 threads (lib/data/recorded-order2.json). Zone DMA is left out. Nothing is drawn from the seed.',
  ],
  table: () => ({
    columns: [
      EVIDENCE,
      { key: 'case', label: 'machine' },
      { key: 'zone', label: 'zone' },
      { key: 'label', label: 'row' },
      { key: 'part', label: 'blocks of' },
      { key: 'blocks', label: 'blocks' },
      { key: 'kb', label: 'free', unit: 'kB' },
      { key: 'share', label: 'share of the zone’s free memory' },
    ],
    rows: [
      ...PUBLISHED_LISTS.flatMap(({ id, zones }) => {
        const label = LABELS[id];
        if (label === undefined) return [];
        return zones
          .filter(({ zone }) => zone !== 'DMA')
          .flatMap((zone) => rowsOf(id, label, zone));
      }),
      ...guests.runs.flatMap(({ id, counts }) =>
        id in GUESTS ? rowsOf(id, GUESTS[id], { zone: 'DMA32', counts }) : [],
      ),
    ],
  }),
});

function rowsOf(id: string, label: string, recorded: PublishedZone): Row[] {
  const { zone, counts } = recorded;
  const kbOf = (blocks: number, order: number) => blocks * 4 * 2 ** order;
  const all = counts.reduce((sum, blocks, order) => sum + kbOf(blocks, order), 0);
  const { reserved, others } = blocksOf(recorded);
  const only = (blocks: readonly number[], wanted: (order: number) => boolean) =>
    blocks.map((count, order) => (wanted(order) ? count : 0));
  const parts = [
    only(counts, (order) => order === 0),
    only(counts, (order) => order === 1),
    only(reserved, (order) => order >= 2),
    only(others, (order) => order >= 2),
  ];
  return parts.map((blocks, i) => {
    const kb = blocks.reduce((sum, count, order) => sum + kbOf(count, order), 0);
    return {
      evidence: 'recorded',
      case: id,
      zone,
      label: `${label}, ${zone}`,
      part: FREE_PARTS[i],
      blocks: blocks.reduce((a, b) => a + b, 0),
      kb,
      share: round(kb / all),
    };
  });
}
