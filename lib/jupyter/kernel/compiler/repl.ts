import ts from 'typescript';
import { runtimeName } from './globals';
import { hook } from './instrument';

const { factory } = ts;

/**
 * For a cell, after types are erased: turns its declarations into assignments to names that V8's
 * script scope already has. Thus a name may be declared again, in any way, and every earlier
 * function sees it; what fails half-way leaves the old value.
 *
 * What the compiler itself has added (temporaries) stays local to the cell: the cell becomes
 * an async function, which is called at once.
 *
 * @param names the cell's own top-level names, as in V8
 * @param start where the cell begins in its file
 * @param end where it ends
 */
export function toRepl(
  names: ReadonlySet<string>,
  start: number,
  end: number,
): ts.TransformerFactory<ts.SourceFile> {
  return (context) => (file) => {
    const rewriter = new Rewriter(names, context);
    const functions: ts.Statement[] = [];
    const imports: ts.Statement[] = [];
    const rest: ts.Statement[] = [];
    for (const statement of file.statements) {
      if (ts.getOriginalNode(statement).pos >= end) continue;
      if (ts.isFunctionDeclaration(statement) && statement.body)
        functions.push(toFunction(statement));
      else if (ts.isImportDeclaration(statement)) {
        const written = ts.getOriginalNode(statement);
        if (written.getStart(ts.getOriginalNode(file) as ts.SourceFile) < start) continue;
        imports.push(...toImport(statement));
      } else rest.push(...rewriter.top(statement));
    }
    const strict = factory.createExpressionStatement(factory.createStringLiteral('use strict'));
    const body = factory.createBlock([strict, ...functions, ...imports, ...rest], true);
    return factory.updateSourceFile(file, [called(body)]);
  };
}

/** `(async () => { … })()` */
function called(body: ts.Block): ts.Statement {
  const async = factory.createModifier(ts.SyntaxKind.AsyncKeyword);
  const arrow = factory.createToken(ts.SyntaxKind.EqualsGreaterThanToken);
  const whole = factory.createArrowFunction([async], undefined, [], undefined, arrow, body);
  return factory.createExpressionStatement(
    factory.createCallExpression(factory.createParenthesizedExpression(whole), undefined, []),
  );
}

function assign(target: ts.Expression, value: ts.Expression, at: ts.Node): ts.Statement {
  const assignment = factory.createAssignment(target, value);
  const isPattern = ts.isObjectLiteralExpression(target);
  const expression = isPattern ? factory.createParenthesizedExpression(assignment) : assignment;
  return ts.setTextRange(factory.createExpressionStatement(expression), at);
}

/** `function f() {}` → `f = function () {}`, which is still called f. */
function toFunction(node: ts.FunctionDeclaration): ts.Statement {
  const name = node.name ?? factory.createIdentifier('default_1');
  const modifiers = ts
    .getModifiers(node)
    ?.filter(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword);
  const value = factory.createFunctionExpression(
    modifiers,
    node.asteriskToken,
    undefined,
    undefined,
    node.parameters,
    undefined,
    node.body!,
  );
  return assign(name, ts.setTextRange(value, node), node);
}

/** `import d, { a as b } from 'm'` → `({ default: d, a: b } = await $kernel.import('m', ['a']))` */
function toImport(node: ts.ImportDeclaration): ts.Statement[] {
  const load = (names: string[]) =>
    factory.createAwaitExpression(
      factory.createCallExpression(hook('import'), undefined, [
        node.moduleSpecifier,
        factory.createArrayLiteralExpression(
          names.map((name) => factory.createStringLiteral(name)),
        ),
      ]),
    );
  const { importClause } = node;
  if (!importClause) return [factory.createExpressionStatement(load([]))];
  const { name, namedBindings } = importClause;
  const targets: ts.ObjectLiteralElementLike[] = [];
  const wanted: string[] = [];
  if (name) targets.push(factory.createPropertyAssignment('default', name));
  if (namedBindings && ts.isNamedImports(namedBindings)) {
    for (const { propertyName, name: local } of namedBindings.elements) {
      const exported = propertyName ?? local;
      wanted.push(exported.text);
      const key = ts.isStringLiteral(exported) ? exported : factory.createIdentifier(exported.text);
      targets.push(factory.createPropertyAssignment(key, factory.createIdentifier(local.text)));
    }
  }
  const statements: ts.Statement[] = [];
  if (namedBindings && ts.isNamespaceImport(namedBindings)) {
    statements.push(assign(namedBindings.name, load([]), node));
  }
  if (targets.length > 0) {
    statements.push(assign(factory.createObjectLiteralExpression(targets), load(wanted), node));
  }
  return statements;
}

class Rewriter {
  constructor(
    private readonly names: ReadonlySet<string>,
    private readonly context: ts.TransformationContext,
  ) {}

  /** A statement at the top of the cell. */
  top(node: ts.Statement): ts.Statement[] {
    if (ts.isExportDeclaration(node)) return [];
    if (ts.isExportAssignment(node)) {
      return [assign(hook('result'), node.expression, node)];
    }
    if (ts.isVariableStatement(node)) return this.variables(node);
    if (ts.isClassDeclaration(node)) return [this.classDeclaration(node)];
    return [this.nested(node) as ts.Statement];
  }

  private isOwn(name: ts.BindingName): boolean {
    if (ts.isIdentifier(name)) return this.names.has(name.text);
    return name.elements.some(
      (element) => ts.isBindingElement(element) && this.isOwn(element.name),
    );
  }

  private variables(node: ts.VariableStatement): ts.Statement[] {
    const { declarationList } = node;
    const local: ts.VariableDeclaration[] = [];
    const statements: ts.Statement[] = [];
    for (const declaration of declarationList.declarations) {
      if (!this.isOwn(declaration.name)) local.push(declaration);
      else statements.push(this.assignment(declaration));
    }
    if (local.length === 0) return statements;
    // `var` would reach out of the block; what the compiler adds is never redeclared in it.
    const list = factory.createVariableDeclarationList(local, ts.NodeFlags.Let);
    return [factory.createVariableStatement(undefined, list), ...statements];
  }

  private assignment(declaration: ts.VariableDeclaration): ts.Statement {
    const value = declaration.initializer ?? factory.createVoidZero();
    return assign(toTarget(declaration.name), value, declaration);
  }

  private classDeclaration(node: ts.ClassDeclaration): ts.Statement {
    const name = node.name ?? factory.createIdentifier('default_1');
    const modifiers = node.modifiers?.filter(ts.isDecorator);
    const shown = name.text.replace(/\$$/, '');
    const inner = runtimeName(shown) === name.text ? factory.createIdentifier(shown) : name;
    const { heritageClauses, members } = node;
    const value = factory.createClassExpression(
      modifiers,
      inner,
      undefined,
      heritageClauses,
      members,
    );
    return assign(name, ts.setTextRange(value, node), node);
  }

  /** `var` below the top, outside functions, is the cell's too. */
  private nested(node: ts.Node): ts.Node {
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) return node;
    const visit = (child: ts.Node) => this.nested(child);
    if (ts.isVariableStatement(node) && this.isVar(node.declarationList)) {
      const { declarations } = node.declarationList;
      const values = declarations.filter(({ initializer }) => initializer);
      const all = values.map((declaration) => this.assignment(declaration));
      return all.length === 1 ? all[0] : factory.createBlock(all, true);
    }
    if (ts.isForStatement(node) && this.isVar(node.initializer)) {
      const { initializer, condition, incrementor, statement } = node;
      const first = this.toExpression(initializer as ts.VariableDeclarationList);
      const body = ts.visitNode(statement, visit) as ts.Statement;
      return factory.updateForStatement(node, first, condition, incrementor, body);
    }
    if ((ts.isForOfStatement(node) || ts.isForInStatement(node)) && this.isVar(node.initializer)) {
      const target = toTarget(
        (node.initializer as ts.VariableDeclarationList).declarations[0].name,
      );
      const body = ts.visitNode(node.statement, visit) as ts.Statement;
      if (ts.isForInStatement(node))
        return factory.updateForInStatement(node, target, node.expression, body);
      return factory.updateForOfStatement(node, node.awaitModifier, target, node.expression, body);
    }
    return ts.visitEachChild(node, visit, this.context);
  }

  private isVar(node: ts.ForInitializer | undefined): boolean {
    return (
      node !== undefined &&
      ts.isVariableDeclarationList(node) &&
      (node.flags & ts.NodeFlags.BlockScoped) === 0 &&
      node.declarations.some(({ name }) => this.isOwn(name))
    );
  }

  private toExpression({ declarations }: ts.VariableDeclarationList): ts.Expression | undefined {
    const values = declarations.flatMap(({ name, initializer }) =>
      initializer ? [factory.createAssignment(toTarget(name), initializer) as ts.Expression] : [],
    );
    return values.length > 0
      ? values.reduce((all, value) => factory.createComma(all, value))
      : undefined;
  }
}

/** A binding as the target of an assignment. */
function toTarget(name: ts.BindingName): ts.Expression {
  if (ts.isIdentifier(name)) return name;
  const withInitial = (target: ts.Expression, initial: ts.Expression | undefined) =>
    initial ? factory.createAssignment(target, initial) : target;
  if (ts.isArrayBindingPattern(name)) {
    return factory.createArrayLiteralExpression(
      name.elements.map((element) => {
        if (ts.isOmittedExpression(element)) return element;
        const target = toTarget(element.name);
        if (element.dotDotDotToken) return factory.createSpreadElement(target);
        return withInitial(target, element.initializer);
      }),
    );
  }
  return factory.createObjectLiteralExpression(
    name.elements.map((element) => {
      const target = toTarget(element.name);
      if (element.dotDotDotToken) return factory.createSpreadAssignment(target);
      const key =
        element.propertyName ?? factory.createIdentifier((element.name as ts.Identifier).text);
      return factory.createPropertyAssignment(key, withInitial(target, element.initializer));
    }),
  );
}
