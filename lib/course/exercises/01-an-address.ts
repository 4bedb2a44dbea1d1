import { recordedTables } from '../../mm/recorded-tables';
import { hex, tableIndex, type VirtAddr } from '../../x86/addr';
import { Cpu } from '../../x86/cpu';
import { isFault, X86_PF_PROT, X86_PF_USER, X86_PF_WRITE, type Access } from '../../x86/fault';
import { PageTable } from '../../x86/page-table';
import { PhysMemory } from '../../x86/phys-memory';
import { isBigint, isFunction, isWhole } from '../answers';
import { defineExercise, type ExercisesOf } from '../exercise';

/** Reads the entry at a physical address. */
type ReadEntry = (address: bigint) => bigint;
/** A walk written by a learner: the physical address, or -1n. */
type Walker = (read: ReadEntry, cr3: bigint, va: bigint) => bigint;

export interface Answers01 {
  '01-index': number;
  '01-alias': bigint;
  '01-error-code': number;
  '01-walker': Walker;
}

const LEVELS = [
  { level: 4, name: 'pgd', bits: '47 to 39' },
  { level: 3, name: 'pud', bits: '38 to 30' },
  { level: 2, name: 'pmd', bits: '29 to 21' },
  { level: 1, name: 'pte', bits: '20 to 12' },
] as const;

const VMALLOC_START = 0xffffc90000000000n;

const index = defineExercise({
  id: '01-index',
  title: 'One of four indices',
  draw: (random) => {
    for (;;) {
      const va = VMALLOC_START + 8n * random.belowBig(1n << 42n);
      const indices = LEVELS.map(({ level }) => tableIndex(va, level));
      if (new Set(indices).size === 4 && !indices.includes(0)) {
        return { va, ...LEVELS[1 + random.below(3)] };
      }
    }
  },
  task: ({ va, name, level }) =>
    `Which entry of the ${name} (level ${level} of four) does a walk of \`${hex(va)}\` read? Answer with its index, 0 to 511.`,
  expects: 'a whole number from 0 to 511',
  isAnswer: (given): given is number => isWhole(given) && given >= 0 && given < 512,
  answer: ({ va, level }) => tableIndex(va, level),
  misconceptions: [
    {
      name: 'takes the bits of the level above',
      example: ({ va, level }) => tableIndex(va, level + 1),
      says: () => 'That is an index of this address, but the one of the level above.',
    },
    {
      name: 'takes the bits of another level',
      example: ({ va, level }) => tableIndex(va, level === 1 ? 2 : level - 1),
      recognises: (given, { va, level }) =>
        LEVELS.some((other) => other.level !== level && tableIndex(va, other.level) === given),
      says: () =>
        'That is an index of this address, but of another table. Count the 12 bits of the offset first.',
    },
  ],
  hints: [
    () =>
      'The lowest 12 bits are the offset in the page. Above them come nine bits for each table, the last table (pte) first.',
    ({ name, bits }) => `The ${name} is indexed by bits ${bits}: shift them down, then keep nine.`,
  ],
  solution: ({ va, name, bits, level }) =>
    `The ${name} is indexed by bits ${bits}.\n\n` +
    '```ts\n' +
    `const answer = Number((${hex(va)}n >> ${12 + 9 * (level - 1)}n) & 511n);\n` +
    '```',
});

const alias = defineExercise({
  id: '01-alias',
  title: 'The same byte, another address',
  draw: (random) => {
    const { stacks } = recordedTables();
    const page = random.below(4);
    return { ...random.pick(stacks), page, offset: 8 * (1 + random.below(511)) };
  },
  task: ({ comm, pid, base, page, offset, ptes }) =>
    `On the recorded machine thread \`${comm}\` (pid ${pid}) has its stack at \`${hex(base)}\`. ` +
    `The last entry of the walk for page ${page} of it (counted from 0, the lowest) is \`${hex(ptes[page + 1])}\`. ` +
    `At which address in the direct map does byte ${offset} of that page lie? (\`PAGE_OFFSET\` is \`${hex(recordedTables().PAGE_OFFSET)}\`.)`,
  expects: 'an address as a bigint, such as 0xffff888000001000n',
  isAnswer: isBigint,
  answer: ({ base, page, offset }) => {
    const { dump, PAGE_OFFSET } = recordedTables();
    const { pa } = dump.walk(base + BigInt(4096 * page + offset));
    return PAGE_OFFSET + (pa ?? 0n);
  },
  misconceptions: [
    {
      name: 'takes the page frame number for an address',
      example: ({ ptes, page, offset }) =>
        recordedTables().PAGE_OFFSET + frameOf(ptes[page + 1]) + BigInt(offset),
      says: () =>
        'You added the number of the page frame. Frames are 4096 bytes large: a number is not yet an address.',
    },
    {
      name: 'leaves the bits of the entry in',
      example: ({ ptes, page, offset }) =>
        BigInt.asUintN(64, recordedTables().PAGE_OFFSET + ptes[page + 1] + BigInt(offset)),
      says: () =>
        'An entry is not an address: its lowest twelve bits and its upper twelve say what may be done with the page.',
    },
    {
      name: 'forgets the offset in the page',
      example: ({ ptes, page }) => recordedTables().PAGE_OFFSET + (frameOf(ptes[page + 1]) << 12n),
      says: () => 'That is where the page begins. The byte lies further up.',
    },
    {
      name: 'carries the distance from VMALLOC_START over',
      example: ({ base, page, offset }) => {
        const { PAGE_OFFSET } = recordedTables();
        return PAGE_OFFSET + base - VMALLOC_START + BigInt(4096 * page + offset);
      },
      says: () =>
        'You carried the distance from `VMALLOC_START` over to the direct map. The direct map is ordered by physical address; where a page lies in the vmalloc area says nothing about its frame.',
    },
  ],
  hints: [
    () =>
      'Two steps: from the entry to a physical address, from the physical address to the direct map.',
    () => 'Bits 51 to 12 of the entry are the physical address of the page.',
    ({ ptes, page }) =>
      `The page begins at physical address \`${hex(frameOf(ptes[page + 1]) << 12n, 1)}\`. Add the offset and \`PAGE_OFFSET\`.`,
  ],
  solution: ({ base, page, offset }) =>
    'Physical address of the page from the entry, plus the offset, plus `PAGE_OFFSET`. The walk does the first two:\n\n' +
    '```ts\n' +
    'import { recordedTables } from "guardpage";\n\n' +
    'const { dump, PAGE_OFFSET } = recordedTables();\n' +
    `const answer = PAGE_OFFSET + dump.walk(${hex(base)}n + ${4096 * page + offset}n).pa;\n` +
    '```',
});

const frameOf = (raw: bigint) => (raw >> 12n) & 0xffffffffffn;

const ACCESSES: Readonly<Record<Access, string>> = {
  read: 'reads from',
  write: 'writes to',
  execute: 'fetches an instruction from',
};

interface Try {
  readonly mapped: boolean;
  readonly access: Access;
  readonly byUser: boolean;
}

/** Maps a page as the kernel maps a constant of its own: neither writable, nor user, nor executable. */
function errorCodeOf({ mapped, access, byUser }: Try): number {
  const memory = new PhysMemory(64 * 4096);
  let frame = 1;
  const tables = new PageTable(memory, { levels: 4, allocTable: () => frame++ });
  const va: VirtAddr = VMALLOC_START;
  if (mapped) tables.map(va, 0x20000n, 4096, { writable: false });
  const cpu = new Cpu(memory);
  cpu.setCr3(tables.cr3);
  cpu.cpl = byUser ? 3 : 0;
  const result = cpu.translate(va, access);
  return isFault(result) ? result.errorCode : -1;
}

const TRIES: readonly Try[] = [false, true].flatMap((mapped) =>
  [false, true].flatMap((byUser) =>
    (['read', 'write', 'execute'] as const).map((access) => ({ mapped, access, byUser })),
  ),
);

/** Answers that differ from the right one by a bit that was turned round. */
const turned = (bit: number) => ({
  example: (values: Try) => errorCodeOf(values) ^ bit,
});

const errorCode = defineExercise({
  id: '01-error-code',
  title: 'What the CPU pushes',
  // A supervisor may read the mapped page.
  draw: (random) => random.pick(TRIES.filter((one) => errorCodeOf(one) >= 0)),
  task: ({ mapped, access, byUser }) =>
    (mapped
      ? 'A page is mapped with the entry bits P, A, D and NX: not writable, not for user code, not executable. '
      : 'An entry is zero: nothing is mapped. ') +
    `Code in ${byUser ? 'user' : 'kernel'} mode ${ACCESSES[access]} that page. Which error code does the page fault push?`,
  expects: 'a whole number: the bits of the error code added up',
  isAnswer: isWhole,
  answer: errorCodeOf,
  misconceptions: [
    {
      name: 'has bit 0 the wrong way round',
      ...turned(X86_PF_PROT),
      says: () =>
        'Bit 0 is the wrong way round: it is set when there *was* a translation and the access broke its rules.',
    },
    {
      name: 'has the write bit the wrong way round',
      ...turned(X86_PF_WRITE),
      says: () =>
        'Look at bit 1 again: it says whether the access was a write, whatever the page allows.',
    },
    {
      name: 'has the user bit the wrong way round',
      ...turned(X86_PF_USER),
      says: () =>
        'Look at bit 2 again: it says in which mode the CPU was, not to whom the page belongs.',
    },
  ],
  hints: [
    () =>
      'The error code describes the access: was there a translation, was it a write, from user mode, an instruction fetch?',
    () =>
      '1: the translation was there but forbids it. 2: a write. 4: user mode. 8: reserved bit. 16: instruction fetch.',
  ],
  solution: ({ mapped, access, byUser }) =>
    'One bit for each thing that was so. Built and tried:\n\n' +
    '```ts\n' +
    'import { Cpu, PageTable, PhysMemory } from "guardpage";\n\n' +
    'const memory = new PhysMemory(64 * 4096);\n' +
    'let frame = 1;\n' +
    'const tables = new PageTable(memory, { levels: 4, allocTable: () => frame++ });\n' +
    (mapped ? 'tables.map(0xffffc90000000000n, 0x20000n, 4096, { writable: false });\n' : '') +
    'const cpu = new Cpu(memory);\n' +
    'cpu.setCr3(tables.cr3);\n' +
    `cpu.cpl = ${byUser ? 3 : 0};\n` +
    `const answer = cpu.translate(0xffffc90000000000n, "${access}").errorCode;\n` +
    '```',
});

/** The recorded tables as a function that reads entries; what is no table reads as 0. */
function readEntry(address: bigint): bigint {
  const { dump } = recordedTables();
  const pfn = Number(address >> 12n);
  if (!dump.hasPage(pfn)) return 0n;
  const word = Number((address & 0xff8n) / 4n);
  const [low, high] = [dump.pageWord(pfn, word), dump.pageWord(pfn, word + 1)];
  return BigInt.asUintN(32, BigInt(low)) | (BigInt.asUintN(32, BigInt(high)) << 32n);
}

/** A walk with one thing left out, or none. */
const walker =
  (without: 'large pages' | 'present' | 'nx' | 'nothing'): Walker =>
  (read, cr3, va) => {
    let table = cr3;
    for (let level = 4; ; level--) {
      const shift = BigInt(12 + 9 * (level - 1));
      const entry = read(table + 8n * ((va >> shift) & 511n));
      if (without !== 'present' && !(entry & 1n)) return -1n;
      const frame = without === 'nx' ? entry & ~0xfffn : entry & 0x000ffffffffff000n;
      const large = without !== 'large pages' && level < 4 && (entry & 0x80n) !== 0n;
      if (level === 1 || large) {
        const inside = (1n << shift) - 1n;
        return (frame & ~inside) | (va & inside);
      }
      table = frame;
    }
  };

const walkerExercise = defineExercise({
  id: '01-walker',
  title: 'Your own walk, against QEMU',
  draw: (random) => {
    const { translations, dump } = recordedTables();
    const canonical = translations.filter(({ va }) => dump.walk(va).fault !== 'non-canonical');
    const of = (wanted: (level: number | null) => boolean) =>
      random
        .shuffle(canonical.filter(({ va, pa }) => wanted(pa === null ? null : dump.walk(va).level)))
        .slice(0, 4);
    const addresses = [
      ...of((level) => level === 1),
      ...of((level) => level === 2),
      ...of((level) => level === 3),
      ...of((level) => level === null),
    ];
    return { addresses };
  },
  task: ({ addresses }) =>
    'Write the walk. Your function gets `read`, which gives the 8-byte entry at a physical address, the value of CR3 and a canonical address; ' +
    'it returns the physical address, or `-1n` if there is none. Four levels; pages of 4 KiB, 2 MiB and 1 GiB. ' +
    `It will be tried on the recorded tables with ${addresses.length} addresses, \`${hex(addresses[0].va)}\` among them, against what QEMU answered.`,
  expects: 'a function (read, cr3, va) that returns a bigint',
  isAnswer: isFunction<Walker>,
  cases: ({ addresses }) =>
    addresses.map(({ va }) => [readEntry, recordedTables().dump.cr3, va] as const),
  answer:
    ({ addresses }) =>
    (_read, _cr3, va) =>
      addresses.find((one) => one.va === va)?.pa ?? -1n,
  misconceptions: [
    {
      name: 'takes every entry for one that leads to a table',
      example: () => walker('large pages'),
      says: () =>
        'Your walk goes on through an entry that maps a large page. Bit 7 of a pmd or pud entry says that the walk ends there.',
    },
    {
      name: 'does not look at the present bit',
      example: () => walker('present'),
      says: () =>
        'Your walk finds something where QEMU found nothing. What says that an entry may be used at all?',
    },
    {
      name: 'leaves the upper bits of an entry in the address',
      example: () => walker('nx'),
      says: () =>
        'Your physical addresses have bits that no memory has. An entry says something in its upper bits too: bit 63 is NX.',
    },
  ],
  hints: [
    () =>
      'A loop over the levels 4, 3, 2, 1. In each: the index (nine bits of the address), the entry at `table + 8n * index`, a look at bit 0.',
    () =>
      'The next table, or the page, is at `entry & 0x000ffffffffff000n`. The loop ends at level 1, or earlier if bit 7 is set.',
    () =>
      'At the end everything below the bits of that level is offset: 12 bits at level 1, 21 at level 2, 30 at level 3.',
  ],
  remark: ({ addresses }) => `All ${addresses.length} addresses: as QEMU had them.`,
  solution: () =>
    'A loop over the levels that ends at a leaf or at an entry without P:\n\n' +
    '```ts\n' +
    'const answer = (read: (address: bigint) => bigint, cr3: bigint, va: bigint): bigint => {\n' +
    '  let table = cr3;\n' +
    '  for (let level = 4; ; level--) {\n' +
    '    const shift = BigInt(12 + 9 * (level - 1));\n' +
    '    const entry = read(table + 8n * ((va >> shift) & 511n));\n' +
    '    if (!(entry & 1n)) return -1n;\n' +
    '    const frame = entry & 0x000ffffffffff000n;\n' +
    '    const leaf = level === 1 || (level < 4 && (entry & 0x80n) !== 0n);\n' +
    '    const inside = (1n << shift) - 1n;\n' +
    '    if (leaf) return (frame & ~inside) | (va & inside);\n' +
    '    table = frame;\n' +
    '  }\n' +
    '};\n' +
    '```',
});

export const EXERCISES_01: ExercisesOf<Answers01> = [index, alias, errorCode, walkerExercise];
