import { agreement, type Agreement, type AgreementRow } from '../experiments/agreement';
import type { LeftOut, Recordings } from '../experiments/recordings';
import { parseRecordedRunaways, RUNAWAY_ENDINGS } from '../experiments/recorded-runaways';
import { ENDINGS, parseRecordedRuns, RECORDED_RUNS } from '../experiments/recorded-runs';
import type { RunawayAgreement } from '../experiments/runaway-agreement';
import type { Register } from '.';
import { refusing, wholeNumber } from './options';
import { readTextFile } from './read-file';
import { UsageError } from './usage-error';

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
      if (recordings === '-' && runaways === '-') {
        throw new UsageError(
          '--recordings, --runaways: expected at most one from standard input (-), got both',
        );
      }
      const given = recordings === undefined ? null : readRuns(recordings);
      const endless = runaways === undefined ? null : readRunaways(runaways);
      const result = {
        ...refusing(() =>
          agreement(given?.runs ?? RECORDED_RUNS, {
            ...{ seeds, seed, populations },
            // The recorded ones belong to the recorded runs: with others they are not asked for.
            runaways: endless?.runs ?? (given ? [] : undefined),
          }),
        ),
        leftOut: [...leftOutOf('recordings', given), ...leftOutOf('runaways', endless)],
      };
      process.stdout.write(json ? `${JSON.stringify(result)}\n` : table(result));
    });
};

const readRuns = (file: string) =>
  read('recordings', file, 'overrun with a result', parseRecordedRuns);
const readRunaways = (file: string) =>
  read('runaways', file, 'endless recursion with an end', parseRecordedRunaways);

/** The recordings in the file that was given to an option; at least one. */
function read<T>(
  option: From,
  file: string,
  what: string,
  parse: (text: string) => Recordings<T>,
): Recordings<T> {
  const text = readTextFile(`--${option}`, file);
  let found: Recordings<T>;
  try {
    found = parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--${option}: ${error.message}`);
    throw error;
  }
  if (found.runs.length > 0) return found;
  throw new UsageError(
    `--${option}: expected at least one ${what}, got ${leftOutText(found.leftOut) || 'an empty file'}`,
  );
}

type From = 'recordings' | 'runaways';
type LeftOutFrom = LeftOut & { readonly from: From };

const leftOutOf = (from: From, found: Recordings<unknown> | null): LeftOutFrom[] =>
  (found?.leftOut ?? []).map((left) => ({ from, ...left }));

/** `3 × no result (from line 2), 2 × endless recursion (from line 7)` */
const leftOutText = (leftOut: readonly LeftOut[]) =>
  leftOut.map(({ why, lines, first }) => `${lines} × ${why} (from line ${first})`).join(', ');

type Result = Agreement & { readonly leftOut: readonly LeftOutFrom[] };

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
    ...(['recordings', 'runaways'] as const).flatMap((option) => {
      const own = leftOut.filter(({ from }) => from === option);
      return own.length > 0 ? [`Left out of --${option}: ${leftOutText(own)}.`] : [];
    }),
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
