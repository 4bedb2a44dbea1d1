import assert from 'node:assert/strict';
import { Script } from 'node:vm';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import * as library from '../../lib';

/** Runs the code of a solution and returns what it calls `answer`. */
export function runSolution(markdown: string): unknown {
  const blocks = [...markdown.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code);
  assert.equal(blocks.length, 1, `expected one \`\`\`ts block:\n${markdown}`);
  assert.match(
    blocks[0],
    /^(?:const|let|function) answer\b/m,
    `expected it to define answer:\n${blocks[0]}`,
  );
  const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 };
  const { outputText } = transpileModule(blocks[0], { compilerOptions });
  const run = new Script(`(function (require, exports) { ${outputText}\nreturn answer; })`);
  return run.runInThisContext()(requireLibrary, {});
}

function requireLibrary(name: string): unknown {
  assert.equal(name, 'guardpage', `a solution imports ${name}`);
  return library;
}
