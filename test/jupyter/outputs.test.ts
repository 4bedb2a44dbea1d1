import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CellOutputs, type Output, type StreamOutput } from '../../lib/jupyter/outputs';

const message = (msg_type: string, content: object) => ({ header: { msg_type }, content });
const stream = (name: string, text: string) => message('stream', { name, text });
const display = (text: string, display_id?: string) =>
  message('display_data', {
    data: { 'text/plain': text },
    metadata: {},
    ...(display_id !== undefined && { transient: { display_id } }),
  });
const update = (text: string, display_id: string) =>
  message('update_display_data', {
    data: { 'text/plain': text },
    metadata: { new: true },
    transient: { display_id },
  });
const clear = (wait: boolean) => message('clear_output', { wait });

function collect(...messages: ReturnType<typeof message>[]): readonly Output[] {
  const outputs = new CellOutputs();
  messages.forEach((each) => outputs.add(each));
  return outputs.list;
}

const texts = (outputs: readonly Output[]) =>
  outputs.map((output) =>
    output.output_type === 'stream'
      ? `${output.name}:${output.text}`
      : 'data' in output
        ? output.data['text/plain']
        : output.ename,
  );

describe('CellOutputs', () => {
  it('joins text of one stream until something else comes, however it was cut up', () => {
    const piece = fc.tuple(fc.constantFrom('stdout', 'stderr'), fc.string());
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const list = collect(...pieces.map(([name, text]) => stream(name, text)));
        const runs = list as StreamOutput[];
        for (const name of ['stdout', 'stderr']) {
          const of = (all: readonly (readonly [string, string])[]) =>
            all
              .filter(([n]) => n === name)
              .map(([, text]) => text)
              .join('');
          assert.equal(of(runs.map((run) => [run.name, run.text] as const)), of(pieces));
        }
        runs.slice(1).forEach((run, i) => assert.notEqual(run.name, runs[i].name));
      }),
    );
    assert.deepEqual(texts(collect(stream('stdout', 'a'), display('d'), stream('stdout', 'b'))), [
      'stdout:a',
      'd',
      'stdout:b',
    ]);
  });

  it('clears at once, or with the next output if told to wait', () => {
    assert.deepEqual(texts(collect(display('a'), clear(false))), []);
    assert.deepEqual(texts(collect(display('a'), clear(true))), ['a']);
    assert.deepEqual(texts(collect(display('a'), clear(true), stream('stdout', 'b'))), [
      'stdout:b',
    ]);
    assert.deepEqual(texts(collect(display('a'), clear(true), clear(false), display('b'))), ['b']);
  });

  it('updates every display of an id, and none that has been cleared', () => {
    const list = collect(display('a', '1'), display('b', '2'), display('c', '1'), update('x', '1'));
    assert.deepEqual(texts(list), ['x', 'b', 'x']);
    assert.deepEqual(list[0], {
      output_type: 'display_data',
      data: { 'text/plain': 'x' },
      metadata: { new: true },
    });
    assert.deepEqual(texts(collect(display('a', '1'), clear(false), update('x', '1'))), []);
  });

  it('keeps results and errors as a notebook file holds them, and passes over the rest', () => {
    const result = { data: { 'text/plain': '2' }, metadata: {}, execution_count: 3 };
    const error = { ename: 'TypeError', evalue: 'no', traceback: ['TypeError: no'] };
    assert.deepEqual(
      collect(
        message('status', { execution_state: 'busy' }),
        message('execute_result', result),
        message('error', error),
      ),
      [
        { output_type: 'execute_result', ...result },
        { output_type: 'error', ...error },
      ],
    );
  });
});
