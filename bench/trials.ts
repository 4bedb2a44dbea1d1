import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { median, PROCESSES, sampleScript, type Sample } from './processes';

const WORKER = join(__dirname, 'trials-worker.ts');
const FEW = 600;
const MANY = 4800;

const row = (name: string, value: string) =>
  console.log(`  ${name.padEnd(58)} ${value.padStart(10)}`);
const perSecond = (rate: number) => `${Math.round(rate)}/s`;

/** Overruns on populated 64 MiB machines that go back to their snapshot after each. */
export async function benchTrials(): Promise<void> {
  const few = sampled(FEW);
  const many = sampled(MANY);
  row(`complete trials, ${FEW} in a row`, perSecond(few));
  row(`complete trials, ${MANY} in a row`, perSecond(many));
  row('cost of a trial, many in a row / few', `${(few / many).toFixed(2)} x`);
  const [one, other] = await Promise.all([inBackground(MANY), inBackground(MANY)]);
  const together = one.rate + other.rate;
  row('two processes at once, together', perSecond(together));
  row('two processes / one', `${(together / many).toFixed(2)} x`);
}

function sampled(trials: number): number {
  const samples = Array.from({ length: PROCESSES }, () => sampleScript(WORKER, String(trials)));
  const [{ checksum }] = samples;
  if (samples.some((other) => other.checksum !== checksum)) {
    throw new Error('trials: expected the same consoles from every process');
  }
  return median(samples.map(({ rate }) => rate));
}

function inBackground(trials: number): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-r', 'ts-node/register', WORKER, String(trials)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('error', reject);
    child.on('close', () => resolve(JSON.parse(text) as Sample));
  });
}
