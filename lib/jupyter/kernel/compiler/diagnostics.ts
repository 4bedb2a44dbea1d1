import { relative } from 'node:path';
import ts from 'typescript';
import { codeFrame } from '../code-frame';
import { bold, dim, red } from '../colours';
import type { Failure } from '../runner/protocol';

const SHOWN = 10;

/** What is no mistake in a cell. */
const IGNORED = new Set([
  7016, // a package without types: its imports are `any`
  1208, // not a module
  2695, // left side of a comma is unused
]);

export function isRelevant({ code, category }: ts.Diagnostic): boolean {
  return category === ts.DiagnosticCategory.Error && !IGNORED.has(code);
}

/** A mistake, placed in the cell as written. */
export interface Mistake {
  code: number;
  message: string;
  start: number;
  length: number;
}

export function toMistake(
  { code, messageText, start, length }: ts.Diagnostic,
  offset: number,
): Mistake {
  const message = ts.flattenDiagnosticMessageText(messageText, '\n');
  return {
    code,
    message: explain(code, message),
    start: (start ?? offset) - offset,
    length: length ?? 1,
  };
}

/** Where the compiler's own words would mislead the reader of a notebook. */
function explain(code: number, message: string): string {
  switch (code) {
    case 2584: // document, alert: it suggests a compiler option
      return `${withoutAdvice(message)} Cells run in Node, not in the browser.`;
    case 2550: // newer than this Node: the same suggestion
      return `${withoutAdvice(message)} Node ${process.versions.node} does not have it.`;
    default:
      return message;
  }
}

function withoutAdvice(message: string): string {
  return message.replace(/ Do you need to change.*$/s, '');
}

/** IPython's magics and shell commands, which people coming from Python try. */
const MAGIC = /^\s*(%%?[a-z]|![a-z])/i;
const NO_MAGIC =
  'Cells are TypeScript: the magics (%) and shell commands (!) of IPython are not known here. ' +
  "A command runs with: import { execSync } from 'node:child_process'; execSync('ls').toString()";

/** The mistakes of a cell as an error reply: the first names it, all are in the traceback. */
export function refusal(code: string, mistakes: readonly Mistake[], label: string): Failure {
  const [first] = mistakes;
  const traceback: string[] = [];
  for (const mistake of mistakes.slice(0, SHOWN)) {
    if (traceback.length > 0) traceback.push('');
    traceback.push(bold(red(`TS${mistake.code}: ${mistake.message}`)));
    traceback.push(...codeFrame(code, spanOf(code, mistake), label));
  }
  const more = mistakes.length - SHOWN;
  if (more > 0) traceback.push('', `… and ${more} more`);
  if (MAGIC.test(code)) traceback.push('', NO_MAGIC);
  traceback.push(dim('The cell was checked and not run.'));
  return { ename: `TS${first.code}`, evalue: first.message, traceback };
}

function spanOf(text: string, { start, length }: Mistake) {
  const at = (position: number) => {
    const before = text.slice(0, Math.max(0, Math.min(position, text.length))).split('\n');
    return { line: before.length, column: before[before.length - 1].length + 1 };
  };
  const from = at(start);
  const to = at(start + length);
  return { ...from, endLine: to.line, endColumn: to.column };
}

/** The mistakes in a file that a cell imports. */
export function fileMistakes(
  file: ts.SourceFile,
  diagnostics: readonly ts.Diagnostic[],
  folder: string,
): string {
  const [first] = diagnostics;
  const { line, character } = file.getLineAndCharacterOfPosition(first.start ?? 0);
  const label = relative(folder, file.fileName);
  const message = ts.flattenDiagnosticMessageText(first.messageText, '\n');
  const more = diagnostics.length > 1 ? `, and ${diagnostics.length - 1} more` : '';
  return `${label}:${line + 1}:${character + 1}: TS${first.code}: ${message}${more}`;
}
