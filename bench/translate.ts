import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, PROCESSES, sample, sampleScript, type Sample } from './processes';

const WORKER = join(__dirname, 'translate-worker.ts');
const SOURCE = join(__dirname, 'translate.c');
const ROUNDS = '60';

/** What of bench/translate-worker.ts, and how the line is called. */
const LINES: readonly (readonly [string, string])[] = [
  ['hit', 'TLB hits, 48 pages in 64 entries'],
  ['hitL2', 'TLB hits, 1024 pages in 1536 entries'],
  ['hitLarge', 'TLB hits, 24 large pages in 32 entries'],
  ['miss', 'TLB misses, 4096 pages in 64 entries'],
  ['load', 'load64 with TLB hit'],
  ['store', 'store64 with TLB hit'],
  ['fault', 'page faults returned'],
];

const millions = (samples: readonly Sample[]): number => median(samples.map((s) => s.rate)) / 1e6;

/** Compiles the walk in C; null where there is no gcc. */
function compile(dir: string): string | null {
  const binary = join(dir, 'translate');
  const { status, error } = spawnSync('gcc', ['-O2', '-o', binary, SOURCE], { encoding: 'utf8' });
  return error || status !== 0 ? null : binary;
}

/**
 * Translations a second: walks against the same walk in C, taken in turns so that both meet
 * the same load of the machine, and what goes through the TLB.
 */
export function benchTranslate(): void {
  const dir = mkdtempSync(join(tmpdir(), 'guardpage-bench-'));
  try {
    const binary = compile(dir);
    const script: Sample[] = [];
    const native: Sample[] = [];
    for (let i = 0; i < PROCESSES; i++) {
      script.push(sampleScript(WORKER, 'walk', ROUNDS));
      if (binary) native.push(sample(binary, ['4096', ROUNDS, '0', '0', '4']));
    }
    const walks = millions(script);
    print('4-level walks, 4096 pages', walks);
    if (native.length > 0) {
      const c = millions(native);
      print('the same in C (gcc -O2)', c, `${((100 * walks) / c).toFixed(0)} % of C`);
      const sums = new Set([...script, ...native].map(({ checksum }) => checksum));
      if (sums.size !== 1) throw new Error(`checksums differ: ${[...sums].join(', ')}`);
      console.log(`  checksum of both: ${[...sums].join()}`);
    } else console.log('  no gcc here: not compared with C');
    for (const [what, name] of LINES) {
      const samples = Array.from({ length: PROCESSES }, () => sampleScript(WORKER, what, ROUNDS));
      print(name, millions(samples));
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function print(name: string, rate: number, remark = ''): void {
  console.log(`  ${name.padEnd(42)} ${rate.toFixed(1).padStart(7)} M/s  ${remark}`.trimEnd());
}
