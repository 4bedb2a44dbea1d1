import ts from 'typescript';
import { HOOKS } from '../runner/hook-name';
import type { Renames } from './renames';
import { identifiersIn } from './names';

const { factory } = ts;

/**
 * V8 keeps the top-level variables of its REPL mode in places that its optimiser does not trust:
 * a loop over them takes several times as long as in a function. A loop at the top of a cell
 * therefore works on local copies, which are written back when it ends, however it ends, if
 * nobody can tell the difference: it calls nothing (but Math), and no function of any cell
 * mentions the variables that it changes. Every now and then it looks whether
 * the cell is to be interrupted.
 */

/** Names that functions of the cells mention: their variables must be the real ones. */
export class Captured {
  private readonly names = new Set<string>();
  private all = false;

  /** Notes the functions of a cell. */
  add(file: ts.SourceFile): void {
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) || ts.isClassLike(node)) {
        for (const name of identifiersIn(node.getText(file))) this.names.add(name);
      } else {
        ts.forEachChild(node, visit);
      }
    };
    visit(file);
    // Code that is made at run time may mention anything.
    if (/\b(eval|Function|vm|inspector)\b/.test(file.text)) this.all = true;
  }

  has(name: string): boolean {
    return this.all || this.names.has(name);
  }
}

type Loop =
  ts.ForStatement | ts.ForOfStatement | ts.ForInStatement | ts.WhileStatement | ts.DoStatement;

export function isLoop(node: ts.Node): node is Loop {
  return ts.isIterationStatement(node, false);
}

/**
 * The variables that a loop at the top of a cell may keep in local copies, by their names, and
 * whether they must be written back. Undefined if it is no such loop.
 */
export function localsOf(
  loop: ts.Statement,
  checker: ts.TypeChecker,
  renames: Renames,
  captured: Captured,
): Map<string, boolean> | undefined {
  if (!isLoop(loop)) return undefined;
  const locals = new Map<string, boolean>();
  let isPlain = true;
  const visit = (node: ts.Node): void => {
    if (!isPlain) return;
    if (!isHarmless(node)) isPlain = false;
    else if (ts.isIdentifier(node)) consider(node);
    else ts.forEachChild(node, visit);
  };
  const consider = (node: ts.Identifier): void => {
    if (locals.has(node.text)) return;
    const symbol = ts.isShorthandPropertyAssignment(node.parent)
      ? checker.getShorthandAssignmentValueSymbol(node.parent)
      : checker.getSymbolAtLocation(node);
    const declaration = symbol?.valueDeclaration;
    if (!declaration || !ts.isVariableDeclaration(declaration)) return;
    if (!renames.isTopLevel(symbol)) return;
    const isConst = (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.Const) !== 0;
    if (isConst || !captured.has(node.text)) locals.set(node.text, !isConst);
  };
  visit(loop);
  return isPlain && [...locals.values()].includes(true) ? locals : undefined;
}

/** Whether a node can neither run code of elsewhere nor leave the loop for a while. */
function isHarmless(node: ts.Node): boolean {
  if (ts.isCallExpression(node)) return isMath(node.expression);
  if (ts.isVariableDeclarationList(node)) return (node.flags & ts.NodeFlags.BlockScoped) !== 0;
  if (ts.isForOfStatement(node)) return node.awaitModifier === undefined;
  return !(
    ts.isNewExpression(node) ||
    ts.isTaggedTemplateExpression(node) ||
    ts.isFunctionLike(node) ||
    ts.isClassLike(node) ||
    ts.isAwaitExpression(node) ||
    ts.isYieldExpression(node) ||
    ts.isLabeledStatement(node)
  );
}

function isMath(node: ts.Expression): boolean {
  return (
    ts.isPropertyAccessExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === 'Math'
  );
}

/** The name of a variable's local copy. */
export function localName(name: string): string {
  return `${name}$local`;
}

/** Counts turns: looking at the flag in each would cost more than the turn. */
const TURN = '$turn';
const TURNS = 2000;
const LABEL = '$hot';

const id = (name: string) => factory.createIdentifier(name);

const call = (name: string) =>
  factory.createCallExpression(
    factory.createPropertyAccessExpression(id(HOOKS), name),
    undefined,
    [],
  );

/**
 * `if (++$turn > 2000) { $turn = 0; if ($kernel.turn() !== 0) break $hot; }`, put into each turn
 * of a loop. A call that throws instead would keep V8 from peeling the loop, and its numbers in
 * boxes.
 */
export function withFlag(loop: Loop): ts.Statement {
  const zero = factory.createNumericLiteral(0);
  const isDue = factory.createGreaterThan(
    factory.createPrefixIncrement(id(TURN)),
    factory.createNumericLiteral(TURNS),
  );
  const leave = factory.createIfStatement(
    factory.createStrictInequality(call('turn'), zero),
    factory.createBreakStatement(LABEL),
  );
  const reset = factory.createExpressionStatement(factory.createAssignment(id(TURN), zero));
  const count = factory.createIfStatement(isDue, factory.createBlock([reset, leave], true));
  const body = factory.createBlock([count, loop.statement], true);
  if (ts.isForStatement(loop)) {
    const { initializer, condition, incrementor } = loop;
    return factory.updateForStatement(loop, initializer, condition, incrementor, body);
  }
  if (ts.isForOfStatement(loop)) {
    return factory.updateForOfStatement(loop, undefined, loop.initializer, loop.expression, body);
  }
  if (ts.isForInStatement(loop)) {
    return factory.updateForInStatement(loop, loop.initializer, loop.expression, body);
  }
  if (ts.isWhileStatement(loop)) return factory.updateWhileStatement(loop, loop.expression, body);
  return factory.updateDoStatement(loop, body, loop.expression);
}

/** `{ let x$local = x; try { $hot: loop } finally { x = x$local; } $kernel.stop(); }` */
export function withLocals(
  loop: ts.Statement,
  locals: ReadonlyMap<string, boolean>,
  nameOf: (name: string) => string,
): ts.Statement {
  const declarations = [
    factory.createVariableDeclaration(TURN, undefined, undefined, factory.createNumericLiteral(0)),
    ...[...locals.keys()].map((name) =>
      factory.createVariableDeclaration(localName(name), undefined, undefined, id(nameOf(name))),
    ),
  ];
  const list = factory.createVariableDeclarationList(declarations, ts.NodeFlags.Let);
  const back = [...locals]
    .filter(([, isChanged]) => isChanged)
    .map(([name]) => factory.createAssignment(id(nameOf(name)), id(localName(name))))
    .map((assignment) => factory.createExpressionStatement(assignment));
  const guarded = factory.createTryStatement(
    factory.createBlock([factory.createLabeledStatement(LABEL, loop)], true),
    undefined,
    factory.createBlock(back, true),
  );
  const stop = factory.createExpressionStatement(call('stop'));
  return factory.createBlock(
    [factory.createVariableStatement(undefined, list), guarded, stop],
    true,
  );
}
