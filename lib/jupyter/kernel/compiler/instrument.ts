import ts from 'typescript';
import { HOOKS } from '../runner/hook-name';
import { runtimeName } from './globals';
import type { Captured } from './hot-loops';
import { isLoop, localName, localsOf, withFlag, withLocals } from './hot-loops';
import { Renames } from './renames';

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
 * are counted as they are carried out, names that all modules share get another one, and loops
 * at the top run as fast as they can.
 *
 * @param start where the cell begins in its file; what precedes it is declarations
 * @param end where it ends
 * @param captured what functions of the cells mention
 */
export function instrumentCell(
  checker: ts.TypeChecker,
  start: number,
  end: number,
  captured: Captured,
): ts.TransformerFactory<ts.SourceFile> {
  return (context) => (file) => {
    const renames = new Renames(checker, file);
    const isCell = (node: ts.Node) => node.getStart(file) >= start && node.end <= end;
    const visit = (node: ts.Node): ts.Node => {
      if (ts.isIdentifier(node)) return renames.identifier(node);
      const special = renames.special(node, visit);
      if (special) return special;
      const visited = ts.visitEachChild(node, visit, context);
      if (isImportCall(visited)) {
        return factory.updateCallExpression(visited, hook('import'), undefined, [
          visited.arguments[0],
        ]);
      }
      if (renames.locals.size > 0 && isLoop(visited)) return withFlag(visited);
      return rewriteShared(visited, () => hook('meta'));
    };
    const whole = (statement: ts.Statement): ts.Statement => {
      const locals = isCell(statement) && localsOf(statement, checker, renames, captured);
      if (!locals) return ts.visitNode(statement, visit) as ts.Statement;
      renames.locals = new Map([...locals.keys()].map((name) => [name, localName(name)]));
      const loop = ts.visitNode(statement, visit) as ts.Statement;
      renames.locals = new Map();
      return withLocals(loop, locals, runtimeName);
    };
    const last = file.statements.filter(isCell).at(-1);
    let count = 0;
    const statements = file.statements.flatMap((statement): ts.Statement[] => {
      const visited = whole(statement);
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
