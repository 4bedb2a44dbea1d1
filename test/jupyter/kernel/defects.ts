import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { until } from '../../support/until';
import type { Execution, KernelClient, StartOptions } from './client';
import { uncoloured } from './client';

/** How a check reaches the kernel it is about. */
export interface Subject {
  /** One that is running already. */
  kernel: KernelClient;
  /** Another one; it is ended after the check. */
  start(options?: StartOptions): Promise<KernelClient>;
  /** Message or signal, whichever the kernel understands better. */
  interrupt(kernel: KernelClient): void;
}

/** What a kernel for TypeScript gets wrong in the field. */
export interface Defect {
  number: number;
  /** What should be. */
  title: string;
  /** Throws if the kernel has the defect. */
  check(subject: Subject): Promise<void>;
}

const QUICK = { timeout: 6000 };

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** What a cell shows, as a result or printed: kernels differ in that. */
function shown(cell: Execution): string {
  return uncoloured(cell.result ?? cell.stdout).trim();
}

async function shows(kernel: KernelClient, cells: string[], expected: string): Promise<void> {
  let last: Execution | undefined;
  for (const code of cells) last = await kernel.execute(code, QUICK);
  assert.equal(shown(last!), expected, cells.at(-1));
}

function failed(cell: Execution): boolean {
  return cell.reply.status === 'error';
}

/** Files in a folder of their own; the kernel starts in `notebooks`. */
async function inProject(
  subject: Subject,
  files: Record<string, string>,
  check: (kernel: KernelClient, folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kernel-defect-'));
  mkdirSync(join(folder, 'notebooks'));
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  try {
    await check(await subject.start({ cwd: join(folder, 'notebooks') }), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The defects of tslab 1.0.22 by the numbers of the list that this kernel started from. */
export const DEFECTS: readonly Defect[] = [
  {
    number: 1,
    title: '900 lines arrive from one cell, and no idle of 200 cells is lost',
    async check({ kernel }) {
      const cell = await kernel.execute('for (let i = 0; i < 900; i++) console.log(i)', QUICK);
      assert.equal(cell.stdout.trim().split('\n').length, 900);
      for (let i = 0; i < 200; i += 1) await kernel.execute('1+1', QUICK);
    },
  },
  {
    number: 2,
    title: 'functions see later assignments and redefinitions',
    async check({ kernel }) {
      const counter = ['let d2 = 0; const inc2 = () => ++d2', 'inc2(); inc2()'];
      await shows(kernel, [...counter, 'd2 = 10; inc2(); d2'], '11');
      const anew = ['function in2() { return 1 }', 'function out2() { return in2() }'];
      await shows(kernel, [...anew, 'function in2() { return 2 }', 'out2()'], '2');
    },
  },
  {
    number: 3,
    title: 'names of earlier cells work in object literals and destructuring',
    async check({ kernel }) {
      await shows(kernel, ['const b3 = 2', 'const o3 = {a: 1, b3}; o3.b3'], '2');
      await shows(kernel, ['{a: 1, b3}'], '{ a: 1, b3: 2 }');
      const cells = ['let n3 = 0, m3 = 0', '({n3, m3} = {n3: 5, m3: 6})', 'n3 + m3'];
      await shows(kernel, cells, '11');
    },
  },
  {
    number: 4,
    title: 'a loop at the top is not many times slower than in a function',
    async check({ kernel }) {
      const loop = (i: number) => `for (let i = 0; i < 1e7; i++) s4${i} += i; s4${i}`;
      let [top, inner] = [Infinity, Infinity];
      for (let i = 0; i < 3; i += 1) {
        top = Math.min(top, (await kernel.execute(`let s4${i} = 0; ${loop(i)}`)).ms);
        const code = `function f4${i}() { let s = 0; for (let i = 0; i < 1e7; i++) s += i; return s }; f4${i}()`;
        inner = Math.min(inner, (await kernel.execute(code)).ms);
      }
      assert.ok(top < 4 * inner + 30, `${top.toFixed(0)} ms, in a function ${inner.toFixed(0)} ms`);
    },
  },
  {
    number: 5,
    title: 'a cell sent right after an error runs',
    async check({ kernel }) {
      assert.ok(failed(await kernel.execute('throw new Error("x")', QUICK)));
      await shows(kernel, ['1 + 4'], '5');
    },
  },
  {
    number: 6,
    title: 'what a cell declares before it throws stays',
    async check({ kernel }) {
      await kernel.execute('const d6 = 6; throw new Error("x")', QUICK);
      await shows(kernel, ['d6'], '6');
    },
  },
  {
    number: 7,
    title: 'errors point at lines of TypeScript, with name and message in the reply',
    async check({ kernel }) {
      const code = 'interface D7 {\n  a: number;\n}\n\nthrow new RangeError("here");';
      const { reply, error } = await kernel.execute(code, QUICK);
      assert.equal(reply.ename, 'RangeError');
      assert.equal(reply.evalue, 'here');
      assert.match(error?.traceback ?? '', /:5:|line 5/);
    },
  },
  {
    number: 8,
    title: 'checking is strict',
    async check({ kernel }) {
      assert.ok(failed(await kernel.execute('const u8: string = undefined', QUICK)));
      assert.ok(failed(await kernel.execute('function f8(x) { return x }', QUICK)));
    },
  },
  {
    number: 9,
    title: 'for await, export, import.meta, __dirname and input work',
    async check({ kernel }) {
      const loop = 'let s9 = 0; for await (const n of [1, Promise.resolve(2)]) s9 += n';
      await shows(kernel, [loop, 's9'], '3');
      await shows(kernel, ['export const e9 = 9', 'e9'], '9');
      await shows(kernel, ['import.meta.url.slice(0, 7)'], "'file://'");
      await shows(kernel, ['typeof __dirname'], "'string'");
      const cell = await kernel.execute('prompt("?")', { ...QUICK, input: ['typed'] });
      assert.equal(shown(cell), "'typed'");
    },
  },
  {
    number: 10,
    title: 'front ends are told to colour TypeScript',
    async check({ kernel }) {
      const { language_info: language } = await kernel.request('shell', 'kernel_info_request', {});
      assert.equal((language as { codemirror_mode?: unknown }).codemirror_mode, 'typescript');
    },
  },
  {
    number: 11,
    title: 'the kernel ends with its parent',
    async check({ start }) {
      const parent = `require('node:child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: 'ignore' })`;
      const kernel = await start({ argv: [process.execPath, '-e', parent] });
      const pid = Number(/\d+/.exec(shown(await kernel.execute('process.pid', QUICK)))?.[0]);
      kernel.process.kill('SIGKILL');
      const outlived = await until('its end', () => !isAlive(pid), 4000).then(
        () => false,
        () => true,
      );
      if (outlived) process.kill(pid, 'SIGKILL');
      assert.ok(!outlived, 'it outlives its parent');
    },
  },
  {
    number: 12,
    title: 'a loop after an await can be interrupted, and by message',
    async check({ start, interrupt }) {
      const kernel = await start();
      const endless = 'await new Promise<void>((r) => setTimeout(r, 20)); while (true) {}';
      const running = kernel.begin(endless, { timeout: 3000 });
      await sleep(400);
      interrupt(kernel);
      await running.done;
      await kernel.request('control', 'interrupt_request', {}, 2000);
    },
  },
  {
    number: 13,
    title: 'files of other folders, paths, new types and edited files are imported',
    async check(subject) {
      const declared = 'export declare const ints: Int32Array<ArrayBuffer>;';
      const files = {
        'tsconfig.json': '{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }',
        'lib/a.ts': 'export const a: number = 1;',
        'lib/index.ts': 'export * from "./a";',
        'node_modules/p/package.json':
          '{ "name": "p", "exports": { ".": { "types": "./t.d.ts", "default": "./p.js" } } }',
        'node_modules/p/p.js': 'exports.ints = new Int32Array(1);',
        'node_modules/p/t.d.ts': declared,
      };
      await inProject(subject, files, async (kernel, folder) => {
        await shows(kernel, ['import { a } from "../lib/index"', 'a'], '1');
        await shows(kernel, ['import { a as viaPath } from "@lib/a"', 'viaPath'], '1');
        await shows(kernel, ['import { ints } from "p"', 'ints.length'], '1');
        assert.ok(failed(await kernel.execute('const no: string = ints', QUICK)));
        await sleep(20);
        writeFileSync(join(folder, 'lib/a.ts'), 'export const a: number = 222;');
        await shows(kernel, ['import { a } from "../lib/index"', 'a'], '222');
      });
    },
  },
  {
    number: 14,
    title: 'a notebook away from any project can print',
    check: (subject) =>
      inProject(subject, {}, async (kernel) => {
        assert.equal((await kernel.execute('console.log("out")', QUICK)).stdout, 'out\n');
      }),
  },
];

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
