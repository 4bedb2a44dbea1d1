import type { Finding } from '../finding';
import type { CellResult, NotebookResult } from '../result';
import { escapeText } from './escape';
import { placeOf, placeText } from './place';

/** The results in JUnit's XML: a suite for each notebook, a test case for each cell that was to run. */
export function junitReport(results: readonly NotebookResult[]): string {
  const suites = results.map(suite);
  const sum = (key: 'tests' | 'failures' | 'skipped') =>
    suites.reduce((total, counts) => total + counts[key], 0);
  const totals = `tests="${sum('tests')}" failures="${sum('failures')}" errors="0" skipped="${sum('skipped')}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="guardpage reproduce" ${totals}>\n${suites
    .map(({ xml }) => xml)
    .join('')}</testsuites>\n`;
}

interface Suite {
  readonly xml: string;
  readonly tests: number;
  readonly failures: number;
  readonly skipped: number;
}

function suite(result: NotebookResult): Suite {
  const { name, outcome, reason, findings, cells, notRun, ms } = result;
  const cases: { xml: string; failed: boolean; skipped: boolean }[] = [];
  const add = (title: string, time: number, wrong: readonly Finding[], skip?: string) => {
    const attributes = `classname="${escapeText(name)}" name="${escapeText(title)}" time="${seconds(time)}"`;
    const inner = [
      ...wrong.map(failure),
      ...(skip === undefined ? [] : [`      <skipped message="${escapeText(skip)}"/>\n`]),
    ];
    const xml =
      inner.length === 0
        ? `    <testcase ${attributes}/>\n`
        : `    <testcase ${attributes}>\n${inner.join('')}    </testcase>\n`;
    cases.push({ xml, failed: wrong.length > 0, skipped: skip !== undefined });
  };
  const whole = findings.filter(({ cell }) => cell === undefined);
  const empty = cells.length === 0 && notRun.length === 0;
  if (whole.length > 0 || empty)
    add('notebook', 0, whole, outcome === 'skipped' ? reason : undefined);
  const of = (index: number) => findings.filter(({ cell }) => cell === index);
  const ran = new Map(cells.map((cell): [number, CellResult] => [cell.index, cell]));
  const others = findings.flatMap(({ cell }) => (cell === undefined ? [] : [cell]));
  const indices = [...new Set([...ran.keys(), ...notRun, ...others])].sort((a, b) => a - b);
  for (const index of indices) {
    const skip = notRun.includes(index) ? 'not run after a failure' : undefined;
    add(titleOf(result, index), ran.get(index)?.ms ?? 0, of(index), skip);
  }
  const count = (key: 'failed' | 'skipped') => cases.filter((one) => one[key]).length;
  const [tests, failures, skipped] = [cases.length, count('failed'), count('skipped')];
  const xml =
    `  <testsuite name="${escapeText(name)}" tests="${tests}" failures="${failures}" errors="0" skipped="${skipped}" time="${seconds(ms)}">\n` +
    `${cases.map((one) => one.xml).join('')}  </testsuite>\n`;
  return { xml, tests, failures, skipped };
}

const seconds = (ms: number) => (ms / 1000).toFixed(3);

function titleOf({ notebook }: NotebookResult, index: number): string {
  return notebook ? placeText(placeOf(notebook, index)) : `cell ${index + 1}`;
}

function failure({ kind, message, details = [] }: Finding): string {
  const text = escapeText(details.join('\n'));
  return `      <failure type="${kind}" message="${escapeText(message)}">${text}</failure>\n`;
}
