import ts from 'typescript';
import type { Completeness } from './messages';

/** What the parser says when the text only ends too early. */
const UNFINISHED = new Set([
  1010, // */ expected
  1160, // unterminated template literal
]);

/** What no further line can mend. */
const UNMENDABLE = new Set([
  1002, // unterminated string literal
  1161, // unterminated regular expression literal
]);

/** Whether a cell could be run as it stands, or goes on in the next line. */
export function isComplete(code: string): Completeness {
  const file = ts.createSourceFile('cell.ts', code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const { parseDiagnostics } = file as ts.SourceFile & {
    parseDiagnostics: ts.DiagnosticWithLocation[];
  };
  const end = code.trimEnd().length;
  if (parseDiagnostics.length === 0) {
    return isOpenEnded(file, code)
      ? { status: 'incomplete', indent: '  ' }
      : { status: 'complete' };
  }
  const [first] = parseDiagnostics;
  const isAtEnd = first.start >= end;
  const isUnfinished = UNFINISHED.has(first.code) && first.start + first.length >= end;
  if (UNMENDABLE.has(first.code)) return { status: 'invalid' };
  if (isAtEnd || isUnfinished) return { status: 'incomplete', indent: indent(code) };
  return { status: 'invalid' };
}

/** `if (x)` and the like parse, with an empty body that is still to come. */
function isOpenEnded(file: ts.SourceFile, code: string): boolean {
  const last = file.statements.at(-1);
  return last !== undefined && ts.isEmptyStatement(last) && !code.trimEnd().endsWith(';');
}

/** Two spaces for each bracket that is open. */
function indent(code: string): string {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, code);
  let depth = 0;
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    if (OPENING.has(token)) depth += 1;
    else if (CLOSING.has(token)) depth = Math.max(0, depth - 1);
  }
  return '  '.repeat(depth);
}

const OPENING = new Set([
  ts.SyntaxKind.OpenBraceToken,
  ts.SyntaxKind.OpenBracketToken,
  ts.SyntaxKind.OpenParenToken,
]);
const CLOSING = new Set([
  ts.SyntaxKind.CloseBraceToken,
  ts.SyntaxKind.CloseBracketToken,
  ts.SyntaxKind.CloseParenToken,
]);
