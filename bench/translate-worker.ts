/**
 * One process of bench/translate.ts. Argument: what to measure. Prints one line of JSON:
 * operations a second, best of the rounds, and a checksum of the answers.
 */
import { Cpu } from '../lib/x86/cpu';
import { PageTable } from '../lib/x86/page-table';
import { PhysMemory } from '../lib/x86/phys-memory';
import { TLB_SKYLAKE_L1D, TLB_SKYLAKE_L2, type TlbConfig } from '../lib/x86/tlb';

const ADDRESSES = 65536;
const MEMORY_PAGES = 65536;
const ROOT = 16;
const START = 0xffffc90000000000n;

const scratch64 = new BigUint64Array(1);
const scratch32 = new Uint32Array(scratch64.buffer);

/** Pages scattered over memory, and addresses in them: the same as bench/translate.c has. */
function build(pages: number, size: 4096 | 0x200000, tlb: TlbConfig): { cpu: Cpu; vas: bigint[] } {
  const memory = new PhysMemory(MEMORY_PAGES * 4096);
  let next = ROOT;
  const tables = new PageTable(memory, { levels: 4, allocTable: () => next++ });
  const frames = (MEMORY_PAGES * 4096) / size;
  for (let i = 0; i < pages; i++) {
    const pa = BigInt(((i * 7919) % frames) * size);
    tables.map(START + BigInt(i * size), pa, size, { global: true });
  }
  const cpu = new Cpu(memory, { tlb });
  cpu.setCr3(tables.cr3);
  let x = 12345;
  const vas: bigint[] = [];
  for (let i = 0; i < ADDRESSES; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    vas.push(START + BigInt(((x >>> 8) % pages) * size) + BigInt(x & 0xff8));
  }
  return { cpu, vas };
}

type Loop = (cpu: Cpu, vas: bigint[], sum: number) => number;

const walkLoop: Loop = (cpu, vas, sum) => {
  for (let i = 0; i < ADDRESSES; i++) {
    scratch64[0] = cpu.translateUncached(vas[i], 'read') as bigint;
    sum = (Math.imul(sum, 31) + scratch32[0]) | 0;
  }
  return sum;
};

const hitLoop: Loop = (cpu, vas, sum) => {
  for (let i = 0; i < ADDRESSES; i++) {
    scratch64[0] = cpu.translate(vas[i], 'read') as bigint;
    sum = (Math.imul(sum, 31) + scratch32[0]) | 0;
  }
  return sum;
};

const loadLoop: Loop = (cpu, vas, sum) => {
  for (let i = 0; i < ADDRESSES; i++) {
    scratch64[0] = cpu.load64(vas[i]) as bigint;
    sum = (Math.imul(sum, 31) + scratch32[0]) | 0;
  }
  return sum;
};

const storeLoop: Loop = (cpu, vas, sum) => {
  for (let i = 0; i < ADDRESSES; i++) if (cpu.store64(vas[i], vas[i]) !== null) sum++;
  return sum;
};

const faultLoop: Loop = (cpu, vas, sum) => {
  for (let i = 0; i < ADDRESSES; i++) {
    if (typeof cpu.translate(vas[i] - 0x10000000000n, 'read') === 'object') sum = (sum + 1) | 0;
  }
  return sum;
};

const WHAT: Record<string, [Loop, number, 4096 | 0x200000, TlbConfig]> = {
  walk: [walkLoop, 4096, 4096, TLB_SKYLAKE_L1D],
  hit: [hitLoop, 48, 4096, TLB_SKYLAKE_L1D],
  hitL2: [hitLoop, 1024, 4096, TLB_SKYLAKE_L2],
  hitLarge: [hitLoop, 24, 0x200000, TLB_SKYLAKE_L1D],
  miss: [hitLoop, 4096, 4096, TLB_SKYLAKE_L1D],
  load: [loadLoop, 48, 4096, TLB_SKYLAKE_L1D],
  store: [storeLoop, 48, 4096, TLB_SKYLAKE_L1D],
  fault: [faultLoop, 48, 4096, TLB_SKYLAKE_L1D],
};

const [loop, pages, size, tlb] = WHAT[process.argv[2]];
const rounds = Number(process.argv[3]);
const { cpu, vas } = build(pages, size, tlb);
let best = 0;
let sum = 0;
for (let round = 0; round < rounds; round++) {
  const start = process.hrtime.bigint();
  sum = loop(cpu, vas, sum);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  best = Math.max(best, ADDRESSES / seconds);
}
console.log(JSON.stringify({ rate: Math.round(best), checksum: sum >>> 0 }));
