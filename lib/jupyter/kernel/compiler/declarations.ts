import ts from 'typescript';
import { ImportSlots } from './import-slots';
import type { Committed } from './messages';
import type { CellNames, ImportedName } from './names';
import { bound, identifiersIn } from './names';

/** What later cells are told of one name. */
interface Entry {
  name: string;
  text: string;
  isValue: boolean;
  isType: boolean;
  /** Words in `text`: names that it may need. */
  words: Set<string>;
  /** If it was imported; `text` is then empty. */
  imported?: ImportedName;
}

/** The prefix of the helper declarations that carry a variable's type at the cell's end. */
export const AT_END = '$atEnd_';

/**
 * The names that earlier cells have declared, as declarations. A cell is compiled behind those
 * that it mentions and what these need, so that the cost of a cell does not grow with the
 * notebook. References go by name: what is declared anew is new for all that mention it.
 */
export class Declarations {
  private readonly entries = new Map<string, Entry[]>();
  /** Augmentations: `declare global`, `declare module 'x'`. */
  private readonly ambient = new Set<string>();
  private readonly slots = new ImportSlots();

  /** The declarations for a cell that mentions `words` and itself declares `own`. */
  preamble(words: Iterable<string>, own: CellNames): string[] {
    const isOwn = (entry: Entry) =>
      (entry.isValue && (own.values.has(entry.name) || own.using.has(entry.name))) ||
      (entry.isType && own.types.has(entry.name)) ||
      own.imports.some(({ name }) => name === entry.name);
    const taken = new Set<Entry>();
    const open = [...words];
    for (let word = open.pop(); word !== undefined; word = open.pop()) {
      for (const entry of this.entries.get(word) ?? []) {
        if (taken.has(entry) || isOwn(entry)) continue;
        taken.add(entry);
        open.push(...entry.words);
      }
    }
    const declared = [...taken].filter(({ imported }) => !imported).map(({ text }) => text);
    const imported = [...taken].flatMap((entry) => entry.imported ?? []);
    return [...this.slots.statements(imported), ...this.ambient, ...declared];
  }

  /** All names, for completion. */
  names(): Iterable<string> {
    return this.entries.keys();
  }

  /** Takes over what a cell has declared. */
  add({ dts, names, kept }: Committed): void {
    const found = new Map<string, Entry>();
    const file = ts.createSourceFile('cell.d.ts', dts, ts.ScriptTarget.Latest, true);
    const put = (name: string, text: string, isValue: boolean, isType: boolean) => {
      const known = found.get(name);
      found.set(name, {
        name,
        text: known ? `${known.text}\n${text}` : text,
        isValue: isValue || (known?.isValue ?? false),
        isType: isType || (known?.isType ?? false),
        words: new Set(),
      });
    };
    for (const statement of file.statements) collect(statement, put);
    for (const augmentation of names.augmentations) this.ambient.add(augmentation);
    for (const imported of names.imports) {
      const { name } = imported;
      found.set(name, { name, text: '', isValue: true, isType: true, words: new Set(), imported });
    }
    for (const name of names.open) {
      const atEnd = found.get(AT_END + name);
      if (!atEnd) continue;
      const entry = found.get(name);
      if (entry) entry.text = entry.text.replace(/: (any(\[\])?|null|undefined);$/, atEnd.text);
      else put(name, `declare var ${name}${atEnd.text}`, true, false);
    }
    const imported = new Set(names.imports.map(({ name }) => name));
    for (const entry of found.values()) {
      const { name, isValue } = entry;
      const isOwn = names.values.has(name) || names.types.has(name) || imported.has(name);
      if (!isOwn || (isValue && kept?.has(name) === false)) continue;
      entry.words = identifiersIn(entry.text);
      if (entry.imported) this.slots.index(entry.imported.slot);
      this.put(entry);
    }
  }

  private put(entry: Entry): void {
    const rest = (this.entries.get(entry.name) ?? []).filter(
      (old) => !(old.isValue && entry.isValue) && !(old.isType && entry.isType),
    );
    this.entries.set(entry.name, [...rest, entry]);
  }
}

type Put = (name: string, text: string, isValue: boolean, isType: boolean) => void;

function collect(statement: ts.Statement, put: Put): void {
  const text = statement
    .getFullText()
    .trim()
    .replace(/^((?:\/\*[^]*?\*\/\s*)?)export (default )?/, '$1');
  const declared = /(^|\*\/\s*)(declare|interface|type|import)\b/.test(text)
    ? text
    : text.replace(/^((?:\/\*[^]*?\*\/\s*)?)/, '$1declare ');
  if (ts.isVariableStatement(statement)) {
    collectVariables(statement, put);
  } else if (ts.isFunctionDeclaration(statement)) {
    if (statement.name) put(statement.name.text, declared, true, false);
  } else if (ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement)) {
    if (statement.name) put(statement.name.text, declared, true, true);
  } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
    put(statement.name.text, declared, false, true);
  } else if (ts.isModuleDeclaration(statement)) {
    const isGlobal = (statement.flags & ts.NodeFlags.GlobalAugmentation) !== 0;
    if (ts.isIdentifier(statement.name) && !isGlobal) {
      put(statement.name.text, declared, true, true);
    }
  }
}

function collectVariables(statement: ts.VariableStatement, put: Put): void {
  const list = statement.declarationList;
  const keyword =
    list.flags & ts.NodeFlags.Const ? 'const' : list.flags & ts.NodeFlags.Let ? 'let' : 'var';
  const comment = /^\s*\/\*\*[^]*?\*\//.exec(statement.getFullText())?.[0].trim() ?? '';
  for (const declaration of list.declarations) {
    const [name] = bound(declaration.name);
    if (name.startsWith(AT_END)) {
      put(name, `: ${declaration.type?.getText() ?? 'any'};`, true, false);
    } else {
      put(
        name,
        `${comment && `${comment}\n`}declare ${keyword} ${declaration.getText()};`,
        true,
        false,
      );
    }
  }
}
