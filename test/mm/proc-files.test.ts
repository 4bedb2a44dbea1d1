import assert from 'node:assert/strict';
import {
  buddyinfoOf,
  parseBuddyinfo,
  pagetypeinfoOf,
  parsePagetypeinfo,
} from '../../lib/mm/buddyinfo-parse';
import { loadFreeLists, type RecordedFreeLists } from '../../lib/mm/free-list-loader';
import { MIGRATE_TYPES, migrateTypeByName, type MigrateType } from '../../lib/mm/migrate-type';
import { PageAllocator } from '../../lib/mm/page-allocator';
import { parseVmallocinfo, vmallocinfoText } from '../../lib/mm/vmallocinfo';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { recordedMemory } from './recordings';

const PHASES = recordedMemory();
/** high_memory of the recorded guest, from `KSTK layout`. */
const RAM = 0xffe0000;

describe('files of /proc', () => {
  for (const [phase, files] of Object.entries(PHASES)) {
    it(`vmallocinfo, buddyinfo and pagetypeinfo of phase ${phase} are read and printed back byte for byte`, () => {
      assert.equal(vmallocinfoText(parseVmallocinfo(files.vmallocinfo)), files.vmallocinfo);
      assert.equal(buddyinfoOf(parseBuddyinfo(files.buddyinfo)), files.buddyinfo);
      assert.equal(pagetypeinfoOf(parsePagetypeinfo(files.pagetypeinfo)), files.pagetypeinfo);
    });

    // The files were read one after the other on a running machine: in one phase they disagree.
    it(`an allocator brought into phase ${phase} prints the recorded pagetypeinfo and the buddyinfo that belongs to it`, () => {
      const allocator = new PageAllocator(new PhysMemory(RAM), {
        version: '6.1',
        reserved: [{ start: 0, pages: 1, what: 'page 0' }],
      });
      loadFreeLists(allocator, freeListsOf(files.pagetypeinfo));
      assert.equal(allocator.pagetypeinfo(), files.pagetypeinfo);
      assert.equal(allocator.buddyinfo(), sumOverTypes(files.pagetypeinfo));
      allocator.check();
    });
  }

  it('in five of the six recorded phases both files say the same', () => {
    const same = Object.values(PHASES).filter(
      (files) => sumOverTypes(files.pagetypeinfo) === files.buddyinfo,
    );
    assert.equal(same.length, 5);
  });

  it('a line that is none of a listing is refused with what was expected', () => {
    assert.throws(() => parseVmallocinfo('0xffff 12 x'), /expected '0xSTART-0xEND SIZE caller/);
    assert.throws(() => parseBuddyinfo('MemTotal: 5 kB'), /expected 'Node 0, zone NAME COUNTS/);
  });

  it('a caller in a module, an ioremap and a line without caller keep all their words', () => {
    const lines =
      '0xffffc90000000000-0xffffc90000005000   20480 load+0x1/0x2 [some_module] pages=4 vmalloc user vpages N0=3 N1=1\n' +
      '0xffffc90000005000-0xffffc90000007000    8192 memremap+0x159/0x210 phys=0x00000000000f5000 ioremap\n' +
      '0xffffc90000008000-0xffffc90000009000    4096 vm_map_ram\n' +
      '0xffffc9000000a000-0xffffc9000000c000    8192\n';
    const entries = parseVmallocinfo(lines);
    assert.equal(entries[0].caller, 'load+0x1/0x2 [some_module]');
    assert.deepEqual(entries[0].nodes, [
      [0, 3],
      [1, 1],
    ]);
    assert.equal(vmallocinfoText(entries), lines);
  });
});

/** The buddyinfo that a pagetypeinfo implies. */
function sumOverTypes(text: string): string {
  const info = parsePagetypeinfo(text);
  const rows = info.blocks.map(({ node, zone }) => {
    const lists = info.free.filter((row) => row.zone === zone);
    const counts = lists[0].counts.map((_, order) =>
      lists.reduce((sum, row) => sum + row.counts[order], 0),
    );
    return { node, zone, counts };
  });
  return buddyinfoOf(rows);
}

/** What a recorded pagetypeinfo says, zone by zone. */
function freeListsOf(text: string): RecordedFreeLists[] {
  const info = parsePagetypeinfo(text);
  const typeOf = (name: string) => MIGRATE_TYPES[migrateTypeByName(name)];
  return info.blocks.map(({ zone, counts }) => ({
    zone,
    free: Object.fromEntries(
      info.free.filter((row) => row.zone === zone).map((row) => [typeOf(row.type), row.counts]),
    ),
    pageblocks: Object.fromEntries(
      counts.map((count, i) => [typeOf(info.types[i]), count]),
    ) as Partial<Record<MigrateType, number>>,
  }));
}
