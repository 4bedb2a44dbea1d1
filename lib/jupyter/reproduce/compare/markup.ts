import { sanitise } from '../sanitise';
import { isClose, type Rules } from './rules';

/** A piece of HTML or SVG, written in one way only. */
export type Token =
  | { readonly kind: 'open' | 'close'; readonly tag: string; readonly text: string }
  | { readonly kind: 'text'; readonly text: string };

/** Elements that never have an end tag. */
const VOID = new Set('area base br col embed hr img input link meta source track wbr'.split(' '));

/** Elements whose content is no markup. */
const RAW = new Set(['script', 'style', 'textarea', 'title']);

/** Elements that hold when and by what a picture was made. */
const DROPPED = new Set(['metadata']);

/** Attributes that refer to an id. */
const REFERRING =
  /^(?:for|headers|list|aria-(?:labelledby|describedby|controls|owns)|(?:xlink:)?href)$/;

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  ndash: '–',
  mdash: '—',
  hellip: '…',
  times: '×',
  minus: '−',
  middot: '·',
  le: '≤',
  ge: '≥',
  rsquo: '’',
  lsquo: '‘',
  ldquo: '“',
  rdquo: '”',
};

/**
 * HTML or SVG as a list of tokens that is the same for the same meaning: lower-case tags (in HTML), sorted
 * attributes, one kind of quotes, entities decoded, blanks between tags and comments left out, ids
 * numbered in the order in which they come, `<metadata>` left out.
 */
export function canonicalMarkup(source: string, rules: Pick<Rules, 'sanitisers'>): Token[] {
  const ids = new Map<string, string>();
  const tokens = tokenise(source, ids);
  const renamed = (text: string) => sanitise(renameReferences(text, ids), rules.sanitisers);
  return tokens.map((token) => ({ ...token, text: renamed(token.text) }));
}

function tokenise(source: string, ids: Map<string, string>): Token[] {
  const tokens: Token[] = [];
  const pattern =
    /<!--[\s\S]*?(?:-->|$)|<[!?][^>]*>|<(\/?)([A-Za-z][^\s/>]*)((?:"[^"]*"|'[^']*'|[^>"'])*)>|([^<]+|<)/g;
  let preformatted = 0;
  let dropped: string | undefined;
  for (let match = pattern.exec(source); match; match = pattern.exec(source)) {
    const [, slash, name, rest, text] = match;
    const tag = name === undefined ? undefined : caseOf(name);
    if (dropped !== undefined) {
      if (tag === dropped && slash === '/') dropped = undefined;
      continue;
    }
    if (text !== undefined) pushText(tokens, decode(text), preformatted > 0);
    if (tag === undefined) continue;
    if (tag === 'pre') preformatted = Math.max(0, preformatted + (slash === '/' ? -1 : 1));
    if (slash === '/') {
      if (!VOID.has(tag)) tokens.push({ kind: 'close', tag, text: `</${tag}>` });
      continue;
    }
    const closed = /\/\s*$/.test(rest);
    if (DROPPED.has(tag)) {
      if (!closed) dropped = tag;
      continue;
    }
    tokens.push({ kind: 'open', tag, text: openTag(tag, rest.replace(/\/\s*$/, ''), ids) });
    if (closed && !VOID.has(tag)) tokens.push({ kind: 'close', tag, text: `</${tag}>` });
    if (RAW.has(tag) && !closed) {
      const end = source.slice(pattern.lastIndex).search(new RegExp(`</${tag}`, 'i'));
      const raw = source.slice(pattern.lastIndex, end < 0 ? undefined : pattern.lastIndex + end);
      pushText(tokens, raw, tag === 'textarea');
      pattern.lastIndex += raw.length;
    }
  }
  return tokens;
}

/** SVG has names in mixed case, which HTML's parser keeps; everything else is lower-case. */
function caseOf(name: string): string {
  return /^(?:linear|radial)Gradient$|^clipPath$|^textPath$|^foreignObject$|^fe[A-Z]/.test(name)
    ? name
    : name.toLowerCase();
}

function pushText(tokens: Token[], text: string, exact: boolean): void {
  const shown = exact ? text : text.replace(/[ \t\r\n\f]+/g, ' ').trim();
  if (shown === '') return;
  for (const line of exact ? shown.split('\n') : [shown]) tokens.push({ kind: 'text', text: line });
}

function openTag(tag: string, rest: string, ids: Map<string, string>): string {
  const attributes: [string, string][] = [];
  for (const [, name, double, single, bare] of rest.matchAll(
    /([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?/g,
  )) {
    const value = decode(double ?? single ?? bare ?? '');
    attributes.push([/^[a-z]+[A-Z]/.test(name) ? name : name.toLowerCase(), value]);
  }
  const written = attributes
    .map(([name, value]) => ` ${name}="${attributeValue(name, value, ids)}"`)
    .sort();
  return `<${tag}${written.join('')}>`;
}

function attributeValue(name: string, value: string, ids: Map<string, string>): string {
  if (name === 'id') {
    if (!ids.has(value)) ids.set(value, `id-${ids.size + 1}`);
    return ids.get(value) ?? value;
  }
  if (name === 'style') return declarations(value).join('; ');
  if (name === 'class') return value.trim().split(/\s+/).sort().join(' ');
  return value.replace(/"/g, '&quot;');
}

function declarations(style: string): string[] {
  return style
    .split(/;(?![^(]*\))/)
    .map((part) => part.trim().replace(/\s*:\s*/, ': '))
    .filter((part) => part !== '')
    .sort();
}

/** `#old`, `url(#old)` and attributes that refer to an id get its number. */
function renameReferences(text: string, ids: ReadonlyMap<string, string>): string {
  if (ids.size === 0) return text;
  const known = (id: string) => ids.get(id) ?? id;
  return text
    .replace(/#([\w:.-]+)/g, (_, id: string) => `#${known(id)}`)
    .replace(/ ([\w:-]+)="([^"]*)"/g, (all, name: string, value: string) =>
      REFERRING.test(name) && !value.startsWith('#')
        ? ` ${name}="${value.split(' ').map(known).join(' ')}"`
        : all,
    );
}

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? all;
    const code = hex === undefined ? Number(decimal) : parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}

/** One token a line, indented by depth: what a diff shows. */
export function markupLines(tokens: readonly Token[]): string[] {
  let depth = 0;
  return tokens.map((token) => {
    if (token.kind === 'close') depth = Math.max(0, depth - 1);
    const line = `${'  '.repeat(Math.min(depth, 20))}${token.text}`;
    if (token.kind === 'open' && !VOID.has(token.tag)) depth += 1;
    return line;
  });
}

const NUMBER = /-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/gi;

/** Whether two texts are the same but for numbers within the tolerance. */
export function isSameWithNumbers(a: string, b: string, { tolerance }: Rules): boolean {
  if (a === b) return true;
  if (a.replace(NUMBER, '0') !== b.replace(NUMBER, '0')) return false;
  const numbers = b.match(NUMBER) ?? [];
  return (a.match(NUMBER) ?? []).every((text, i) =>
    isClose(Number(text), Number(numbers[i]), tolerance),
  );
}
