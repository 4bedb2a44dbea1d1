import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { KernelClient, ROOT } from './client';

describe('Imports of cells', () => {
  const root = mkdtempSync(join(tmpdir(), 'kernel-imports-'));
  let kernel: KernelClient;

  const write = (files: Record<string, string>) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
  };

  /** Later than the file system's clock can confuse with what was written before. */
  const pause = () => new Promise((done) => setTimeout(done, 20));

  before(async () => {
    write({
      'tsconfig.json': '{ "compilerOptions": { "paths": { "@app/*": ["./lib/*"] } } }',
      'package.json': '{ "name": "project" }',
      'notebooks/data.json': '{ "answer": 42 }',
      'lib/base.ts':
        'export const base: number = 1;\nexport function boom(): never {\n  throw new Error("from a file");\n}\n',
      'lib/index.ts':
        'export * from "./base";\nexport { default as Thing } from "./thing.js";\nexport type { Kind } from "./thing";\n',
      'lib/thing.ts':
        'export type Kind = "a" | "b";\nexport default class Thing { kind: Kind = "a"; #p = 1; get p() { return this.#p } }\nexport const where = import.meta.filename;\nexport enum Colour { Red, Green }\n',
      'lib/counter.ts':
        'let n = 0;\nexport const next = () => ++n;\nexport async function slow(): Promise<string> { await null; return "slow" }\n',
      'lib/sloppy.ts': 'export const sloppy: number = "not a number";\n',
      'lib/broken.ts': 'export const = 1;\n',
      'lib/awaiting.ts': 'export const later = await Promise.resolve(1);\n',
      'lib/native.mjs':
        'export const native = "native";\nexport default function () { return import.meta.url }\n',
      'lib/plain.cjs': 'exports.plain = { n: 1 };\n',
      'node_modules/only-esm/package.json':
        '{ "name": "only-esm", "type": "module", "exports": { ".": { "types": "./index.d.ts", "import": "./index.js" } } }',
      'node_modules/only-esm/index.js': 'export const esm = "esm"; export default 7;',
      'node_modules/only-esm/index.d.ts':
        'export declare const esm: string; declare const seven: number; export default seven;',
      'node_modules/awaits/package.json':
        '{ "name": "awaits", "type": "module", "exports": "./index.js" }',
      'node_modules/awaits/index.js': 'export const waited = await Promise.resolve("waited");',
      'node_modules/common/package.json':
        '{ "name": "common", "main": "main.js", "types": "main.d.ts" }',
      'node_modules/common/main.js':
        'module.exports = function common(x) { return x + 1 }; module.exports.extra = 5;',
      'node_modules/common/main.d.ts':
        'declare function common(x: number): number; declare namespace common { const extra: number } export = common;',
      'node_modules/untyped/package.json': '{ "name": "untyped" }',
      'node_modules/untyped/index.js': 'exports.anything = () => "any";',
      'node_modules/modern/package.json':
        '{ "name": "modern", "exports": { "./sub": { "types": "./sub.d.ts", "default": "./sub.js" } } }',
      'node_modules/modern/sub.js': 'exports.ints = new Int32Array(2);',
      'node_modules/modern/sub.d.ts':
        'export declare const ints: Int32Array<ArrayBuffer>; export declare const it: MapIterator<string>;',
      'workspace/src/index.js': 'exports.helper = require("./helper").helper;',
      'workspace/src/index.d.ts': 'export { helper } from "./helper";',
      'workspace/src/helper.js': 'exports.helper = () => "first";',
      'workspace/src/helper.d.ts': '/** Helps. */\nexport declare const helper: () => string;',
      'workspace/package.json':
        '{ "name": "workspace", "main": "src/index.js", "types": "src/index.d.ts" }',
    });
    symlinkSync(join(root, 'workspace'), join(root, 'node_modules', 'workspace'));
    kernel = await KernelClient.start({ cwd: join(root, 'notebooks') });
  });

  after(async () => {
    await kernel.stop();
    rmSync(root, { recursive: true, force: true });
  });

  async function result(...cells: string[]): Promise<string | undefined> {
    let last: string | undefined;
    for (const code of cells) {
      const cell = await kernel.execute(code);
      assert.equal(cell.reply.status, 'ok', `${code}\n${cell.error?.traceback}`);
      last = cell.result;
    }
    return last;
  }

  it("finds TypeScript files outside the notebook's folder, with and without extension", async () => {
    assert.equal(
      await result(
        'import { base, Thing, type Kind } from "../lib/index"; const k: Kind = "b"; base',
      ),
      '1',
    );
    assert.equal(await result('new Thing().p'), '1');
    assert.equal(
      await result(
        'import T2, { Colour, where } from "../lib/thing.ts"; [T2 === Thing, Colour.Green, where.endsWith("thing.ts")]',
      ),
      '[ true, 1, true ]',
    );
    assert.equal(await result('import * as viaJs from "../lib/base.js"; viaJs.base'), '1');
  });

  it('honours paths of tsconfig.json, also within files', async () => {
    assert.equal(await result('import { base as viaPath } from "@app/base"; viaPath'), '1');
    write({
      'lib/deep/user.ts': 'import { base } from "@app/base";\nexport const doubled = base * 2;\n',
    });
    assert.equal(await result('import { doubled } from "@app/deep/user"; doubled'), '2');
  });

  it('imports types alone without loading anything', async () => {
    write({
      'lib/loud.ts':
        'console.log("loaded");\nexport interface Loud { n: number }\nexport const loud = 1;\n',
    });
    const { stdout } = await kernel.execute(
      'import type { Loud } from "../lib/loud"; const l: Loud = { n: 1 }',
    );
    assert.equal(stdout, '');
    assert.equal(
      (await kernel.execute('import { Loud, loud } from "../lib/loud"')).stdout,
      'loaded\n',
    );
    assert.equal((await kernel.execute('const wrong: Loud = { n: "" }')).error?.ename, 'TS2322');
  });

  it('imports JSON, ES modules, CommonJS, and what has no types', async () => {
    assert.equal(await result('import data from "./data.json"; data.answer'), '42');
    assert.equal(
      await result('import typed from "./data.json" with { type: "json" }; typed.answer + 1'),
      '43',
    );
    assert.equal(await result('import { native } from "../lib/native.mjs"; native'), "'native'");
    assert.equal(await result('import { plain } from "../lib/plain.cjs"; plain.n'), '1');
    assert.equal(
      await result('import common from "common"; import { extra } from "common"; common(extra)'),
      '6',
    );
    assert.equal(await result('import seven, { esm } from "only-esm"; esm + seven'), "'esm7'");
    assert.equal(
      await result('// @ts-ignore\nimport { waited } from "awaits"; waited'),
      "'waited'",
    );
    assert.equal(await result('import { anything } from "untyped"; anything()'), "'any'");
    assert.equal(
      await result('import fs, { existsSync } from "node:fs"; fs.existsSync === existsSync'),
      'true',
    );
    assert.equal(await result('import os = require("node:os"); typeof os.cpus'), "'function'");
    assert.equal(await result('const { base: b2 } = await import("../lib/base"); b2'), '1');
    assert.equal(await result('const c = require("../lib/counter"); c.next() + c.next()'), '3');
  });

  it('finds types behind exports, and the newest ones', async () => {
    assert.equal(await result('import { ints } from "modern/sub"; ints.length'), '2');
    assert.equal((await kernel.execute('const no: string = ints')).error?.ename, 'TS2322');
  });

  it('sees an exported variable change its value, and its declaration anew', async () => {
    write({ 'lib/live.ts': 'export let level = 1;\nexport const raise = () => ++level;\n' });
    await result(
      'import { level, raise } from "../lib/live"; const read = () => ({ level }).level; raise()',
    );
    assert.equal(await result('raise(); [level, read()]'), '[ 3, 3 ]');
    assert.equal(await result('const level = "mine"; level'), "'mine'");
  });

  it('sees an edited file when it is imported again, whoever else imports it', async () => {
    assert.equal(await result('import { helper } from "workspace"; helper()'), "'first'");
    assert.equal(await result('import { doubled as d1 } from "@app/deep/user"; d1'), '2');
    await pause();
    write({
      'workspace/src/helper.js': 'exports.helper = (n) => "second" + n;',
      'workspace/src/helper.d.ts': 'export declare const helper: (n: number) => string;',
      'lib/base.ts':
        'export const base: number = 10;\nexport function boom(): never {\n  throw new Error("from a file");\n}\n',
    });
    assert.equal(await result('import { helper } from "workspace"; helper(2)'), "'second2'");
    assert.equal(
      await result('import { doubled as d2 } from "@app/deep/user"; [d1, d2]'),
      '[ 2, 20 ]',
    );
  });

  it('keeps the state of files that have not changed', async () => {
    const before = Number(await result('import { next } from "../lib/counter"; next()'));
    assert.equal(await result('import { next } from "../lib/counter"; next()'), String(before + 1));
  });

  it('finds files and packages that came later', async () => {
    assert.equal(
      (await kernel.execute('import { fresh } from "../lib/fresh"')).error?.ename,
      'TS2307',
    );
    write({
      'lib/fresh.ts': 'export const fresh = "fresh";\n',
      'node_modules/newer/index.js': 'exports.v = 1;',
    });
    write({ 'node_modules/newer/package.json': '{ "name": "newer" }' });
    assert.equal(await result('import { fresh } from "../lib/fresh"; fresh'), "'fresh'");
    assert.equal(await result('import { v } from "newer"; v'), '1');
  });

  it('maps errors of imported files', async () => {
    const { error } = await kernel.execute('import { boom } from "../lib/base";\nboom()');
    assert.match(error!.traceback, /\.\.\/lib\/base\.ts, line 3\n[^]*> 3 \| {3}throw new Error/);
    assert.match(error!.traceback, /at boom \(\.\.\/lib\/base\.ts:3:9\)\n\s+at cell \[\d+\]:2:1/);
  });

  it('tells mistakes in imported files by file and line', async () => {
    const sloppy = await kernel.execute('import { sloppy } from "../lib/sloppy"; sloppy');
    assert.match(sloppy.stderr, /\.\.\/lib\/sloppy\.ts:1:14: TS2322: Type 'string'/);
    assert.equal(sloppy.result, "'not a number'");
    const broken = await kernel.execute('import * as broken from "../lib/broken"; broken');
    assert.match(broken.error!.evalue, /broken\.ts:1:14: TS1134/);
    const awaiting = await kernel.execute('import { later } from "../lib/awaiting"; later');
    assert.match(awaiting.error!.evalue, /cannot await at its top/);
  });

  it('says what a module does not have', async () => {
    assert.equal((await kernel.execute('import { missing } from "common"')).error?.ename, 'TS2305');
    const { error } = await kernel.execute('import { nothing } from "untyped"; nothing');
    assert.match(error!.evalue, /'untyped' has no export named 'nothing'/);
    const absent = await kernel.execute('import { x } from "https://example.org/x.js"');
    assert.equal(absent.reply.status, 'error');
    assert.equal((await kernel.execute('import "not-installed"')).error?.ename, 'TS2307');
  });

  it("knows tslab's interface, in value and type", async () => {
    const cell = await kernel.execute(
      'import * as tslab from "tslab"; tslab.display.html("<b>x</b>"); tslab.display.png(new Uint8Array([1, 2]))',
    );
    assert.deepEqual(
      cell.outputs.filter(({ type }) => type === 'display_data').map(({ content }) => content.data),
      [{ 'text/html': '<b>x</b>' }, { 'image/png': 'AQI=' }],
    );
    assert.equal((await kernel.execute('tslab.display.html(5)')).error?.ename, 'TS2345');
    const update = await kernel.execute('const d = tslab.newDisplay(); d.text("a"); d.text("b")');
    const [first, second] = update.outputs.filter(({ type }) => /display/.test(type));
    assert.deepEqual([first.type, second.type], ['display_data', 'update_display_data']);
    assert.deepEqual(first.content.transient, second.content.transient);
    assert.equal(await result('tslab.versions.node'), `'${process.version}'`);
  });

  it('imports a package of this repository from any folder', async () => {
    const other = await KernelClient.start({ cwd: join(ROOT, 'test') });
    try {
      const { result: type, error } = await other.execute(
        'import { Random } from "guardpage"; typeof Random',
      );
      assert.equal(type, "'function'", error?.traceback);
      assert.equal((await other.execute('const r: Random = 5')).error?.ename, 'TS2322');
    } finally {
      await other.stop();
    }
  });
});
