import type { Finding } from '../finding';
import type { NotebookResult } from '../result';
import { placeOf, placeText } from './place';

/** Lines of a cell's source that a finding shows. */
const SOURCE_LINES = 4;

/** Characters of a line that are shown. */
const WIDTH = 200;

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2 } as const;

type Paint = (colour: keyof typeof COLOURS, text: string) => string;

/** What came of one notebook, as lines for a terminal or a log. */
export function notebookText(result: NotebookResult, colours: boolean): string {
  const paint: Paint = (colour, text) =>
    colours ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
  const { name, outcome, reason, cells, ms, written, findings } = result;
  if (outcome === 'skipped') return `${paint('yellow', '-')} ${name}  skipped: ${reason}\n`;
  const sign = outcome === 'passed' ? paint('green', '✔') : paint('red', '✘');
  const ran = cells.length === 0 ? '' : `  ${cells.length} cells, ${(ms / 1000).toFixed(1)} s`;
  const head = `${sign} ${name}${ran}${written ? ', stored' : ''}`;
  const texts = findings.map((finding, i) =>
    findingText(result, finding, i > 0 && findings[i - 1].cell === finding.cell, paint),
  );
  return `${[head, ...texts].join('\n')}\n`;
}

function findingText(
  { notebook, notRun, cells }: NotebookResult,
  finding: Finding,
  sameCell: boolean,
  paint: Paint,
): string {
  const { kind, message, cell, details = [] } = finding;
  const lines = [`  ${paint('red', kind)}: ${message}`];
  if (notebook && cell !== undefined) {
    const place = placeOf(notebook, cell);
    lines[0] = `  ${paint('red', kind)}: ${placeText(place)}: ${message}`;
    const source = sameCell ? [] : place.source.split('\n');
    const more = source.length > SOURCE_LINES ? ['…'] : [];
    for (const line of [...source.slice(0, SOURCE_LINES), ...more]) {
      lines.push(paint('dim', `    | ${line}`));
    }
  }
  lines.push(...aligned(details).map((line) => `    ${painted(cut(line), paint)}`));
  const ended = cells.at(-1)?.index === cell && notRun.length > 0;
  if (ended && cell !== undefined)
    lines.push(paint('dim', `    (cells after it, not run: ${notRun.length})`));
  return lines.join('\n');
}

/** Long lines that differ far behind their beginning are shown from shortly before the difference on. */
function aligned(lines: readonly string[]): string[] {
  const out = [...lines];
  for (let i = 0; i + 1 < out.length; i += 1) {
    const [a, b] = [out[i], out[i + 1]];
    if (!a.startsWith('- ') || !b.startsWith('+ ') || Math.max(a.length, b.length) <= WIDTH)
      continue;
    let same = 2;
    while (same < a.length && a[same] === b[same]) same += 1;
    if (same < WIDTH / 2) continue;
    [out[i], out[i + 1]] = [a, b].map((line) => `${line.slice(0, 2)}…${line.slice(same - 40)}`);
  }
  return out;
}

const cut = (line: string) => (line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line);

function painted(line: string, paint: Paint): string {
  if (line.startsWith('- ')) return paint('red', line);
  return line.startsWith('+ ') ? paint('green', line) : line;
}
