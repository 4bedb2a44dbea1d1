/** A statement of a notebook and what it rests on. */
export interface Claim {
  /** An exact piece of the notebook's markdown, of three words or more. */
  readonly says: string;
  /** "fact sheet, kernel stacks 5", "SDM vol. 3, 4.5", "recording overruns.ndjson". */
  readonly source: string;
  /** Asserts it: against lib/data, a recording in test/fixtures, or by running the simulator. */
  readonly holds: () => void;
}

/** What must lie inside a claim: a kernel version, a commit, a named constant with its value. */
export interface Statement {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** 2.6.x, 3.0 to 3.19, 4.0 to 4.20, 5.0 to 5.19, 6.0 to 6.19, with what may follow. */
const VERSION =
  /(?<![\w.,+−-])v?(?:2\.6\.\d\d?|3\.1?\d|4\.(?:1?\d|20)|5\.1?\d|6\.1?\d)(?:\.\d{1,3})?(?:-rc\d+)?(?![\w]|\.\d|,\d)/g;

/** "1.5 KB" is no version. */
const UNIT = /^(?:\s|&nbsp;)*(?:[kKMGTP]i?B|bytes|pages|µs|us|ms|ns|s|%|×|times|percent|to|–)(?![\w-])/;

const COMMIT = /(?<![\w.@-])(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,40}(?![\w@-]|\.\w)/g;
const ADDRESS = /^f{2,}/;

const CONSTANT =
  /(?<![\w])[A-Z][A-Z0-9]*_[A-Z0-9_]+`?\s*(?:=|is|of|:|\()?\s*`?(?:0x[0-9a-fA-F]+|\d+(?:,\d{3})*)(?!\w|\.\d)/g;

/** The statements of a text that need evidence. Sections of a manual are told by the name of the manual. */
export function statementsIn(markdown: string): readonly Statement[] {
  const found: Statement[] = [];
  const add = (match: RegExpMatchArray) => {
    const start = match.index ?? 0;
    found.push({ text: match[0], start, end: start + match[0].length });
  };
  for (const match of markdown.matchAll(VERSION)) {
    const start = match.index ?? 0;
    const lineStart = markdown.lastIndexOf('\n', start) + 1;
    const isSection = /\bSDM\b|\bvol(?:\.|ume)/.test(markdown.slice(lineStart, start));
    const isQuantity = UNIT.test(markdown.slice(start + match[0].length)) && !isRange(markdown, match);
    if (!isSection && !isQuantity) add(match);
  }
  for (const match of markdown.matchAll(COMMIT)) if (!ADDRESS.test(match[0])) add(match);
  for (const match of markdown.matchAll(CONSTANT)) add(match);
  return found.sort((a, b) => a.start - b.start);
}

/** "4.9 to 5.7" is two versions; "1.5 to 2 ms" is none. */
function isRange(markdown: string, match: RegExpMatchArray): boolean {
  const after = markdown.slice((match.index ?? 0) + match[0].length);
  return /^\s*(?:to|–)\s*\d+\.\d+(?!\s*(?:[kKMGTP]i?B|µs|us|ms|ns|s|%|×|times)\b)/.test(after);
}

/** Where a piece of text stands, wherever it stands. */
export function occurrences(markdown: string, piece: string): readonly Statement[] {
  const found: Statement[] = [];
  for (let at = markdown.indexOf(piece); at >= 0; at = markdown.indexOf(piece, at + 1)) {
    found.push({ text: piece, start: at, end: at + piece.length });
  }
  return found;
}
