import ts from 'typescript';
import { HOOKS } from '../runner/hook-name';
import { isShared, runtimeName } from './globals';

const { factory } = ts;

/** Where an import comes from, if it must be read there each time. */
interface Live {
  module: string;
  name: string;
}

/**
 * Gives names of the cell another name where it runs. What a name refers to is asked of the type
 * checker: a parameter of the same name keeps its own.
 */
export class Renames {
  /** Top-level variables that the loop being visited keeps in local ones. */
  locals: ReadonlyMap<string, string> = new Map();

  /** Imports that the module may assign anew: `export let`. */
  private readonly live = new Map<string, Live>();

  constructor(
    private readonly checker: ts.TypeChecker,
    private readonly file: ts.SourceFile,
  ) {
    for (const statement of file.statements) {
      if (ts.isImportDeclaration(statement)) this.noteLive(statement);
    }
  }

  /** What an identifier becomes. */
  identifier(node: ts.Identifier): ts.Expression {
    const live = this.liveOf(node, () => this.checker.getSymbolAtLocation(node));
    if (live) return ts.setTextRange(liveAccess(live), node);
    const name = this.nameOf(node, () => this.checker.getSymbolAtLocation(node));
    return name === undefined ? node : ts.setTextRange(factory.createIdentifier(name), node);
  }

  /** Handles places where one identifier is both a name that may change and one that may not. */
  special(node: ts.Node, visit: (node: ts.Node) => ts.Node): ts.Node | undefined {
    if (ts.isShorthandPropertyAssignment(node)) return this.shorthand(node, visit);
    if (ts.isBindingElement(node)) return this.bindingElement(node, visit);
    if (ts.isImportSpecifier(node) && isShared(node.name.text)) {
      const local = factory.createIdentifier(runtimeName(node.name.text));
      const exported = node.propertyName ?? node.name;
      return factory.updateImportSpecifier(node, node.isTypeOnly, exported, local);
    }
    return ts.isExportDeclaration(node) ? node : undefined;
  }

  /** Whether a symbol is declared at the top of the cell, or by an earlier cell. */
  isTopLevel(symbol: ts.Symbol | undefined): boolean {
    return (symbol?.declarations ?? []).some((declaration) => {
      if (declaration.getSourceFile() !== this.file) return false;
      for (let node: ts.Node = declaration; !ts.isSourceFile(node.parent);) {
        node = node.parent;
        if (isScope(node)) return false;
        if (ts.isBlock(node) || ts.isForStatement(node) || ts.isForOfStatement(node)) {
          return isVar(declaration);
        }
      }
      return true;
    });
  }

  private noteLive({ importClause, moduleSpecifier }: ts.ImportDeclaration): void {
    const named = importClause?.namedBindings;
    if (!named || !ts.isNamedImports(named)) return;
    for (const { name, propertyName } of named.elements) {
      const symbol = this.checker.getSymbolAtLocation(name);
      if (!symbol || (symbol.flags & ts.SymbolFlags.Alias) === 0) continue;
      const declaration = this.checker.getAliasedSymbol(symbol).valueDeclaration;
      if (!declaration || !ts.isVariableDeclaration(declaration)) continue;
      if (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.Const) continue;
      const module = (moduleSpecifier as ts.StringLiteral).text;
      this.live.set(name.text, { module, name: (propertyName ?? name).text });
    }
  }

  private liveOf(node: ts.Identifier, symbol: () => ts.Symbol | undefined): Live | undefined {
    const live = this.live.get(node.text);
    if (live === undefined || node.pos < 0 || ts.isImportSpecifier(node.parent)) return undefined;
    const isImport = symbol()?.declarations?.some(
      (declaration) =>
        ts.isImportSpecifier(declaration) && declaration.getSourceFile() === this.file,
    );
    return isImport ? live : undefined;
  }

  private nameOf(node: ts.Identifier, symbol: () => ts.Symbol | undefined): string | undefined {
    const { text } = node;
    const local = this.locals.get(text);
    if ((local === undefined && !isShared(text)) || node.pos < 0) return undefined;
    return this.isTopLevel(symbol()) ? (local ?? runtimeName(text)) : undefined;
  }

  /** `{ name }` → `{ name: other }` */
  private shorthand(
    node: ts.ShorthandPropertyAssignment,
    visit: (node: ts.Node) => ts.Node,
  ): ts.Node | undefined {
    const symbol = () => this.checker.getShorthandAssignmentValueSymbol(node);
    const live = this.liveOf(node.name, symbol);
    if (live) return factory.createPropertyAssignment(node.name.text, liveAccess(live));
    const name = this.nameOf(node.name, symbol);
    if (name === undefined) return undefined;
    const target = factory.createIdentifier(name);
    const initial = node.objectAssignmentInitializer;
    const value = initial
      ? factory.createAssignment(target, ts.visitNode(initial, visit) as ts.Expression)
      : target;
    return factory.createPropertyAssignment(node.name.text, value);
  }

  /** `const { name } = …` → `const { name: other } = …` */
  private bindingElement(
    node: ts.BindingElement,
    visit: (node: ts.Node) => ts.Node,
  ): ts.Node | undefined {
    const { name, dotDotDotToken, propertyName, initializer, parent } = node;
    if (!ts.isIdentifier(name)) return undefined;
    const local = this.identifier(name);
    if (local === name || !ts.isIdentifier(local)) return undefined;
    const isShort = !propertyName && !dotDotDotToken && ts.isObjectBindingPattern(parent);
    const property = isShort ? name : propertyName;
    const initial = initializer && (ts.visitNode(initializer, visit) as ts.Expression);
    return factory.updateBindingElement(node, dotDotDotToken, property, local, initial);
  }
}

/** `$kernel.modules['m'].name` */
function liveAccess({ module, name }: Live): ts.Expression {
  const modules = factory.createPropertyAccessExpression(
    factory.createIdentifier(HOOKS),
    'modules',
  );
  const loaded = factory.createElementAccessExpression(
    modules,
    factory.createStringLiteral(module),
  );
  return factory.createPropertyAccessExpression(loaded, name);
}

function isScope(node: ts.Node): boolean {
  return ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node);
}

function isVar(declaration: ts.Declaration): boolean {
  return (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.BlockScoped) === 0;
}
