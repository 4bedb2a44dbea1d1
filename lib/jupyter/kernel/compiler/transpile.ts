import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import ts from 'typescript';
import type { Transpiled } from '../runner/protocol';
import { fileMistakes } from './diagnostics';
import { instrumentFile } from './instrument';

/**
 * A local file that a cell imports, as CommonJS: TypeScript, or an ES module that would
 * otherwise stay in Node's cache for ever.
 *
 * @throws SyntaxError that names the file and line
 */
export function transpile(path: string, options: ts.CompilerOptions, folder: string): Transpiled {
  const source = readFileSync(path, 'utf8');
  const { outputText, sourceMapText, diagnostics } = ts.transpileModule(source, {
    fileName: path,
    reportDiagnostics: true,
    transformers: { before: [instrumentFile()] },
    compilerOptions: {
      ...options,
      module: ts.ModuleKind.CommonJS,
      moduleResolution: ts.ModuleResolutionKind.Node10,
      declaration: false,
      lib: undefined,
    },
  });
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const wrong = (diagnostics ?? []).filter(({ file: at }) => at !== undefined);
  if (wrong.length > 0) throw new SyntaxError(fileMistakes(file, wrong, folder));
  if (awaitsAtTop(file)) {
    throw new SyntaxError(
      `${relative(folder, path)}: an imported file cannot await at its top; export an async ` +
        'function and await it in the cell',
    );
  }
  const code = outputText.replace(/\n\/\/# sourceMappingURL=.*$/, '');
  return { code, map: sourceMapText ?? '', source };
}

function awaitsAtTop(file: ts.SourceFile): boolean {
  const visit = (node: ts.Node): boolean => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) return false;
    if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier))
      return true;
    return ts.forEachChild(node, visit) ?? false;
  };
  return visit(file);
}
