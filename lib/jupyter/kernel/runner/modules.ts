import { readFileSync } from 'node:fs';
import Module, { createRequire, isBuiltin } from 'node:module';
import { dirname, extname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { callSync } from './bridge';
import { Freshness } from './freshness';
import type { Transpiled } from './protocol';
import { currentRun } from './runs';
import { addScript, shortPath } from './stack';

type Load = (module: Module & { _compile(code: string, file: string): void }, file: string) => void;

interface Internals {
  _resolveFilename(request: string, parent?: Module, isMain?: boolean, options?: object): string;
  _extensions: Record<string, Load>;
}

const internals = Module as unknown as Internals;
const KERNEL_DIR = dirname(__dirname) + sep;
const TYPESCRIPT = new Set(['.ts', '.tsx', '.mts', '.cts']);

/** Modules of this kernel that cells import by name. */
const OWN: Record<string, string> = {
  tslab: join(KERNEL_DIR, 'api', 'tslab.js'),
  'guardpage-kernel': join(KERNEL_DIR, 'api', 'index.js'),
};

/** The file that imports of a cell start from. It does not exist. */
const cellFile = join(process.cwd(), '[cell].ts');

/** `import.meta.resolve` of Node, with a parent of our choice; there once it has been loaded. */
let resolveAsImport: ((request: string, parent: string) => string) | undefined;

/** Packages that only `import` may load: found as `import` finds them, then required. */
function resolveImportOnly(request: string, parent: string | undefined): string | undefined {
  try {
    const url = resolveAsImport?.(request, pathToFileURL(parent ?? cellFile).href);
    return url?.startsWith('file:') ? fileURLToPath(url) : undefined;
  } catch {
    return undefined;
  }
}

function isLocal(file: string): boolean {
  return !file.includes(`${sep}node_modules${sep}`) && !file.startsWith(KERNEL_DIR);
}

/** Whether the nearest package.json makes `.js` files ES modules. */
const moduleFolders = new Map<string, boolean>();
function isModuleFolder(folder: string): boolean {
  let known = moduleFolders.get(folder);
  if (known === undefined) {
    try {
      known = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).type === 'module';
    } catch {
      const parent = dirname(folder);
      known = parent !== folder && isModuleFolder(parent);
    }
    moduleFolders.set(folder, known);
  }
  return known;
}

/** Whether the compiler is to turn this file into what `require` loads. */
function isTranspiled(file: string): boolean {
  const extension = extname(file);
  if (TYPESCRIPT.has(extension)) return true;
  if (!isLocal(file)) return false;
  return extension === '.mjs' || (extension === '.js' && isModuleFolder(dirname(file)));
}

/** What the compiler found, by importer and request, until the next cell that imports. */
const resolved = new Map<string, string | null>();

function resolveSource(request: string, from: string): string | null {
  const key = `${from}\0${request}`;
  let file = resolved.get(key);
  if (file === undefined) {
    file = callSync('resolve', request, from) as string | null;
    resolved.set(key, file);
  }
  return file;
}

/** Teaches `require` TypeScript, the compiler's way to find files, and this kernel's modules. */
export function ownModules(): void {
  const resolveFilename = internals._resolveFilename;
  internals._resolveFilename = function (request, parent, isMain, options) {
    if (Object.hasOwn(OWN, request)) return OWN[request];
    const from = parent?.filename;
    if (!isBuiltin(request) && from && (from === cellFile || isTranspiled(from))) {
      const source = resolveSource(request, from);
      if (source !== null) return source;
    }
    try {
      return resolveFilename.call(this, request, parent, isMain, options);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const found = code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' && resolveImportOnly(request, from);
      if (found) return found;
      throw error;
    }
  };
  const { '.js': loadJs } = internals._extensions;
  const load: Load = (module, file) => {
    const { code, map, source } = callSync('transpile', file) as Transpiled;
    addScript(file, { label: shortPath(file), source, map, lineOffset: 0 });
    module._compile(code, file);
  };
  for (const extension of [...TYPESCRIPT, '.mjs']) {
    internals._extensions[extension] = (module, file) =>
      isTranspiled(file) ? load(module, file) : loadJs(module, file);
  }
  internals._extensions['.js'] = (module, file) =>
    isTranspiled(file) ? load(module, file) : loadJs(module, file);
}

/** Loads what resolves packages as `import` does; not needed before the first cell. */
export async function prepareImports(): Promise<void> {
  const source = 'export default (request, parent) => import.meta.resolve(request, parent)';
  const loaded = (await import(`data:text/javascript,${source}`)) as {
    default: typeof resolveAsImport;
  };
  resolveAsImport = loaded.default;
}

const requireFromCell = createRequire(cellFile);
const freshness = new Freshness(requireFromCell.cache, isLocal);
let refreshedFor: unknown;

/** Once a cell: files that have changed since are loaded anew. */
function refresh(): void {
  const run = currentRun();
  if (run !== null && run === refreshedFor) return;
  refreshedFor = run;
  resolved.clear();
  moduleFolders.clear();
  freshness.dropChanged();
}

function load(specifier: string): unknown {
  const request = specifier.startsWith('file:') ? fileURLToPath(specifier) : specifier;
  try {
    return requireFromCell(request) as unknown;
  } finally {
    freshness.note();
  }
}

/** Node refuses to require a module that awaits at its top. */
const AWAITS = new Set(['ERR_REQUIRE_ASYNC_MODULE', 'ERR_REQUIRE_ESM']);

/** A module that can only be loaded asynchronously, by Node itself. */
async function importNatively(specifier: string): Promise<unknown> {
  const file = specifier.startsWith('file:')
    ? fileURLToPath(specifier)
    : requireFromCell.resolve(specifier);
  return import(pathToFileURL(file).href);
}

/** What cells have imported, by the words they used: for exports that change their value. */
export const modules: Record<string, object> = Object.create(null) as Record<string, object>;

/** `import` of a cell. `names` are checked: a missing one must not be a silent `undefined`. */
export async function importModule(specifier: string, names: string[] = []): Promise<unknown> {
  if (/^https?:/.test(specifier)) {
    throw new Error(
      `import from ${specifier}: Node imports no modules over the network; install the package with npm`,
    );
  }
  if (specifier.startsWith('data:')) return import(specifier);
  refresh();
  let value: unknown;
  try {
    value = load(specifier);
  } catch (error) {
    if (!AWAITS.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    value = await importNatively(specifier);
  }
  const namespace = namespaceOf(value);
  modules[specifier] = namespace;
  for (const name of names) {
    if (!(name in namespace)) {
      throw new SyntaxError(`The module '${specifier}' has no export named '${name}'`);
    }
  }
  return namespace;
}

/** What `import * as` sees of a module: CommonJS exports get a `default`. */
function namespaceOf(value: unknown): object {
  const exported = value as Record<string, unknown> | null;
  const isObject = exported !== null && (typeof value === 'object' || typeof value === 'function');
  if (isObject && (exported.__esModule || exported[Symbol.toStringTag as never] === 'Module')) {
    return exported;
  }
  const namespace: Record<string, unknown> = {};
  if (isObject) {
    for (const key of Object.getOwnPropertyNames(exported)) {
      if (key === 'default' || (typeof value === 'function' && key in Function.prototype)) continue;
      Object.defineProperty(namespace, key, { get: () => exported[key], enumerable: true });
    }
  }
  return Object.defineProperty(namespace, 'default', { value, enumerable: true });
}

/** `require`, `__dirname` and `__filename` of a cell, and its `import.meta`. */
export function cellGlobals(): object {
  const filename = join(process.cwd(), notebookName());
  const globals = { require: requireFromCell, __filename: filename, __dirname: process.cwd() };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
  return metaOf(filename);
}

function notebookName(): string {
  const session = process.env.JPY_SESSION_NAME ?? '';
  return session.endsWith('.ipynb') ? session.slice(session.lastIndexOf('/') + 1) : '[cell].ts';
}

/** `import.meta` of a file that is loaded through `require`. */
export function metaOf(filename: string): object {
  const url = pathToFileURL(filename).href;
  return {
    url,
    filename,
    dirname: dirname(filename),
    resolve: (request: string) => {
      if (/^\.{0,2}\//.test(request)) return new URL(request, url).href;
      const found = createRequire(filename).resolve(request);
      return isBuiltin(found) ? `node:${found.replace(/^node:/, '')}` : pathToFileURL(found).href;
    },
  };
}
