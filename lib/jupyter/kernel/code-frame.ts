import { cyan, dim, red } from './colours';

const BEFORE = 3;
const AFTER = 2;
const WIDTH = 160;

/** A stretch of source to point at; lines and columns count from 1, the end is exclusive. */
export interface Span {
  line: number;
  column: number;
  endLine?: number;
  endColumn?: number;
}

/** The lines around a place, the place marked with a caret. */
export function codeFrame(source: string, span: Span, label: string): string[] {
  const lines = source.split(/\r?\n/);
  const first = Math.max(1, span.line - BEFORE);
  const last = Math.min(lines.length, span.line + AFTER);
  const width = String(last).length;
  const out = [`${cyan(label)}, line ${span.line}`];
  for (let n = first; n <= last; n += 1) {
    const here = n === span.line;
    const text = lines[n - 1];
    const from = here && span.column > WIDTH ? span.column - WIDTH / 2 : 0;
    const shown = text.slice(from, from + WIDTH) + (text.length > from + WIDTH ? '…' : '');
    out.push(`${here ? red('>') : ' '} ${dim(`${String(n).padStart(width)} |`)} ${shown}`);
    if (here) out.push(`  ${dim(`${' '.repeat(width)} |`)} ${caret(text, span, from)}`);
  }
  return out;
}

function caret(text: string, span: Span, from: number): string {
  const start = span.column - 1;
  const end = span.endLine === span.line && span.endColumn ? span.endColumn - 1 : start + 1;
  const gap = text.slice(from, start).replace(/[^\t]/g, ' ');
  return gap + red('^'.repeat(Math.max(1, Math.min(end, text.length, from + WIDTH) - start)));
}
