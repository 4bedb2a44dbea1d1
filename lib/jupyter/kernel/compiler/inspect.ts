import ts from 'typescript';
import { identifierBefore } from './words';
import type { Inspection } from './messages';

/**
 * What stands at `position`: its type and documentation; inside the parentheses of a call, the
 * function's.
 *
 * @param detail 1: also where it is declared
 */
export function inspect(
  language: ts.LanguageService,
  file: string,
  start: number,
  code: string,
  position: number,
  detail: number,
): Inspection | null {
  const at = start + position;
  const found =
    quickInfo(language, file, at) ??
    // The cursor often stands behind the word, or behind the bracket that follows it.
    (position > 0 ? quickInfo(language, file, at - 1) : undefined) ??
    signature(language, file, at) ??
    wordBefore(language, file, start, code, position);
  if (found === undefined) return null;
  const { shown, documentation, tags, where } = found;
  const from = detail > 0 && where ? [`declared in ${where}`] : [];
  const told = [documentation, ...tags, ...from].filter((text) => text !== '');
  const plain = [shown, ...told].join('\n\n');
  const markdown = ['```typescript\n' + shown + '\n```', ...told].join('\n\n');
  return { plain, markdown };
}

interface Found {
  shown: string;
  documentation: string;
  tags: string[];
  where?: string;
}

function quickInfo(language: ts.LanguageService, file: string, at: number): Found | undefined {
  const info = language.getQuickInfoAtPosition(file, at);
  if (!info || info.textSpan.length === 0 || info.kind === ts.ScriptElementKind.unknown)
    return undefined;
  const shown = ts.displayPartsToString(info.displayParts);
  if (shown === '') return undefined;
  const [definition] = language.getDefinitionAtPosition(file, at) ?? [];
  return {
    shown,
    documentation: ts.displayPartsToString(info.documentation),
    tags: (info.tags ?? []).map(tagText),
    where: definition && definition.fileName !== file ? definition.fileName : undefined,
  };
}

function tagText({ name, text }: ts.JSDocTagInfo): string {
  return `@${name} ${ts.displayPartsToString(text)}`.trim();
}

function signature(language: ts.LanguageService, file: string, at: number): Found | undefined {
  const help = language.getSignatureHelpItems(file, at, {});
  if (help === undefined) return undefined;
  const item = help.items[help.selectedItemIndex] ?? help.items[0];
  const text = ts.displayPartsToString;
  const parameters = item.parameters.map(({ displayParts }) => text(displayParts));
  const shown =
    text(item.prefixDisplayParts) +
    parameters.join(text(item.separatorDisplayParts)) +
    text(item.suffixDisplayParts);
  const current = item.parameters[help.argumentIndex];
  const about = current ? text(current.documentation) : '';
  return {
    shown,
    documentation: text(item.documentation),
    tags: [...(about ? [`${current.name}: ${about}`] : []), ...item.tags.map(tagText)],
  };
}

function wordBefore(
  language: ts.LanguageService,
  file: string,
  start: number,
  code: string,
  position: number,
): Found | undefined {
  const trimmed = code.slice(0, position).replace(/[\s(,;]+$/, '');
  const word = identifierBefore(trimmed, trimmed.length);
  if (word === '') return undefined;
  return quickInfo(language, file, start + trimmed.length - word.length);
}
