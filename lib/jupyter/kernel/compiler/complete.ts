import ts from 'typescript';
import { identifierBefore } from './words';
import type { Completion } from './messages';

const LIMIT = 1000;

const OPTIONS: ts.GetCompletionsAtPositionOptions = {
  includeCompletionsForModuleExports: false,
  includeCompletionsWithInsertText: false,
};

/** What may stand at `position` of a cell that begins at `start` of its file. */
export function complete(
  language: ts.LanguageService,
  file: string,
  start: number,
  code: string,
  position: number,
): Completion {
  const info = language.getCompletionsAtPosition(file, start + position, OPTIONS);
  const word = identifierBefore(code, position);
  const from = position - word.length;
  if (info === undefined) return { matches: [], start: from, end: position };
  const span = info.optionalReplacementSpan;
  const entries = info.entries
    .filter(({ name, kind }) => isOffered(name, kind, span ? '' : word, code, from))
    .filter(({ name }) => startsWith(name, span ? code.slice(span.start - start, position) : word))
    .sort((a, b) => rank(a) - rank(b) || compare(a.sortText, b.sortText) || compare(a.name, b.name))
    .slice(0, LIMIT);
  const matches = entries.map(({ name, kind }) => ({ text: name, type: kindName(kind) }));
  const begin = span ? Math.max(0, span.start - start) : from;
  return { matches, start: begin, end: position };
}

function isOffered(name: string, kind: string, word: string, code: string, from: number): boolean {
  if (name.startsWith('$atEnd_')) return false;
  // Where the compiler only guesses from words in the file, offer none but those typed for.
  if (kind === ts.ScriptElementKind.warning) return false;
  return word !== '' || kind !== ts.ScriptElementKind.keyword || code[from - 1] !== '.';
}

/** Case counts only if the typed word has capitals. */
function startsWith(name: string, word: string): boolean {
  const typed = word.replace(/^['"`#]/, '');
  const folded = /\p{Lu}/u.test(typed) ? name : name.toLowerCase();
  return folded.replace(/^['"`#]/, '').startsWith(typed);
}

/** The cell's own names before those of the library, keywords last. */
function rank({ kind }: ts.CompletionEntry): number {
  return kind === ts.ScriptElementKind.keyword ? 1 : 0;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The words JupyterLab has icons for. */
function kindName(kind: string): string {
  switch (kind) {
    case ts.ScriptElementKind.functionElement:
    case ts.ScriptElementKind.localFunctionElement:
      return 'function';
    case ts.ScriptElementKind.memberFunctionElement:
      return 'method';
    case ts.ScriptElementKind.memberVariableElement:
    case ts.ScriptElementKind.memberGetAccessorElement:
    case ts.ScriptElementKind.memberSetAccessorElement:
      return 'property';
    case ts.ScriptElementKind.classElement:
      return 'class';
    case ts.ScriptElementKind.interfaceElement:
      return 'interface';
    case ts.ScriptElementKind.enumElement:
      return 'enum';
    case ts.ScriptElementKind.moduleElement:
    case ts.ScriptElementKind.externalModuleName:
      return 'module';
    case ts.ScriptElementKind.keyword:
      return 'keyword';
    case ts.ScriptElementKind.typeElement:
    case ts.ScriptElementKind.typeParameterElement:
      return 'type';
    case ts.ScriptElementKind.constElement:
    case ts.ScriptElementKind.letElement:
    case ts.ScriptElementKind.variableElement:
    case ts.ScriptElementKind.localVariableElement:
    case ts.ScriptElementKind.parameterElement:
    case ts.ScriptElementKind.alias:
      return 'instance';
    default:
      return kind === '' ? 'instance' : kind;
  }
}
