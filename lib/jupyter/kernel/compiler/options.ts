import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** What of a tsconfig.json counts for cells: how they are checked and how modules are found. */
const HONOURED = [
  'allowUnreachableCode',
  'baseUrl',
  'customConditions',
  'emitDecoratorMetadata',
  'exactOptionalPropertyTypes',
  'experimentalDecorators',
  'jsx',
  'jsxFactory',
  'jsxFragmentFactory',
  'jsxImportSource',
  'noImplicitAny',
  'noImplicitOverride',
  'noImplicitReturns',
  'noImplicitThis',
  'noPropertyAccessFromIndexSignature',
  'noUncheckedIndexedAccess',
  'paths',
  'pathsBasePath',
  'strict',
  'strictBindCallApply',
  'strictBuiltinIteratorReturn',
  'strictFunctionTypes',
  'strictNullChecks',
  'strictPropertyInitialization',
  'useDefineForClassFields',
  'useUnknownInCatchVariables',
] as const;

/** The library types that this Node really has. */
function libraries(): string[] {
  const [major] = process.versions.node.split('.').map(Number);
  const names =
    major >= 24
      ? ['esnext']
      : major >= 22
        ? ['es2024', 'esnext.array', 'esnext.collection', 'esnext.iterator', 'esnext.disposable']
        : ['es2023', 'es2024.string', 'es2024.regexp', 'es2024.sharedmemory', 'esnext.disposable'];
  return [...names, 'esnext.decorators'].map((name) => `lib.${name}.d.ts`);
}

/** Strict, for the Node that runs the cells, without a browser's globals. */
function defaults(): ts.CompilerOptions {
  return {
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    lib: libraries(),
    types: [],
    strict: true,
    allowJs: true,
    maxNodeModuleJsDepth: 0,
    allowImportingTsExtensions: true,
    noUncheckedSideEffectImports: true,
    resolveJsonModule: true,
    esModuleInterop: true,
    skipLibCheck: true,
    declaration: true,
    sourceMap: true,
    allowUnusedLabels: true,
    noErrorTruncation: false,
    jsx: ts.JsxEmit.ReactJSX,
  };
}

/**
 * The options for cells in `folder`: strict by default, with what the nearest tsconfig.json
 * says about checks and module paths.
 */
export function optionsFor(folder: string): ts.CompilerOptions {
  const options = defaults();
  const file = ts.findConfigFile(folder, ts.sys.fileExists);
  if (file === undefined) return options;
  const { config } = ts.readConfigFile(file, ts.sys.readFile) as { config?: object };
  if (config === undefined) return options;
  // Only the options count; which files the project has need not be found out.
  const host = { ...ts.sys, readDirectory: () => [] };
  const parsed = ts.parseJsonConfigFileContent(config, host, dirname(file)).options;
  for (const name of HONOURED) {
    if (parsed[name] !== undefined) Object.assign(options, { [name]: parsed[name] });
  }
  for (const library of parsed.lib ?? []) {
    if (!options.lib!.includes(library) && /dom|worker|scripthost/.test(library)) {
      options.lib!.push(library);
    }
  }
  return options;
}

/** Node's types: the project's own, or those that came with the kernel. */
export function nodeTypes(folder: string): string[] {
  for (const from of [join(folder, '_.js'), __filename]) {
    try {
      const file = createRequire(from).resolve('@types/node/package.json');
      const types = join(dirname(file), 'index.d.ts');
      if (existsSync(types)) return [types];
    } catch {
      // Not here: look further.
    }
  }
  return [];
}
