import type { Random } from '../../lib/random';
import { Cpu } from '../../lib/x86/cpu';
import { PhysMemory } from '../../lib/x86/phys-memory';
import { RFLAGS_AC } from '../../lib/x86/registers';
import type { OracleAccess, OracleCpu, OracleMode, ReadEntry } from './oracle';

/** A memory of a few pages that all hold entries with random bits. */
export class RandomTables {
  readonly cpu: Cpu;
  readonly state: OracleCpu;
  private readonly levels: 4 | 5;

  constructor(
    private readonly random: Random,
    readonly memory: PhysMemory = new PhysMemory(24 * 4096),
  ) {
    const flag = (): boolean => random.chance(0.5);
    this.levels = flag() ? 4 : 5;
    const maxphyaddr = random.pick([32, 36, 40, 46, 51, 52]);
    const [wp, nxe, smep, smap, pke, ac] = [flag(), flag(), flag(), flag(), flag(), flag()];
    const pkru = random.below(2 ** 32);
    this.cpu = new Cpu(memory, { levels: this.levels, maxphyaddr, wp, nxe, smep, smap, pke });
    this.cpu.pkru = pkru;
    if (ac) this.cpu.rflags |= RFLAGS_AC;
    const cr3 = BigInt(random.below(TABLE_PAGES)) << 12n;
    this.cpu.setCr3(cr3);
    this.state = {
      ...{ cr3, levels: this.levels, maxphyaddr, wp, nxe, smep, smap, ac },
      pkru: pke ? pkru : null,
    };
    for (let page = 0; page < TABLE_PAGES; page++) {
      for (let i = 0; i < LIVE; i++) this.randomEntry(page, INDICES[i]);
    }
  }

  /** Writes a random entry; mostly a present one, mostly without reserved bits. */
  randomEntry(
    page: number = this.random.below(TABLE_PAGES),
    index: number = this.random.pick(INDICES),
  ): void {
    const { random } = this;
    let raw = BigInt(random.chance(0.95) ? 1 : 0);
    for (const n of [1, 2, 5]) if (random.chance(0.85)) raw |= 1n << BigInt(n);
    for (const n of [3, 4, 6, 8, 9, 59, 60, 61, 62]) if (random.chance(0.4)) raw |= 1n << BigInt(n);
    if (random.chance(0.15)) raw |= 1n << 7n;
    if (random.chance(0.15)) raw |= 1n << 63n;
    if (random.chance(0.04)) raw |= 1n << BigInt(random.below(64));
    raw |= BigInt(random.below(TABLE_PAGES)) << 12n;
    if (raw & 0x80n && random.chance(0.9)) {
      // A large leaf whose frame is aligned: bits 29 … 13 clear, PAT as it comes.
      raw &= ~0x3fffe000n;
      if (random.chance(0.3)) raw |= BigInt(random.below(4)) << 30n;
    }
    if (random.chance(0.03)) raw |= BigInt(random.below(2 ** 16)) << 30n;
    this.memory.write64(BigInt(page * 4096 + index * 8), raw);
  }

  /** An address whose indices are among those that have entries; sometimes not canonical. */
  address(): bigint {
    const { random } = this;
    let va = 0n;
    for (let level = 0; level < this.levels; level++) {
      va = (va << 9n) | BigInt(random.pick(INDICES));
    }
    va = (va << 12n) | BigInt(random.below(4096));
    va = BigInt.asUintN(64, BigInt.asIntN(this.levels === 5 ? 57 : 48, va));
    return random.chance(0.02) ? va ^ (1n << BigInt(47 + random.below(17))) : va;
  }

  access(): OracleAccess {
    return this.random.pick(['read', 'write', 'execute'] as const);
  }

  mode(): OracleMode {
    return this.random.pick(['user', 'supervisor', 'supervisor', 'implicit'] as const);
  }

  /** How the oracle reads: eight bytes of RAM, or null outside it. */
  readonly read: ReadEntry = (address) =>
    address + 8n <= BigInt(this.memory.size) ? this.memory.read64(address) : null;
}

const TABLE_PAGES = 20;
/** Indices that entries use: few, so that addresses meet; first, last and in between. */
const INDICES: readonly number[] = [0, 1, 7, 255, 256, 510, 511];
const LIVE = INDICES.length;
