import { agreement, type Agreement, type AgreementRow } from '../experiments/agreement';
import type { LeftOut, Recordings } from '../experiments/recordings';
import { parseRecordedRunaways, RUNAWAY_ENDINGS } from '../experiments/recorded-runaways';
import {
  ENDINGS,
  parseRecordedRuns,
  RECORDED_RUNS,
  type RecordedRun,
} from '../experiments/recorded-runs';
import type { RunawayAgreement } from '../experiments/runaway-agreement';
import type { Register } from '.';
import { readText, refusing, wholeNumber } from './options';

interface Flags {
  readonly recordings?: string;
  readonly runaways?: string;
  readonly seeds: number;
  readonly seed: number;
  readonly populations?: number;
  readonly json?: boolean;
}

/** `guardpage agreement`: recorded overruns of real kernels beside simulated ones. */
export const register: Register = (program) => {
  program
    .command('agreement')
    .description('simulate the recorded overruns of real kernels and set the endings side by side')
    .option(
      '--recordings <file>',
      'other recorded runs instead, in the format of test/fixtures/overruns.ndjson (- for standard input)',
    )
    .option(
      '--runaways <file>',
      'other recorded endless recursions, in the format of test/fixtures/runaway.ndjson (- for standard input)',
    )
    .option(
      '--seeds <n>',
      'trials for each kernel, kind of overrun and page below',
      wholeNumber('seeds', 1),
      200,
    )
    .option('--seed <n>', 'first seed', wholeNumber('seed', 0), 1)
    .option(
      '--populations <n>',
      'machines that the trials are spread over (default 10)',
      wholeNumber('populations', 1),
    )
    .option('--json', 'one line of JSON')
    .action(({ recordings, runaways, seeds, seed, populations, json }: Flags) => {
      const result = refusing(() => {
        const given = recordings === undefined ? OWN : readRecordings(recordings);
        const endless =
          runaways === undefined
            ? { runs: recordings === undefined ? undefined : [], leftOut: [] }
            : parseRecordedRunaways(readText('runaways', runaways));
        const leftOut = [...given.leftOut, ...endless.leftOut];
        return {
          ...agreement(given.runs, { seeds, seed, populations, runaways: endless.runs }),
          leftOut,
        };
      });
      process.stdout.write(json ? `${JSON.stringify(result)}\n` : table(result));
    });
};

const OWN = { runs: RECORDED_RUNS, leftOut: [] };

function readRecordings(file: string): Recordings<RecordedRun> {
  const found = parseRecordedRuns(readText('recordings', file));
  if (found.runs.length > 0) return found;
  throw new RangeError(
    `recordings: expected at least one overrun with a result, got ${leftOutText(found.leftOut) || 'an empty file'}`,
  );
}

/** `3 × no result, 2 × endless recursion` */
const leftOutText = (leftOut: readonly LeftOut[]) =>
  leftOut.map(({ why, lines }) => `${lines} × ${why}`).join(', ');

type Result = Agreement & { readonly leftOut: readonly LeftOut[] };

function table(result: Result): string {
  const { rows, runs, trials, logLoss, baselineLogLoss, runaway, leftOut } = result;
  const lines = rows.flatMap((row) => [rowText(row), ...row.apart.map((text) => `       ${text}`)]);
  return [
    'Shares of immediate / delayed / silent endings; real ones with their 95 % intervals (Wilson).',
    '',
    `${'kernel'.padEnd(7)}${'overrun'.padEnd(17)}${'runs'.padStart(5)}  ${'real'.padEnd(48)}${'simulated'.padEnd(19)}agrees`,
    ...lines,
    '',
    `${runs} recorded runs, ${trials} trials.`,
    `Mean log-loss of predicting each real run: ${logLoss.toFixed(3)}; of always answering the recorded shares: ${baselineLogLoss.toFixed(3)}.`,
    ...(leftOut.length > 0 ? [`Left out: ${leftOutText(leftOut)}.`] : []),
    ...(runaway.runs > 0 ? runawayLines(runaway) : []),
    '',
  ].join('\n');
}

const percent = (share: number) => (100 * share).toFixed(0).padStart(3);

function runawayLines({ rows, runs, trials, logLoss, baselineLogLoss, limits }: RunawayAgreement) {
  const lines = rows.map(({ kernel, runs: n, real, interval, simulated, agrees }) => {
    const measured = RUNAWAY_ENDINGS.map(
      (ending) =>
        `${percent(real[ending])} [${percent(interval[ending].low)},${percent(interval[ending].high)}]`,
    ).join('  ');
    const model = RUNAWAY_ENDINGS.map((ending) => percent(simulated[ending])).join(' / ');
    return `${kernel.padEnd(7)}${String(n).padStart(5)}  ${measured.padEnd(58)}${model.padEnd(25)}${agrees ? 'yes' : 'no'}`;
  });
  return [
    '',
    'Endless recursion: panic / reset (triple fault) / hang / only the task dies.',
    '',
    `${'kernel'.padEnd(7)}${'runs'.padStart(5)}  ${'real'.padEnd(58)}${'simulated'.padEnd(25)}agrees`,
    ...lines,
    '',
    `${runs} recorded runs, ${trials} trials.`,
    `Mean log-loss: ${logLoss.toFixed(3)}; of always answering the recorded shares: ${baselineLogLoss.toFixed(3)}.`,
    limits,
  ];
}

function rowText({ kernel, mode, runs, real, interval, simulated, agrees }: AgreementRow): string {
  const measured = ENDINGS.map(
    (ending) =>
      `${percent(real[ending])} [${percent(interval[ending].low)},${percent(interval[ending].high)}]`,
  ).join('  ');
  const model = ENDINGS.map((ending) => percent(simulated[ending])).join(' / ');
  return `${kernel.padEnd(7)}${mode.padEnd(17)}${String(runs).padStart(5)}  ${measured.padEnd(48)}${model.padEnd(19)}${agrees ? 'yes' : 'no'}`;
}
