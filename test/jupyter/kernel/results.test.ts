import assert from 'node:assert/strict';
import { until } from '../../support/until';
import type { Output } from './client';
import { KernelClient } from './client';
import { whileCellHolds } from './holding-cell';
import { sharedKernel } from './shared';

const API = '"guardpage-kernel"';

describe('Rich results', () => {
  let kernel: KernelClient;
  before(async () => {
    kernel = await sharedKernel();
  });

  async function outputs(code: string): Promise<Output[]> {
    const cell = await kernel.execute(code);
    assert.equal(cell.reply.status, 'ok', `${code}\n${cell.error?.traceback}`);
    return cell.outputs.filter(({ type }) => type !== 'execute_input');
  }

  it('objects show themselves through [Symbol.for("Jupyter.display")]', async () => {
    const [shown] = await outputs(
      'class Card { [Symbol.for("Jupyter.display")]() { return { "text/html": "<b>card</b>", "application/json": { n: [1] } } } }; new Card()',
    );
    assert.equal(shown.type, 'execute_result');
    const { data, metadata } = shown.content;
    assert.deepEqual(data, {
      'text/html': '<b>card</b>',
      'application/json': { n: [1] },
      'text/plain': 'Card {}',
    });
    assert.deepEqual(metadata, {});
  });

  it('with metadata, as a promise, from a class, and under the other name', async () => {
    const [withMetadata] = await outputs(
      '({ [Symbol.for("Jupyter.display")]: () => ({ data: { "image/png": new Uint8Array([137, 80]), "text/plain": "a picture" }, metadata: { "image/png": { width: 5 } } }) })',
    );
    assert.deepEqual(withMetadata.content.data, { 'image/png': 'iVA=', 'text/plain': 'a picture' });
    assert.deepEqual(withMetadata.content.metadata, { 'image/png': { width: 5 } });
    const [later] = await outputs(
      '({ async [Symbol.for("Jupyter.display")]() { await null; return { "text/markdown": "*later*" } } })',
    );
    assert.equal((later.content.data as Record<string, string>)['text/markdown'], '*later*');
    const [other] = await outputs(
      '({ [Symbol.for("jupyter.mimebundle")]: () => ({ "text/latex": "$x$" }) })',
    );
    assert.equal((other.content.data as Record<string, string>)['text/latex'], '$x$');
  });

  it('a display method that fails or returns nonsense is an error that says so', async () => {
    const thrown = await kernel.execute(
      '({ [Symbol.for("Jupyter.display")]() { throw new Error("no picture") } })',
    );
    assert.equal(thrown.error?.evalue, 'no picture');
    const wrong = await kernel.execute(
      '({ [Symbol.for("Jupyter.display")]() { return { html: "x" } } })',
    );
    assert.match(wrong.error!.evalue, /expected a MIME bundle such as/);
    const big = await kernel.execute(
      '({ [Symbol.for("Jupyter.display")]() { return { "application/json": { n: 5n } } } })',
    );
    assert.match(big.error!.evalue, /application\/json: cannot be written as JSON: .*BigInt/);
    const rejected = await kernel.execute(
      '({ [Symbol.for("Jupyter.display")]: () => Promise.reject(new Error("async no")) })',
    );
    assert.equal(rejected.error?.evalue, 'async no');
  });

  it('display shows anything at any time, in order with the streams', async () => {
    const shown =
      await outputs(`import { display, html, md, latex, svg, json, image, javascript, plotly } from ${API};
console.log('before');
display({ 'text/html': '<i>bundle</i>', 'text/plain': 'bundle' });
console.log('between');
display(html\`<b>\${1 + 1}</b>\`); display(md('# head')); display(latex('$a$')); display(svg('<svg/>'));
display(json({ deep: [1] })); display(javascript('1')); display({ plain: 'object' });
display(plotly({ data: [{ y: [1, 2] }] }));
display(image(new Uint8Array([1]), { type: 'image/gif' }));
display(image(new Uint8Array([1]), { alt: 'a "dot"' }), { metadata: { isolated: true } });`);
    const told = shown.map(({ type, content }) =>
      type === 'stream' ? content.text : Object.entries(content.data as object)[0],
    );
    assert.deepEqual(told, [
      'before\n',
      ['text/html', '<i>bundle</i>'],
      'between\n',
      ['text/html', '<b>2</b>'],
      ['text/markdown', '# head'],
      ['text/latex', '$a$'],
      ['image/svg+xml', '<svg/>'],
      ['application/json', { deep: [1] }],
      ['application/javascript', '1'],
      ['text/plain', "{ plain: 'object' }"],
      ['application/vnd.plotly.v1+json', { layout: {}, data: [{ y: [1, 2] }] }],
      ['image/gif', 'AQ=='],
      ['text/html', '<img src="data:image/png;base64,AQ==" alt="a &quot;dot&quot;">'],
    ]);
    assert.deepEqual(shown.at(-1)!.content.metadata, { isolated: true });
  });

  it('updates what is shown, also from a later cell', async () => {
    const [first, second] = await outputs(
      `import { display as show } from ${API}; const handle = show('one'); handle.update('two')`,
    );
    assert.equal(second.type, 'update_display_data');
    assert.deepEqual(first.content.transient, second.content.transient);
    const [third] = await outputs('handle.update({ "text/plain": "three" })');
    assert.equal(third.type, 'update_display_data');
    assert.deepEqual(third.content.transient, first.content.transient);
    const [named] = await outputs('void show("x", { id: "mine" })');
    assert.deepEqual(named.content.transient, { display_id: 'mine' });
  });

  it('clears output, at once or with the next', async () => {
    const [now, then, viaConsole] = await outputs(
      `import { clearOutput } from ${API}; clearOutput(); clearOutput({ wait: true }); console.clear()`,
    );
    assert.deepEqual([now.type, now.content], ['clear_output', { wait: false }]);
    assert.deepEqual(then.content, { wait: true });
    assert.equal(viaConsole.type, 'clear_output');
  });

  it('moves a progress bar in place while the cell never awaits', async () => {
    const begun = performance.now();
    await kernel.execute(`import { progress } from ${API}; const bar = progress(100, 'work <1>')`);
    const { outputs: all } = await whileCellHolds(
      kernel,
      async (cell) => {
        const updates = () => cell.outputs.filter(({ type }) => type === 'update_display_data');
        await until('two updates while the cell runs', () => updates().length >= 2, 15_000);
      },
      'bar.add(1e-6)',
    );
    const { outputs: last } = await kernel.execute('bar.finish()');
    const shown = [...all, ...last].filter(({ type }) => /display/.test(type));
    assert.ok(shown.every(({ type }) => type === 'update_display_data'));
    const most = (performance.now() - begun) / 100 + 1;
    assert.ok(shown.length <= most, `${shown.length} updates, at most ${most} fit`);
    const data = shown.at(-1)!.content.data as Record<string, string>;
    assert.equal(data['text/plain'], 'work <1> [####################] 100%');
    assert.match(data['text/html'], /<label>work &lt;1&gt; <progress value="100" max="100"/);
  });

  it('streams what a cell prints while it runs', async () => {
    const { stdout } = await whileCellHolds(kernel, async ({ outputs: early }) => {
      assert.equal(early.filter(({ type }) => type === 'stream').length, 1);
    });
    assert.equal(stdout, 'it holds\n');
  });

  it('serves a library that does not know the kernel', async () => {
    const [shown] = await outputs(
      '(globalThis as any)[Symbol.for("jupyter.display")]({ "text/html": "<p>", "text/plain": "p" })',
    );
    assert.deepEqual(shown.content.data, { 'text/html': '<p>', 'text/plain': 'p' });
  });

  it('all 20,000 lines of one cell arrive, in order, and idle is last', async () => {
    const order: string[] = [];
    const off = kernel.on((channel, { header }) => {
      if (channel === 'iopub') order.push(header.msg_type);
    });
    const { stdout } = await kernel.execute(
      'for (let i = 0; i < 20000; i++) console.log("line", i)',
    );
    off();
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, 20_000);
    assert.ok(lines.every((line, i) => line === `line ${i}`));
    assert.equal(order.at(-1), 'status');
    assert.ok(order.length < 500, `${order.length} messages`);
  });

  it('cuts what one cell prints without end, says how much, and loses nothing else', async () => {
    const env = { GUARDPAGE_KERNEL_OUTPUT_LIMIT: '1000000' };
    const other = await KernelClient.start({ env });
    try {
      const { stdout, stderr, result } = await other.execute(
        'const row = "x".repeat(999); for (let i = 0; i < 25000; i++) console.log(row); "the result"',
      );
      assert.equal(stdout.length, 1_000_000);
      assert.match(stderr, /output cut after 1,000,000 characters: 24,000,000 more are not shown/);
      assert.equal(result, "'the result'");
      assert.equal((await other.execute('console.log("next")')).stdout, 'next\n');
    } finally {
      await other.stop();
    }
  });
});
