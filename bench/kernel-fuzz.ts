/**
 * Throws random and mutated messages and cells at the kernel:
 *
 *     npm run build
 *     node -r ts-node/register bench/kernel-fuzz.ts [--messages 100000] [--cells 10000] [--seed 1]
 *
 * Fails if the kernel dies, does not answer, or acts on a message that is not signed.
 */
import type { JsonObject } from '../lib/jupyter/kernel/protocol/message';
import { Wire } from '../lib/jupyter/kernel/protocol/wire';
import { Random } from '../lib/random';
import { KernelClient } from '../test/jupyter/kernel/client';

const TYPES = [
  ...['execute', 'inspect', 'complete', 'history', 'is_complete', 'connect', 'comm_info'],
  ...['kernel_info', 'interrupt', 'debug', 'input', 'create_subshell'],
].map((name) => `${name}_request`);
const OTHERS = ['comm_open', 'comm_msg', 'comm_close', 'input_reply', 'status', '', '__proto__'];
const CHANNELS = ['shell', 'control', 'stdin'] as const;

const FRAGMENTS = [
  ...['const x = 1;', 'let y', 'x + y', 'console.log(x)', 'function f() { return x }', 'f()'],
  ...[
    'class A { #p = 1; get q() { return this.#p } }',
    'new A().q',
    'await null',
    'yield',
    'enum E { A }',
  ],
  ...[
    'type T<U> = U extends infer V ? V : never',
    'interface I { a: T<number> }',
    'namespace N { export let z = 1 }',
  ],
  ...[
    'for (const i of [1, 2]) {',
    'while (false) {',
    'if (x) {',
    '}',
    '{',
    '(',
    ')',
    '[',
    ']',
    ';',
    ',',
    '=>',
  ],
  ...[
    '`${',
    '`',
    '"',
    "'",
    '/',
    '*/',
    '/*',
    '//',
    '\\',
    '\n',
    '\u2028',
    '😀',
    '\0',
    '#',
    '@dec',
    '...',
  ],
  ...[
    'import { readFileSync } from "node:fs"',
    'import x from "nowhere"',
    'export default 5',
    'export { x }',
  ],
  ...[
    'throw new Error("x")',
    'throw {}',
    'try {',
    '} catch (e) {',
    '} finally {',
    'new Proxy({}, {})',
    'Symbol()',
  ],
  ...[
    'x = y = 5',
    '({ x, ...y } = {})',
    '[x, y] = [y, x]',
    'x++',
    'delete x',
    'typeof x',
    'void 0',
    'debugger',
  ],
  ...[
    '10n ** 20n',
    '/(a+)+$/.test("aaaaaaaa")',
    'Promise.reject(1)',
    'setTimeout(() => { throw 1 }, 1)',
    'this',
  ],
  ...[
    'async function* g() { yield* [] }',
    'for await (const i of g()) {}',
    'using r = null',
    'var v = v',
    'label: for (;;) break label',
  ],
  ...[
    'declare global { var q: number }',
    'abstract',
    'as const',
    'satisfies',
    '!',
    '?.',
    '??=',
    '**=',
    '@',
    '<T>',
    '<div/>',
  ],
  ...[
    'globalThis.undefinedThing',
    'null!.a.b',
    '(() => { throw 5 })()',
    'eval("1 +")',
    'Object.prototype',
    '$kernel',
    '$kernel.result = 1',
  ],
  ...[
    '// @ts-nocheck\n',
    '// @ts-ignore\n',
    'return',
    'break',
    'with (x) {}',
    '0777',
    '1_0',
    '0b',
    '.5.toFixed',
    'let let',
    'process.stdout.write("x")',
  ],
];

class Fuzz {
  private readonly random: Random;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  below(n: number): number {
    return this.random.below(n);
  }

  pick<T>(values: readonly T[]): T {
    return this.random.pick(values);
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  text(): string {
    return this.bytes(this.below(20)).toString('latin1');
  }

  value(depth = 0): unknown {
    const kind = this.below(depth > 2 ? 6 : 8);
    if (kind === 0) return null;
    if (kind === 1) return this.below(2) === 0;
    if (kind === 2) return this.pick([0, -1, 1e308, 0.5, 2 ** 31, -(2 ** 53)]);
    if (kind <= 4) return this.text();
    if (kind === 5) return this.pick(FRAGMENTS);
    if (kind === 6) return Array.from({ length: this.below(4) }, () => this.value(depth + 1));
    return this.object(depth + 1);
  }

  object(depth = 0): JsonObject {
    const keys = ['code', 'cursor_pos', 'comm_id', 'target_name', 'data', 'n', 'session', 'start'];
    const more = [
      'stop',
      'pattern',
      'hist_access_type',
      'silent',
      'user_expressions',
      '__proto__',
      'constructor',
    ];
    const object: JsonObject = {};
    for (let i = this.below(6); i > 0; i -= 1)
      object[this.pick([...keys, ...more, this.text()])] = this.value(depth);
    return object;
  }

  /** Half of them unchecked, so that more gets as far as running. */
  cell(): string {
    const count = this.below(3) === 0 ? 12 : 4;
    const parts = Array.from({ length: 1 + this.below(count) }, () => this.pick(FRAGMENTS));
    let code = parts.join(this.pick(['\n', ';\n', ';\n', ' ', '']));
    for (let i = this.below(5) - 2; i > 0 && code.length > 0; i -= 1) {
      const at = this.below(code.length);
      const added = this.pick(['', this.text(), code.slice(at, at + 5)]);
      code = code.slice(0, at) + added + code.slice(at + this.below(4));
    }
    return this.below(2) === 0 ? `// @ts-nocheck\n${code}` : code;
  }
}

/** A stray interrupt may hit the question itself: it is asked again. */
async function alive(kernel: KernelClient): Promise<void> {
  for (let i = 0; i < 5; i += 1) {
    const { reply } = await kernel.execute('1 + 1', { timeout: 60_000 });
    if (reply.status === 'ok' || /^TS/.test(String(reply.ename))) return;
  }
  throw new Error('1 + 1 cannot be had');
}

async function messages(count: number, fuzz: Fuzz): Promise<void> {
  const kernel = await KernelClient.start();
  const stranger = new Wire('another key', 'hmac-sha256');
  const forged = new Set<string>();
  let acted = 0;
  kernel.on((_channel, { parentHeader }) => {
    if (forged.has(parentHeader.msg_id ?? '')) acted += 1;
  });
  for (let i = 0; i < count; i += 1) {
    const channel = fuzz.pick(CHANNELS);
    const header = kernel.header(fuzz.pick([...TYPES, ...TYPES, ...OTHERS]));
    const kind = fuzz.below(6);
    if (kind === 0) {
      kernel.sendFrames(
        channel,
        Array.from({ length: 1 + fuzz.below(8) }, () => fuzz.bytes(fuzz.below(60))),
      );
      continue;
    }
    const isOurs = kind >= 3;
    const content =
      fuzz.below(3) === 0 ? { code: fuzz.pick(['1', 'x', '(']), silent: true } : fuzz.object();
    const message = {
      identities: [],
      header,
      parentHeader: {},
      metadata: fuzz.object(),
      content,
      buffers: [],
    };
    const frames = (isOurs ? kernel.wire : stranger).encode(message);
    if (!isOurs) forged.add(header.msg_id);
    if (kind === 5) {
      // One bit of a signed message is changed, or a frame is lost or doubled.
      const signed = Buffer.concat(frames.slice(1, 6));
      const at = 1 + fuzz.below(frames.length - 1);
      const way = fuzz.below(3);
      if (way === 0 || frames[at].length === 0) frames.splice(at, 1);
      else if (way === 1) frames.splice(at, 0, frames[at]);
      else frames[at][fuzz.below(frames[at].length)] ^= 1 << fuzz.below(8);
      // Behind the signed parts there are only buffers, which may be anything.
      if (!Buffer.concat(frames.slice(1, 6)).equals(signed)) forged.add(header.msg_id);
    }
    kernel.sendFrames(channel, frames);
    if (kind === 4) kernel.sendFrames(channel, frames);
    if (i % 2000 === 1999) {
      await alive(kernel);
      process.stderr.write(`\r${i + 1} messages, ${acted} forgeries accepted`);
    }
  }
  await alive(kernel);
  process.stderr.write('\n');
  if (acted > 0) throw new Error(`${acted} answers to messages that were not signed`);
  if (kernel.process.exitCode !== null) throw new Error('the kernel has ended');
  await kernel.stop();
  console.log(`${count} messages: none accepted that should not be, the kernel lives`);
}

async function cells(count: number, fuzz: Fuzz): Promise<void> {
  let kernel = await KernelClient.start();
  const ends: Record<string, number> = {};
  let slowest = 0;
  for (let i = 0; i < count; i += 1) {
    const code = fuzz.cell();
    const running = kernel.begin(code, { timeout: 40_000 });
    const late = setTimeout(() => void kernel.interrupt(), 2000);
    const { reply, error, ms } = await running.done.catch((failure: Error) => {
      throw new Error(`${JSON.stringify(code)}: ${failure.message}`);
    });
    clearTimeout(late);
    slowest = Math.max(slowest, ms);
    const end =
      reply.status === 'ok' ? 'ok' : /^TS/.test(error?.ename ?? '') ? 'TS' : String(error?.ename);
    ends[end] = (ends[end] ?? 0) + 1;
    // Nothing is broken, but the compiler should have found words for it.
    if (/^(Compiler|Kernel)Error$/.test(end))
      console.log(`${error?.evalue}: ${JSON.stringify(code)}`);
    if (i % 500 === 499) {
      await alive(kernel);
      process.stderr.write(`\r${i + 1} cells`);
    }
    // Cells may spoil what is global for all later ones: some get a fresh kernel.
    if (i % 2500 === 2499) {
      await kernel.stop();
      kernel = await KernelClient.start();
    }
  }
  await alive(kernel);
  await kernel.stop();
  process.stderr.write('\n');
  console.log(`${count} cells: ${JSON.stringify(ends)}, the slowest ${slowest.toFixed(0)} ms`);
}

async function main(): Promise<void> {
  const option = (name: string, otherwise: number) => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? otherwise : Number(process.argv[at + 1]);
  };
  const fuzz = new Fuzz(option('seed', 1));
  await messages(option('messages', 100_000), fuzz);
  await cells(option('cells', 10_000), fuzz);
  process.exit();
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
