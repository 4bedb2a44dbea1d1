import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { GLOBALS } from './globals';
import { nodeTypes, optionsFor } from './options';

const KERNEL_DIR = dirname(__dirname);

/** Modules of the kernel that cells import by name. */
const OWN: Record<string, string> = {
  tslab: join(KERNEL_DIR, 'api', 'tslab.d.ts'),
  'guardpage-kernel': join(KERNEL_DIR, 'api', 'index.d.ts'),
};

/**
 * The files as the language service sees them: those on disk, and in front of them the cell
 * being compiled, which is one file with ever new text.
 */
export class Host implements ts.LanguageServiceHost {
  readonly cellFile: string;
  private readonly globalsFile: string;
  private readonly options: ts.CompilerOptions;
  private readonly roots: string[];
  private readonly resolutions: ts.ModuleResolutionCache;
  private text = 'export {};';
  private version = 0;
  private readonly snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>();
  /** When each file was last changed. Files in node_modules are looked at once. */
  private readonly stamps = new Map<string, { stamp: string; checked: number }>();

  constructor(readonly folder: string) {
    this.cellFile = join(folder, '[cell].ts');
    this.globalsFile = join(folder, '[globals].d.ts');
    this.options = optionsFor(folder);
    const canonical = (name: string) =>
      ts.sys.useCaseSensitiveFileNames ? name : name.toLowerCase();
    this.resolutions = ts.createModuleResolutionCache(folder, canonical, this.options);
    this.roots = [this.cellFile, this.globalsFile, ...nodeTypes(folder)];
  }

  /** @param isFresh whether modules are to be looked for anew: files may have come or gone */
  setCell(text: string, isFresh: boolean): void {
    if (isFresh) this.resolutions.clear();
    this.text = text;
    this.version += 1;
  }

  getCompilationSettings(): ts.CompilerOptions {
    return this.options;
  }

  getModuleResolutionCache(): ts.ModuleResolutionCache {
    return this.resolutions;
  }

  getScriptFileNames(): string[] {
    return this.roots;
  }

  getScriptVersion(file: string): string {
    if (file === this.cellFile) return String(this.version);
    if (file === this.globalsFile) return '1';
    const known = this.stamps.get(file);
    if (known && (known.checked === this.version || isInstalled(file))) return known.stamp;
    const stat = statSync(file, { throwIfNoEntry: false });
    const stamp = stat ? `${stat.mtimeMs}:${stat.size}` : '';
    this.stamps.set(file, { stamp, checked: this.version });
    return stamp;
  }

  getScriptSnapshot(file: string): ts.IScriptSnapshot | undefined {
    const version = this.getScriptVersion(file);
    const known = this.snapshots.get(file);
    if (known?.version === version) return known.snapshot;
    const text = this.readFile(file);
    if (text === undefined) return undefined;
    const snapshot = ts.ScriptSnapshot.fromString(text);
    this.snapshots.set(file, { version, snapshot });
    return snapshot;
  }

  getCurrentDirectory(): string {
    return this.folder;
  }

  getDefaultLibFileName(options: ts.CompilerOptions): string {
    return ts.getDefaultLibFilePath(options);
  }

  fileExists(file: string): boolean {
    return file === this.cellFile || file === this.globalsFile || ts.sys.fileExists(file);
  }

  readFile(file: string): string | undefined {
    if (file === this.cellFile) return this.text;
    if (file === this.globalsFile) return GLOBALS;
    return ts.sys.readFile(file);
  }

  readDirectory(...args: Parameters<typeof ts.sys.readDirectory>): string[] {
    return ts.sys.readDirectory(...args);
  }

  directoryExists(folder: string): boolean {
    return ts.sys.directoryExists(folder);
  }

  getDirectories(folder: string): string[] {
    return ts.sys.getDirectories(folder);
  }

  realpath(path: string): string {
    return ts.sys.realpath?.(path) ?? path;
  }

  resolveModuleNameLiterals(
    literals: readonly ts.StringLiteralLike[],
    from: string,
    redirected: ts.ResolvedProjectReference | undefined,
    options: ts.CompilerOptions,
    containing: ts.SourceFile,
  ): readonly ts.ResolvedModuleWithFailedLookupLocations[] {
    return literals.map((literal) => {
      const own = Object.hasOwn(OWN, literal.text) ? OWN[literal.text] : undefined;
      if (own !== undefined) {
        return {
          resolvedModule: {
            resolvedFileName: own,
            extension: ts.Extension.Dts,
            isExternalLibraryImport: true,
          },
        };
      }
      const mode = ts.getModeForUsageLocation(containing, literal, options);
      const { resolutions } = this;
      return ts.resolveModuleName(literal.text, from, options, this, resolutions, redirected, mode);
    });
  }

  /** The source file on disk that `request` means in file `from`; null if it is not ours to load. */
  sourceOf(request: string, from: string): string | null {
    const { resolvedModule } = ts.resolveModuleName(request, from, this.options, this);
    if (!resolvedModule || resolvedModule.isExternalLibraryImport) return null;
    const file = resolvedModule.resolvedFileName;
    return /\.d\.[cm]?ts$/.test(file) || isInstalled(file) ? null : file;
  }
}

/** Whether a file came with a package: it does not change while the kernel runs. */
export function isInstalled(file: string): boolean {
  return file.includes('/node_modules/') || file.startsWith(KERNEL_DIR);
}
