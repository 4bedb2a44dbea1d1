import ts from 'typescript';
import { AT_END } from './declarations';
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
  const none = { matches: [], start: position - word.length, end: position };
  if (info === undefined) return none;
  // Within quotes more than an identifier may be replaced: the compiler says how much.
  const span = info.optionalReplacementSpan ?? info.entries[0]?.replacementSpan;
  const begin = span ? Math.min(Math.max(0, span.start - start), position) : none.start;
  const typed = code.slice(begin, position);
  const entries = info.entries
    .filter(({ name, kind }) => isOffered(name, kind, code[begin - 1]))
    .filter(({ name }) => startsWith(name, typed))
    .sort((a, b) => rank(a) - rank(b) || compare(a.sortText, b.sortText) || compare(a.name, b.name))
    .slice(0, LIMIT);
  const matches = entries.map(({ name, kind }) => ({ text: name, type: kindName(kind) }));
  return { ...none, matches, start: begin };
}

/** @param before the character in front of the word */
function isOffered(name: string, kind: string, before: string | undefined): boolean {
  if (name.startsWith(AT_END)) return false;
  // Words of the file that the compiler offers where it knows nothing better.
  if (kind === ts.ScriptElementKind.warning) return false;
  return before !== '.' || kind !== ts.ScriptElementKind.keyword;
}

/** Case counts only if the typed word has capitals. */
function startsWith(name: string, word: string): boolean {
  const typed = word.replace(/^['"`#]/, '');
  const folded = /\p{Lu}/u.test(typed) ? name : name.toLowerCase();
  return folded.replace(/^['"`#]/, '').startsWith(typed);
}

/** Keywords last. */
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
