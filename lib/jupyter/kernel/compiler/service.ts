import ts from 'typescript';
import type { Transpiled } from '../runner/protocol';
import { complete } from './complete';
import { AT_END, Declarations } from './declarations';
import type { Mistake } from './diagnostics';
import { fileMistakes, isRelevant, refusal, toMistake } from './diagnostics';
import { runtimeName } from './globals';
import { Host, isInstalled } from './host';
import { Captured } from './hot-loops';
import { inspect } from './inspect';
import { instrumentCell, isCounted } from './instrument';
import { isComplete } from './is-complete';
import type { Committed, CompiledCell, Compiler, RefusedCell } from './messages';
import type { CellNames } from './names';
import { identifiersIn, namesOf } from './names';
import { toRepl } from './repl';
import { transpile } from './transpile';

/** A cell as it was compiled, until it is known what it has done. */
interface Pending {
  token: number;
  dts: string;
  names: CellNames;
  /** After which declaration each value exists. */
  order: Map<string, number>;
}

/** The text that is compiled for a cell, and where the cell is in it. */
interface Framed {
  text: string;
  start: number;
  lineOffset: number;
  /** The cell with the parentheses put around an object. */
  span: { from: number; to: number };
}

/** Checks cells strictly and compiles them, each knowing what the earlier ones declared. */
export class Service implements Compiler {
  private readonly host: Host;
  private readonly language: ts.LanguageService;
  private declarations = new Declarations();
  private readonly captured = new Captured();
  private pending: Pending | undefined;
  private tokens = 0;
  /** Files whose mistakes have been told, by version. */
  private readonly told = new Map<string, string>();

  /** @param isCancelled whether what is being compiled need not be finished */
  constructor(
    folder: string,
    private readonly isCancelled: () => boolean = () => false,
  ) {
    this.host = new Host(folder);
    this.language = ts.createLanguageService(this.host, ts.createDocumentRegistry());
  }

  compile(code: string, label: string): CompiledCell | RefusedCell {
    const isObject = isObjectLiteral(code);
    const written = parse(isObject ? `(${code})` : code);
    const names = namesOf(written);
    const framed = this.frame(code, names, isObject);
    const token = this.cancellation();
    this.host.setCell(framed.text, /\bimport\b|\brequire\b/.test(code));
    const program = this.language.getProgram()!;
    const file = program.getSourceFile(this.host.cellFile)!;
    const { start } = framed;
    const mistakesOf = (all: readonly ts.Diagnostic[], end: number) =>
      all
        .filter((one) => isRelevant(one) && isWithin(one, start, end))
        .map((one) => toMistake(one, start));
    // What is left open in the cell may only be noticed behind it.
    let mistakes = mistakesOf(program.getSyntacticDiagnostics(file, token), Infinity).slice(0, 10);
    if (mistakes.length === 0) {
      mistakes = mistakesOf(program.getSemanticDiagnostics(file, token), start + code.length);
    }
    if (mistakes.length === 0) mistakes = untyped(program.getTypeChecker(), file, start);
    if (mistakes.length > 0) return { ok: false, error: refusal(code, mistakes, label) };
    return this.emit(program, file, framed, written, names);
  }

  private cancellation(): ts.CancellationToken {
    return {
      isCancellationRequested: this.isCancelled,
      throwIfCancellationRequested: () => {
        if (this.isCancelled()) throw new ts.OperationCanceledException();
      },
    };
  }

  private emit(
    program: ts.Program,
    file: ts.SourceFile,
    { lineOffset, span }: Framed,
    written: ts.SourceFile,
    names: CellNames,
  ): CompiledCell {
    this.captured.add(written);
    const made = [...names.values].filter((name) => !names.ambient.has(name));
    const own = new Set([...made, ...names.imports.map(({ name }) => name)].map(runtimeName));
    const output: Record<string, string> = {};
    const write = (path: string, text: string) => {
      output[path.slice(path.indexOf('.', path.lastIndexOf('[cell]')))] = text;
    };
    const transformers: ts.CustomTransformers = {
      before: [instrumentCell(program.getTypeChecker(), span.from, span.to, this.captured)],
      after: [toRepl(own, span.from, span.to)],
    };
    emitForced(program, file, write, transformers);
    this.tokens += 1;
    const order = orderOf(written);
    this.pending = { token: this.tokens, dts: output['.d.ts'] ?? '', names, order };
    const warnings = this.mistakesInFiles(program);
    return {
      ok: true,
      code: output['.js'].replace(/\n\/\/# sourceMappingURL=.*$/, ''),
      map: output['.js.map'],
      lineOffset,
      names: [...own],
      warnings,
      token: this.tokens,
    };
  }

  commit(token: number, finished: boolean, reached: number): Committed | null {
    const { pending } = this;
    if (pending?.token !== token) return null;
    this.pending = undefined;
    const { dts, names, order } = pending;
    const kept = [...names.values, ...names.imports.map(({ name }) => name)].filter(
      (name) => (order.get(name) ?? 0) <= reached,
    );
    const committed = finished ? { dts, names } : { dts, names, kept: new Set(kept) };
    this.declarations.add(committed);
    return committed;
  }

  restore(all: Committed[]): void {
    for (const committed of all) this.declarations.add(committed);
  }

  complete(code: string, position: number) {
    const { language, cell } = this.forLookup(code);
    return complete(language, this.host.cellFile, cell.start, code, position);
  }

  inspect(code: string, position: number, detail: number) {
    const { language, cell } = this.forLookup(code);
    return inspect(language, this.host.cellFile, cell.start, code, position, detail);
  }

  isComplete(code: string) {
    return isComplete(code);
  }

  transpile(path: string): Transpiled {
    return transpile(path, this.host.getCompilationSettings(), this.host.folder);
  }

  resolve(request: string, from: string): string | null {
    return this.host.sourceOf(request, from);
  }

  forget(): void {
    this.declarations = new Declarations();
    this.pending = undefined;
  }

  /** The language service, looking at a cell behind all that is known. */
  private forLookup(code: string) {
    const cell = this.frame(code, namesOf(parse(code)), false, this.declarations.names());
    this.host.setCell(cell.text, false);
    return { language: this.language, cell };
  }

  private frame(
    code: string,
    names: CellNames,
    isObject: boolean,
    words: Iterable<string> = identifiersIn(code),
  ): Framed {
    const noCheck = /^\s*\/\/\s*@ts-nocheck/m.test(code.split('\n', 1)[0])
      ? ['// @ts-nocheck']
      : [];
    const before = [...noCheck, ...this.declarations.preamble(words, names)];
    if (isObject) before.push('(');
    const head = before.map((line) => `${line}\n`).join('');
    const declared = [...names.values, ...names.types, ...names.imports.map(({ name }) => name)];
    const exported = new Set(declared.filter((name) => !names.exported.has(name)));
    const atEnd = [...names.open].map((name) => `export let ${AT_END}${name} = ${name};`);
    const tail = [isObject ? ')' : '', ...atEnd, `export { ${[...exported].join(', ')} };`];
    return {
      text: `${head}${code}\n${tail.join('\n')}`,
      start: head.length,
      lineOffset: head.split('\n').length - 1,
      span: { from: head.length - (isObject ? 2 : 0), to: head.length + code.length + 2 },
    };
  }

  /**
   * Files that the cell imports are loaded by their syntax alone; mistakes in their types are
   * told once and do not stop the cell: they may follow other rules than a cell does.
   */
  private mistakesInFiles(program: ts.Program): string[] {
    const { cellFile, folder } = this.host;
    const warnings: string[] = [];
    for (const file of program.getSourceFiles()) {
      const { fileName, isDeclarationFile } = file;
      if (isDeclarationFile || fileName === cellFile || isInstalled(fileName)) continue;
      const version = this.host.getScriptVersion(fileName);
      if (this.told.get(fileName) === version) continue;
      this.told.set(fileName, version);
      const wrong = program.getSemanticDiagnostics(file).filter(isRelevant);
      if (wrong.length > 0) warnings.push(fileMistakes(file, wrong, folder));
    }
    return warnings;
  }
}

/** Variables that the cell leaves without a type: later cells would get them as `any`. */
function untyped(checker: ts.TypeChecker, file: ts.SourceFile, offset: number): Mistake[] {
  const empty = ts.TypeFlags.Undefined | ts.TypeFlags.Null;
  const found: Mistake[] = [];
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    const [{ name, initializer }] = statement.declarationList.declarations;
    if (!ts.isIdentifier(name) || !name.text.startsWith(AT_END) || !initializer) continue;
    if ((checker.getTypeAtLocation(initializer).flags & empty) === 0) continue;
    const declaration = checker.getSymbolAtLocation(initializer)?.valueDeclaration;
    if (!declaration || !ts.isVariableDeclaration(declaration)) continue;
    const variable = name.text.slice(AT_END.length);
    const message = `Variable '${variable}' has no type that later cells could know: write 'let ${variable}: T'.`;
    const from = declaration.getStart(file) - offset;
    found.push({ code: 7034, message, start: from, length: variable.length });
  }
  return found;
}

/** `emit` that writes declarations in any case; the parameter is not in the public types. */
function emitForced(
  program: ts.Program,
  file: ts.SourceFile,
  write: ts.WriteFileCallback,
  transformers: ts.CustomTransformers,
): void {
  type Emit = (...args: [...Parameters<ts.Program['emit']>, boolean]) => ts.EmitResult;
  (program.emit as Emit)(file, write, undefined, undefined, transformers, true);
}

function parse(code: string): ts.SourceFile {
  return ts.createSourceFile('cell.ts', code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
}

function isWithin({ start }: ts.Diagnostic, from: number, to: number): boolean {
  return start === undefined || (start >= from && start <= to);
}

/** `{ a: 1, b }` is meant as an object, though its grammar says block. */
function isObjectLiteral(code: string): boolean {
  if (!/^\s*\{[^]*\}\s*$/.test(code)) return false;
  const { statements, parseDiagnostics } = parse(`(${code})`) as ts.SourceFile & {
    parseDiagnostics: unknown[];
  };
  if (parseDiagnostics.length > 0 || statements.length !== 1) return false;
  const [only] = statements;
  if (!ts.isExpressionStatement(only) || !ts.isParenthesizedExpression(only.expression))
    return false;
  const { expression } = only.expression;
  return ts.isObjectLiteralExpression(expression) && expression.properties.length > 0;
}

/** After how many counted declarations each name has its value. */
function orderOf(file: ts.SourceFile): Map<string, number> {
  const order = new Map<string, number>();
  let count = 0;
  for (const statement of file.statements) {
    if (!isCounted(statement)) continue;
    count += 1;
    const names = namesOf(ts.factory.updateSourceFile(file, [statement]));
    for (const name of names.values) order.set(name, count);
    for (const { name } of names.imports) order.set(name, count);
  }
  return order;
}
