import ts from 'typescript';

/** A name that an import brings in. */
export interface ImportedName {
  name: string;
  /** What names it between the braces; absent for a default or namespace import. */
  specifier?: string;
  /** The import without names: what is equal here may share one statement. */
  slot: ImportSlot;
}

/** One kind of import from one module. */
export interface ImportSlot {
  kind: 'named' | 'default' | 'namespace' | 'equals';
  isTypeOnly: boolean;
  /** From `from` on; of `import x = require('m')`, all of it. */
  from: string;
}

/** What a cell declares at its top. */
export interface CellNames {
  /** Variables, functions, classes, enums, namespaces with code: what exists when it runs. */
  values: Set<string>;
  /** Those of them that are only declared to exist. */
  ambient: Set<string>;
  /** Interfaces, type aliases, and everything that is both type and value. */
  types: Set<string>;
  imports: ImportedName[];
  /** `declare global` and `declare module 'x'`, as they are. */
  augmentations: string[];
  /**
   * Variables whose type is only known where the cell ends: `let x;`, `const xs = [];`, and
   * `var` in blocks, which declaration files leave out.
   */
  open: Set<string>;
  /** What the cell itself exports, which means nothing in a notebook. */
  exported: Set<string>;
  /** Released when the cell ends: later cells cannot see them. */
  using: Set<string>;
}

/** The names a binding binds: one, or those of a pattern. */
export function bound(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) =>
    ts.isOmittedExpression(element) ? [] : bound(element.name),
  );
}

export function namesOf(file: ts.SourceFile): CellNames {
  const names: CellNames = {
    values: new Set(),
    ambient: new Set(),
    types: new Set(),
    imports: [],
    augmentations: [],
    open: new Set(),
    exported: new Set(),
    using: new Set(),
  };
  for (const statement of file.statements) {
    const before = new Set(names.values);
    declare(statement, names);
    if (!isAmbient(statement)) continue;
    for (const name of names.values) if (!before.has(name)) names.ambient.add(name);
  }
  return names;
}

function isAmbient(statement: ts.Statement): boolean {
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword) ?? false;
}

function declare(statement: ts.Statement, names: CellNames): void {
  noteExports(statement, names);
  if (ts.isVariableStatement(statement)) {
    declareVariables(statement.declarationList, names, true);
  } else if (ts.isFunctionDeclaration(statement)) {
    if (statement.name) names.values.add(statement.name.text);
  } else if (ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement)) {
    if (!statement.name) return;
    names.values.add(statement.name.text);
    names.types.add(statement.name.text);
  } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
    names.types.add(statement.name.text);
  } else if (ts.isModuleDeclaration(statement)) {
    const isGlobal = (statement.flags & ts.NodeFlags.GlobalAugmentation) !== 0;
    if (!ts.isIdentifier(statement.name) || isGlobal) {
      names.augmentations.push(statement.getText());
      return;
    }
    names.types.add(statement.name.text);
    names.values.add(statement.name.text);
  } else if (ts.isImportDeclaration(statement)) {
    names.imports.push(...importedNames(statement));
  } else if (ts.isImportEqualsDeclaration(statement)) {
    const slot = { kind: 'equals' as const, isTypeOnly: false, from: statement.getText() };
    names.imports.push({ name: statement.name.text, slot });
  } else {
    hoist(statement, names);
  }
}

function noteExports(statement: ts.Statement, { exported }: CellNames): void {
  if (ts.isExportDeclaration(statement)) {
    const { exportClause } = statement;
    if (!exportClause || !ts.isNamedExports(exportClause)) return;
    for (const { propertyName, name } of exportClause.elements)
      exported.add((propertyName ?? name).text);
  }
  if (!ts.canHaveModifiers(statement)) return;
  const kinds = (ts.getModifiers(statement) ?? []).map(({ kind }) => kind);
  if (!kinds.includes(ts.SyntaxKind.ExportKeyword) || kinds.includes(ts.SyntaxKind.DefaultKeyword))
    return;
  if (ts.isVariableStatement(statement)) {
    for (const { name } of statement.declarationList.declarations) {
      for (const one of bound(name)) exported.add(one);
    }
  } else {
    const { name } = statement as ts.FunctionDeclaration;
    if (name) exported.add(name.text);
  }
}

function declareVariables(list: ts.VariableDeclarationList, names: CellNames, top: boolean): void {
  const scope = list.flags & ts.NodeFlags.BlockScoped;
  if (!top && scope !== 0) return;
  const isUsing = scope === ts.NodeFlags.Using || scope === ts.NodeFlags.AwaitUsing;
  for (const declaration of list.declarations) {
    for (const name of bound(declaration.name)) {
      if (isUsing) names.using.add(name);
      else names.values.add(name);
      if (!top || isOpen(declaration)) names.open.add(name);
    }
  }
}

function isOpen({ name, type, initializer }: ts.VariableDeclaration): boolean {
  if (!ts.isIdentifier(name) || type) return false;
  if (!initializer || initializer.kind === ts.SyntaxKind.NullKeyword) return true;
  if (ts.isIdentifier(initializer)) return initializer.text === 'undefined';
  return ts.isArrayLiteralExpression(initializer) && initializer.elements.length === 0;
}

/** `var` in blocks and loops belongs to the cell; `let`, and whatever functions hold, does not. */
function hoist(node: ts.Node, names: CellNames): void {
  if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return;
  if (ts.isVariableDeclarationList(node)) declareVariables(node, names, false);
  ts.forEachChild(node, (child) => hoist(child, names));
}

function importedNames({
  importClause,
  moduleSpecifier,
  attributes,
}: ts.ImportDeclaration): ImportedName[] {
  if (!importClause) return [];
  const { name, namedBindings, isTypeOnly } = importClause;
  const from = `from ${moduleSpecifier.getText()}${attributes ? ` ${attributes.getText()}` : ''};`;
  const slot = (kind: ImportSlot['kind']) => ({ kind, isTypeOnly, from });
  const all: ImportedName[] = [];
  if (name) all.push({ name: name.text, slot: slot('default') });
  if (namedBindings && ts.isNamespaceImport(namedBindings)) {
    all.push({ name: namedBindings.name.text, slot: slot('namespace') });
  } else if (namedBindings) {
    for (const element of namedBindings.elements) {
      const specifier = element.getText();
      all.push({ name: element.name.text, specifier, slot: slot('named') });
    }
  }
  return all;
}

/** Every identifier in a text, wherever it stands. */
export function identifiersIn(text: string): Set<string> {
  const found = new Set<string>();
  for (const [word] of text.matchAll(/[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu)) {
    found.add(word);
  }
  return found;
}
