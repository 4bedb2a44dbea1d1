import ts from 'typescript';
import { HOOKS } from '../runner/hook-name';
import { isShared, runtimeName } from './globals';

const { factory } = ts;

/** `$kernel.name` */
export function hook(name: string): ts.Expression {
  return factory.createPropertyAccessExpression(factory.createIdentifier(HOOKS), name);
}

/** `$kernel.check(…)`: what stands behind every await. */
function check(...args: ts.Expression[]): ts.Expression {
  return factory.createCallExpression(hook('check'), undefined, args);
}

/** Rewrites what is the same in cells and in the files they import: awaits, throws, `import.meta`. */
function rewriteShared(node: ts.Node, meta: () => ts.Expression): ts.Node {
  if (ts.isAwaitExpression(node)) return ts.setTextRange(check(node), node);
  if (ts.isThrowStatement(node) && !ts.isNewExpression(node.expression)) {
    const noted = factory.createCallExpression(hook('thrown'), undefined, [node.expression]);
    return factory.updateThrowStatement(node, ts.setTextRange(noted, node.expression));
  }
  if (ts.isForOfStatement(node) && node.awaitModifier) {
    const { awaitModifier, initializer, expression, statement } = node;
    const stop = factory.createExpressionStatement(check());
    const body = factory.createBlock([stop, statement], true);
    return factory.updateForOfStatement(node, awaitModifier, initializer, expression, body);
  }
  if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) return meta();
  return node;
}

/** For a file that a cell imports and that becomes CommonJS. */
export function instrumentFile(): ts.TransformerFactory<ts.SourceFile> {
  const meta = () =>
    factory.createCallExpression(hook('metaOf'), undefined, [
      factory.createIdentifier('__filename'),
    ]);
  return (context) => (file) => {
    const visit = (node: ts.Node): ts.Node =>
      rewriteShared(ts.visitEachChild(node, visit, context), meta);
    return ts.visitNode(file, visit) as ts.SourceFile;
  };
}

/**
 * For a cell, before types are erased: the value of the last expression is kept, declarations
 * are counted as they are carried out, and names that all modules share get another one.
 *
 * @param start where the cell begins in its file; what precedes it is declarations
 * @param end where it ends
 */
export function instrumentCell(
  checker: ts.TypeChecker,
  start: number,
  end: number,
): ts.TransformerFactory<ts.SourceFile> {
  return (context) => (file) => {
    const isCell = (node: ts.Node) => node.getStart(file) >= start && node.end <= end;
    const visit = (node: ts.Node): ts.Node => {
      if (ts.isIdentifier(node)) return renamed(node, checker, file);
      const special = rewriteNames(node, checker, file, visit);
      if (special) return special;
      const visited = ts.visitEachChild(node, visit, context);
      if (isImportCall(visited)) {
        return factory.updateCallExpression(visited, hook('import'), undefined, [
          visited.arguments[0],
        ]);
      }
      return rewriteShared(visited, () => hook('meta'));
    };
    const last = file.statements.filter(isCell).at(-1);
    let count = 0;
    const statements = file.statements.flatMap((statement): ts.Statement[] => {
      const visited = ts.visitNode(statement, visit) as ts.Statement;
      if (!isCell(statement)) return [visited];
      if (statement === last && ts.isExpressionStatement(visited)) return [keep(visited)];
      if (!isCounted(statement)) return [visited];
      count += 1;
      const reached = factory.createAssignment(
        hook('reached'),
        factory.createNumericLiteral(count),
      );
      return [visited, factory.createExpressionStatement(reached)];
    });
    return factory.updateSourceFile(file, statements);
  };
}

function isImportCall(node: ts.Node): node is ts.CallExpression {
  return ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
}

/** Whether a statement of a cell makes something whose completion is counted. */
export function isCounted(statement: ts.Statement): boolean {
  return (
    ts.isVariableStatement(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isModuleDeclaration(statement) ||
    ts.isImportDeclaration(statement) ||
    ts.isImportEqualsDeclaration(statement)
  );
}

/** `expression` → `$kernel.result = expression` */
function keep(statement: ts.ExpressionStatement): ts.Statement {
  const { expression } = statement;
  const assignment = factory.createAssignment(
    hook('result'),
    factory.createParenthesizedExpression(expression),
  );
  return ts.setTextRange(factory.createExpressionStatement(assignment), statement);
}

/** Whether a symbol is declared at the top of the cell, or by an earlier cell. */
function isTopLevel(symbol: ts.Symbol | undefined, file: ts.SourceFile): boolean {
  return (symbol?.declarations ?? []).some((declaration) => {
    if (declaration.getSourceFile() !== file) return false;
    let node: ts.Node = declaration;
    while (!ts.isSourceFile(node.parent)) {
      node = node.parent;
      if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node))
        return false;
      if (ts.isBlock(node) || ts.isForStatement(node)) return isVar(declaration);
    }
    return true;
  });
}

function isVar(declaration: ts.Declaration): boolean {
  return (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.BlockScoped) === 0;
}

function renamed(node: ts.Identifier, checker: ts.TypeChecker, file: ts.SourceFile): ts.Identifier {
  if (!isShared(node.text) || node.pos < 0) return node;
  if (!isTopLevel(checker.getSymbolAtLocation(node), file)) return node;
  return ts.setTextRange(factory.createIdentifier(runtimeName(node.text)), node);
}

/** Places where one identifier is both a name that may change and one that may not. */
function rewriteNames(
  node: ts.Node,
  checker: ts.TypeChecker,
  file: ts.SourceFile,
  visit: (node: ts.Node) => ts.Node,
): ts.Node | undefined {
  if (ts.isShorthandPropertyAssignment(node) && isShared(node.name.text)) {
    if (!isTopLevel(checker.getShorthandAssignmentValueSymbol(node), file)) return undefined;
    let value: ts.Expression = factory.createIdentifier(runtimeName(node.name.text));
    const initial = node.objectAssignmentInitializer;
    if (initial)
      value = factory.createAssignment(value, ts.visitNode(initial, visit) as ts.Expression);
    return factory.createPropertyAssignment(node.name.text, value);
  }
  if (ts.isImportSpecifier(node) && isShared(node.name.text)) {
    const local = factory.createIdentifier(runtimeName(node.name.text));
    return factory.updateImportSpecifier(
      node,
      node.isTypeOnly,
      node.propertyName ?? node.name,
      local,
    );
  }
  if (ts.isBindingElement(node) && ts.isIdentifier(node.name) && isShared(node.name.text)) {
    const local = renamed(node.name, checker, file);
    if (local === node.name) return undefined;
    const { dotDotDotToken, initializer } = node;
    const property =
      node.propertyName ??
      (ts.isObjectBindingPattern(node.parent) && !dotDotDotToken ? node.name : undefined);
    const initial = initializer && (ts.visitNode(initializer, visit) as ts.Expression);
    return factory.updateBindingElement(node, dotDotDotToken, property, local, initial);
  }
  if (ts.isExportDeclaration(node)) return node;
  return undefined;
}
