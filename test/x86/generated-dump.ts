import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Random } from '../../lib/random';
import { canonical, entrySpan, type Levels, type PageSize } from '../../lib/x86/addr';
import { PageTable } from '../../lib/x86/page-table';
import { PhysMemory } from '../../lib/x86/phys-memory';

export interface GeneratedDump {
  memory: PhysMemory;
  cr3: bigint;
  levels: Levels;
  /** Addresses at and around what is mapped, and elsewhere. */
  addresses: bigint[];
}

/** Builds random page tables, writes them as a dump to `dir`, and says what was built. */
export function writeGeneratedDump(
  dir: string,
  random: Random,
  options: { levels: Levels; gzip: boolean },
): GeneratedDump {
  const { levels } = options;
  const memory = new PhysMemory(64 << 20);
  const frames = random.shuffle(Array.from({ length: memory.pages - 1 }, (_, i) => i + 1));
  const used: number[] = [];
  const allocTable = (): number => {
    const pfn = frames.pop() as number;
    used.push(pfn);
    return pfn;
  };
  const tables = new PageTable(memory, { levels, allocTable });
  const addresses: bigint[] = [0n, 2n ** 64n - 1n, 1n << 47n, 1n << 56n];
  // As with KASLR: regions at random places of the kernel half, and of the user half.
  for (let region = 0; region < 12; region++) {
    const size = random.pick<PageSize>([4096, 4096, 0x200000, 0x40000000]);
    const any = random.belowBig(1n << BigInt(levels === 5 ? 57 : 48));
    const start = canonical(any - (any % BigInt(size)), levels);
    for (let i = 0n; i < 20n; i++) {
      const va = canonical(start + i * BigInt(size), levels);
      if (random.chance(0.2)) continue;
      tables.map(va, BigInt(random.below(1 << 10)) * BigInt(size), size, {
        writable: random.chance(0.5),
        user: random.chance(0.5),
        executable: random.chance(0.5),
        global: random.chance(0.5),
        cache: random.pick(['wb', 'wc', 'uc-', 'uc', 'wp', 'wt'] as const),
      });
      for (const off of [-1n, 0n, BigInt(random.below(size)), BigInt(size) - 1n, BigInt(size)]) {
        addresses.push(BigInt.asUintN(64, va + off));
      }
    }
  }
  // Damage: reserved bits, tables that are not in the dump, entries that point anywhere.
  const entries = used
    .flatMap((pfn) => Array.from({ length: 512 }, (_, i) => BigInt(pfn * 4096 + 8 * i)))
    .filter((at) => memory.read64(at) !== 0n);
  for (let i = 0; i < 10; i++) {
    const at = random.pick(entries);
    const bit = random.pick([7, 12, 13, 20, 29, 35, 40, 45, 51, 63]);
    memory.write64(at, memory.read64(at) ^ (1n << BigInt(bit)));
  }
  for (let i = 0; i < 500; i++) {
    const level = 1 + random.below(levels);
    addresses.push(
      BigInt.asUintN(
        64,
        random.pick(addresses) + BigInt(random.below(9) - 4) * BigInt(entrySpan(level)),
      ),
    );
  }
  const offsetOfPfn: Record<string, number> = {};
  const pages = random.shuffle([...used]).map((pfn, i) => {
    offsetOfPfn[`0x${pfn.toString(16)}`] = 4096 * i;
    return memory.readBytes(BigInt(pfn) << 12n, 4096);
  });
  const bytes = Buffer.concat(pages);
  const index = {
    cr3: `0x${tables.cr3.toString(16)}`,
    cr4: levels === 5 ? '0x751ef0' : '0x750ef0',
    la57: levels === 5,
    efer: '0000000000000d01',
    tables: { offset_of_pfn: offsetOfPfn },
    sha256_tables_bin: createHash('sha256').update(bytes).digest('hex'),
  };
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'index.json'), JSON.stringify(index));
  if (options.gzip) writeFileSync(join(dir, 'tables.bin.gz'), gzipSync(bytes));
  else writeFileSync(join(dir, 'tables.bin'), bytes);
  return { memory, cr3: tables.cr3, levels, addresses };
}
