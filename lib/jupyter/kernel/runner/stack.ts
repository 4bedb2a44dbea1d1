import { SourceMap } from 'node:module';
import { dirname, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A script whose positions are to be told in the source it came from. */
interface Script {
  /** What stack lines call it: `cell [3]`, or a file. */
  label: string;
  source: string;
  /** The run that compiled it; undefined for files. */
  run?: number;
  map: string;
  /** Lines that precede the source in what was compiled. */
  lineOffset: number;
  decoded?: SourceMap;
}

/** A position in TypeScript; line and column count from 1. */
export interface Place {
  label: string;
  source: string;
  line: number;
  column: number;
}

const scripts = new Map<string, Script>();
const SCRIPTS_LIMIT = 20_000;
const KERNEL_DIR = dirname(__dirname) + sep;

export function addScript(url: string, script: Script): void {
  scripts.set(url, script);
  if (scripts.size > SCRIPTS_LIMIT) {
    const [oldest] = scripts.keys();
    scripts.delete(oldest);
  }
}

/** Where line and column (from 1) of a known script come from. */
export function placeOf(url: string, line: number, column: number): Place | undefined {
  const script = scripts.get(url);
  if (script === undefined) return undefined;
  script.decoded ??= new SourceMap(JSON.parse(script.map));
  const entry = script.decoded.findEntry(line - 1, column - 1);
  if (!('originalLine' in entry)) return undefined;
  const { label, source, lineOffset } = script;
  const place = entry.originalLine + 1 - lineOffset;
  if (place < 1) return undefined;
  return { label, source, line: place, column: entry.originalColumn + 1 };
}

/** The TypeScript places of an error, the innermost first, found when its stack was made. */
const placesOf = new WeakMap<object, Place[]>();
/** The run whose code the error came through. */
const runsOf = new WeakMap<object, number>();

export function placesOfError(error: unknown): Place[] {
  if (typeof error !== 'object' || error === null) return [];
  void (error as { stack?: unknown }).stack;
  return placesOf.get(error) ?? [];
}

export function runOfStack(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  void (error as { stack?: unknown }).stack;
  return runsOf.get(error);
}

function urlOf(site: NodeJS.CallSite): string | null {
  const name = site.getScriptNameOrSourceURL();
  return name?.startsWith('file://') ? fileURLToPath(name) : name;
}

/** Frames of Node and of this kernel below the cell say nothing to a reader. */
function isOurs(url: string | null): boolean {
  return (
    url === null ||
    url === '' ||
    /^node:(internal\/|inspector$)/.test(url) ||
    url.startsWith(KERNEL_DIR)
  );
}

function frameText(site: NodeJS.CallSite, url: string | null, place: Place | undefined): string {
  const text = site.toString();
  const where = /\(([^()]*)\)$/.exec(text);
  const told = place
    ? `${place.label}:${place.line}:${place.column}`
    : url?.startsWith('/')
      ? `${shortPath(url)}:${site.getLineNumber()}:${site.getColumnNumber()}`
      : undefined;
  if (told === undefined) return text;
  if (where === null) return /^async /.test(text) ? `async ${told}` : told;
  return `${text.slice(0, where.index)}(${told})`;
}

/** Relative where that is shorter to read. */
export function shortPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith(`..${sep}..${sep}..`) ? path : near;
}

function headOf(error: Error): string {
  try {
    return String(error);
  } catch {
    return 'Error';
  }
}

/** Makes stacks speak of TypeScript lines, also for whoever reads `error.stack`. */
export function mapStacks(): void {
  Error.stackTraceLimit = 30;
  Error.prepareStackTrace = (error, sites) => {
    const lines: string[] = [];
    const places: Place[] = [];
    for (const [i, site] of sites.entries()) {
      const url = urlOf(site);
      const script = url === null ? undefined : scripts.get(url);
      const place = script && placeOf(url!, site.getLineNumber() ?? 1, site.getColumnNumber() ?? 1);
      if (script?.run !== undefined && !runsOf.has(error)) runsOf.set(error, script.run);
      if (script && !place) continue;
      // The call of the function that a cell is compiled to is not the cell's own.
      if (script && i + 1 < sites.length && urlOf(sites[i + 1]) === 'node:inspector') continue;
      if (place) places.push(place);
      else if (isOurs(url) || isHook(site)) continue;
      lines.push(`    at ${frameText(site, url, place)}`);
    }
    placesOf.set(error, places);
    return [headOf(error), ...lines].join('\n');
  };
}

/** The one function of this kernel that has no file. */
function isHook(site: NodeJS.CallSite): boolean {
  return site.isEval() && site.getFileName() === null;
}
