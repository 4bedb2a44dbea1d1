import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readTableDump } from '../../lib/commands/read-table-dump';
import { RECORDED_MEMORY } from '../../lib/mm/recorded-memory';
import { recordedTables } from '../../lib/mm/recorded-tables';
import { recordedLines, recordedPairs } from '../x86/recorded';

const FIXTURE = join(__dirname, '..', 'fixtures', 'pt_4level_nokaslr');
const index = JSON.parse(readFileSync(join(FIXTURE, 'index.json'), 'utf8')) as {
  ram_bytes: number;
  layout: Record<string, string>;
  tables: { offset_of_pfn: Record<string, number> };
};

describe('the recorded page tables that the library carries', () => {
  it('are those of the recording, word for word', () => {
    const { dump } = recordedTables();
    const whole = readTableDump(FIXTURE);
    assert.equal(dump.cr3, whole.cr3);
    assert.equal(dump.levels, whole.levels);
    assert.equal(dump.nx, whole.nx);
    const pfns = Object.keys(index.tables.offset_of_pfn).map(Number);
    assert.equal(pfns.length, 112);
    for (const pfn of pfns) {
      for (let word = 0; word < 1024; word++) {
        if (dump.pageWord(pfn, word) !== whole.pageWord(pfn, word)) {
          assert.fail(`pfn 0x${pfn.toString(16)}, word ${word}`);
        }
      }
    }
  });

  it('are walked as QEMU walked them, for all recorded addresses', () => {
    const { dump, translations } = recordedTables();
    const answers = new Map(
      recordedPairs(FIXTURE).map(({ va, pa }) => [BigInt(va), pa === null ? null : BigInt(pa)]),
    );
    for (const [va, pa] of answers) assert.equal(dump.walk(va).pa, pa, va.toString(16));
    assert.ok(translations.length > 250);
    for (const { va, pa } of translations) assert.equal(answers.get(va), pa);
  });

  it('come with the facts of the same moment', () => {
    const { stacks, vmallocinfo, meminfo, ramBytes, PAGE_OFFSET, VMALLOC_START, VMALLOC_END } =
      recordedTables();
    const facts = recordedLines(FIXTURE, 'guest_facts.txt.gz');
    for (const line of (vmallocinfo + meminfo).split('\n')) {
      assert.ok(facts.includes(line.trimEnd()) || line === '', line);
    }
    assert.equal(stacks.length, 42);
    for (const { base, ptes, comm, pid } of stacks) {
      const start = `stack pid ${pid} comm ${comm} base ${base.toString(16)} `;
      assert.ok(
        facts.some((line) => line.includes(start)),
        start,
      );
      ptes.forEach((pte, i) => {
        const va = (base + 4096n * BigInt(i - 1)).toString(16);
        const value = pte.toString(16).padStart(16, '0');
        const said = facts.some(
          (l) => l.includes(`va ${va}: entry at `) && l.includes(`value ${value} `),
        );
        assert.ok(said, `${va} ${value}`);
      });
    }
    const { layout } = index;
    assert.equal(ramBytes, index.ram_bytes);
    assert.deepEqual(
      [PAGE_OFFSET, VMALLOC_START, VMALLOC_END],
      [layout.PAGE_OFFSET, layout.VMALLOC_START, layout.VMALLOC_END].map(BigInt),
    );
  });
});

describe('the recorded memory that the library carries', () => {
  it('is what /proc said in the recording', () => {
    const path = join(FIXTURE, '..', 'memstate_nokaslr.json.gz');
    const phases = JSON.parse(gunzipSync(readFileSync(path)).toString()) as Record<
      string,
      Record<'buddyinfo' | 'meminfo', string>
    >;
    const names = { fresh: 'before', parked: 'parked500', fragmented: 'fragged' } as const;
    for (const name of ['fresh', 'parked', 'fragmented'] as const) {
      const { buddyinfo, meminfo } = RECORDED_MEMORY[name];
      const phase = phases[names[name]];
      assert.equal(buddyinfo.trim(), phase.buddyinfo.trim());
      const lines = phase.meminfo.split('\n');
      assert.ok(
        meminfo
          .trim()
          .split('\n')
          .every((line) => lines.includes(line)),
      );
    }
  });
});
