/**
 * `npm run nightly [SEED]`: the property tests with 35 times as many runs, a million
 * random operations and more, from another seed each time. The seed is printed; give it to
 * run the same again.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';

const FACTOR = 35;
const SPEC = ['test/x86/*.test.ts', 'test/mm/*.test.ts', 'test/stack/*.test.ts'];

const seed = process.argv[2] ?? String(randomInt(2 ** 31 - 1));
if (!/^\d{1,10}$/.test(seed)) {
  console.error(`nightly: expected a whole number as seed, got ${seed}`);
  process.exit(2);
}
console.log(`seed ${seed}, ${FACTOR} times the runs of npm test`);
const mocha = [require.resolve('mocha/bin/mocha.js'), '--no-config', '-r', 'ts-node/register'];
const { status } = spawnSync(process.execPath, [...mocha, '--timeout', '0', ...SPEC], {
  stdio: 'inherit',
  env: { ...process.env, GUARDPAGE_RUNS: String(FACTOR), GUARDPAGE_SEED: seed },
});
process.exitCode = status ?? 1;
