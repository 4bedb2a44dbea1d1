/**
 * Measures this kernel beside stock tslab and deno's, in one run:
 *
 *     npm run build
 *     DENO=/path/to/deno node -r ts-node/register bench/kernel-compare.ts [--quick] [NAME…]
 *
 * Prints a Markdown table. DENO is optional (`pip install deno` brings a binary). The machine
 * should do nothing else meanwhile. `--quick` leaves out the 5,000 cells.
 */
import type { KernelClient } from '../test/jupyter/kernel/client';
import type { Candidate } from './kernel-kernels';
import { candidates, median, withKernel } from './kernel-kernels';
import { residentMegabytes } from './kernel-memory';

type Figures = Map<string, string>;

const ms = (value: number) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;

async function timed(kernel: KernelClient, code: string, timeout = 60_000): Promise<number> {
  const cell = await kernel.execute(code, { timeout });
  return cell.ms;
}

/** Starts: several, since the first reads from a cold disk. */
async function starts(candidate: Candidate, figures: Figures): Promise<void> {
  const ready: number[] = [];
  const first: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    await withKernel(candidate, async (kernel) => {
      ready.push(kernel.readyAfter);
      await kernel.execute('1 + 1');
      first.push(performance.now() - kernel.startedAt);
    });
  }
  figures.set('start to ready (median of 5)', ms(median(ready)));
  figures.set('start to the end of the first cell', ms(median(first)));
}

/** 400 cells in one kernel: time and memory. */
async function fourHundred(kernel: KernelClient, figures: Figures): Promise<void> {
  await kernel.execute('1');
  const memory = () => `${residentMegabytes(kernel.process.pid!).toFixed(0)} MB`;
  figures.set('memory at the start', memory());
  const times: number[] = [];
  for (let i = 0; i < 400; i += 1) {
    if (i === 40) figures.set('memory after 41 cells', memory());
    times.push(
      await timed(
        kernel,
        `const value${i} = ${i} * 2; function use${i}() { return value${i} } value${i}`,
      ),
    );
  }
  const early = median(times.slice(10, 30));
  const late = median(times.slice(380));
  figures.set('a declaring cell, median around the 20th', ms(early));
  figures.set('the same around the 390th', `${ms(late)} (× ${(late / early).toFixed(2)})`);
  figures.set('memory after 400 cells', memory());
  const trivial: number[] = [];
  for (let i = 0; i < 100; i += 1) trivial.push(await timed(kernel, `${i} + 1`));
  figures.set('a trivial cell, median of 100', ms(median(trivial)));
}

async function loops(kernel: KernelClient, figures: Figures): Promise<void> {
  const top: number[] = [];
  const inner: number[] = [];
  for (let i = 0; i < 7; i += 1) {
    top.push(
      await timed(kernel, `let sum${i} = 0; for (let i = 0; i < 1e7; i++) sum${i} += i; sum${i}`),
    );
    inner.push(
      await timed(
        kernel,
        `function total${i}() { let sum = 0; for (let i = 0; i < 1e7; i++) sum += i; return sum } total${i}()`,
      ),
    );
  }
  figures.set(
    'a loop of 1e7 at the top of a cell',
    `${ms(median(top))} (× ${(median(top) / median(inner)).toFixed(2)})`,
  );
  figures.set('the same in a function', ms(median(inner)));
}

async function library(candidate: Candidate, figures: Figures): Promise<void> {
  const first: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    await withKernel(candidate, async (kernel) => {
      await kernel.execute('1');
      await kernel.execute('2');
      const cell = await kernel.execute('import { Random } from "guardpage"; typeof Random');
      if (cell.reply.status === 'ok') first.push(cell.ms);
    });
  }
  figures.set('import of guardpage, first time', first.length ? ms(median(first)) : 'fails');
}

async function lines(kernel: KernelClient, figures: Figures): Promise<void> {
  let last = '';
  const off = kernel.on((channel, { header }) => {
    if (channel === 'iopub') last = header.msg_type;
  });
  const name = '20,000 lines from one cell';
  try {
    const cell = await kernel.execute('for (let i = 0; i < 20000; i++) console.log("line", i)', {
      timeout: 20_000,
    });
    await new Promise((done) => setTimeout(done, 300));
    const arrived = cell.stdout.split('\n').filter((line) => /^line \d+$/.test(line));
    const inOrder = arrived.every((line, i) => line === `line ${i}`);
    const idle = last === 'status' ? 'idle last' : `${last} last`;
    figures.set(
      name,
      `${arrived.length} ${inOrder ? 'in order' : 'not in order'}, ${idle}, ${ms(cell.ms)}`,
    );
  } catch {
    figures.set(name, 'the cell never ends');
  }
  off();
}

async function row(kernel: KernelClient, figures: Figures, count: number): Promise<void> {
  let lost = 0;
  let done = 0;
  const started = performance.now();
  for (; done < count && lost < 3; done += 1) {
    try {
      await kernel.execute(`${done} + 1`, { timeout: 3000 });
    } catch {
      lost += 1;
    }
  }
  const each = (performance.now() - started) / done;
  const name = `${count.toLocaleString('en')} cells in a row`;
  figures.set(name, lost ? `${lost} lost within the first ${done}` : `none lost, ${ms(each)} each`);
}

async function interrupts(candidate: Candidate, figures: Figures): Promise<void> {
  const cells = {
    'interrupt of a loop': 'while (true) {}',
    'of a loop after an await': 'await new Promise((r) => setTimeout(r, 20)); while (true) {}',
    'of a pending await': 'await new Promise(() => {})',
  };
  for (const [name, code] of Object.entries(cells)) {
    await withKernel(candidate, async (kernel) => {
      await kernel.execute('1');
      const running = kernel.begin(code, { timeout: 5000 });
      await new Promise((done) => setTimeout(done, 300));
      const at = performance.now();
      if (candidate.name === 'guardpage') void kernel.interrupt();
      else kernel.process.kill('SIGINT');
      try {
        await running.done;
        figures.set(name, ms(performance.now() - at));
      } catch {
        figures.set(name, 'never');
      }
    });
  }
}

async function measure(candidate: Candidate, quick: boolean): Promise<Figures> {
  const figures: Figures = new Map();
  const step = async (what: string, work: () => Promise<void>) => {
    process.stderr.write(`${candidate.name}: ${what}\n`);
    await work().catch((error: Error) => process.stderr.write(`  ${error.message}\n`));
  };
  await step('starts', () => starts(candidate, figures));
  await step('400 cells', () => withKernel(candidate, (kernel) => fourHundred(kernel, figures)));
  await step('loops', () => withKernel(candidate, (kernel) => loops(kernel, figures)));
  await step('library', () => library(candidate, figures));
  await step('lines', () => withKernel(candidate, (kernel) => lines(kernel, figures)));
  await step('cells in a row', () =>
    withKernel(candidate, (kernel) => row(kernel, figures, quick ? 500 : 5000)),
  );
  await step('interrupts', () => interrupts(candidate, figures));
  return figures;
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const quick = args.includes('--quick');
  const names = args.filter((arg) => !arg.startsWith('--'));
  const chosen = candidates().filter(({ name }) => names.length === 0 || names.includes(name));
  const all: Figures[] = [];
  for (const candidate of chosen) all.push(await measure(candidate, quick));
  const rows = new Set(all.flatMap((figures) => [...figures.keys()]));
  console.log(`| measure | ${chosen.map(({ name }) => name).join(' | ')} |`);
  console.log(`|---|${chosen.map(() => '---|').join('')}`);
  for (const name of rows) {
    console.log(`| ${name} | ${all.map((figures) => figures.get(name) ?? '–').join(' | ')} |`);
  }
  process.exit();
}

void main();
