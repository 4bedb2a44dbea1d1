import type { Output } from '../../outputs';
import { textOf } from '../../run-notebook';
import type { Finding } from '../finding';
import { compareBundles } from './bundle';
import type { Rules } from './rules';
import { diffText } from './text';

type Difference = Omit<Finding, 'cell'>;

/**
 * How the outputs of a cell differ in meaning from the stored ones. Text of one stream is joined as far as
 * nothing else comes between; in which order stdout and stderr reached the front end does not count.
 */
export function compareOutputs(
  stored: readonly Output[],
  fresh: readonly Output[],
  rules: Rules,
): Difference[] {
  const [before, after] = [joinStreams(stored), joinStreams(fresh)];
  return pair(before, after).flatMap(([old, now]): Difference[] => {
    if (old && now) return compareTwo(old, now, rules);
    if (old) return [{ kind: 'missing-output', message: `missing: ${describe(old)}`, stored: old }];
    if (now) return [{ kind: 'extra-output', message: `not stored: ${describe(now)}`, fresh: now }];
    return [];
  });
}

/** Joins what neighbouring outputs wrote to one stream: stdout first. Empty text and empty bundles are no output. */
export function joinStreams(outputs: readonly Output[]): Output[] {
  const joined: Output[] = [];
  let group = new Map<string, string>();
  const flush = () => {
    for (const [name, text] of [...group].sort(([a], [b]) => (a < b ? 1 : -1))) {
      if (text !== '') joined.push({ output_type: 'stream', name, text });
    }
    group = new Map();
  };
  for (const output of outputs) {
    if (output.output_type === 'stream') {
      group.set(output.name, (group.get(output.name) ?? '') + textOf(output.text));
    } else if (!('data' in output) || Object.keys(output.data).length > 0) {
      flush();
      joined.push(output);
    }
  }
  flush();
  return joined;
}

/** What kind of output it is: only those of one kind can be the same one, changed. */
function keyOf(output: Output): string {
  if (output.output_type === 'stream') return output.name;
  if (output.output_type === 'error') return 'error';
  return 'data';
}

/** Pairs outputs of one kind in their order, by the longest common subsequence of kinds. */
function pair(a: readonly Output[], b: readonly Output[]): [Output?, Output?][] {
  const longest = Array.from({ length: a.length + 1 }, () =>
    new Array<number>(b.length + 1).fill(0),
  );
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i][j] =
        keyOf(a[i]) === keyOf(b[j])
          ? longest[i + 1][j + 1] + 1
          : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const pairs: [Output?, Output?][] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && keyOf(a[i]) === keyOf(b[j])) pairs.push([a[i++], b[j++]]);
    else if (j >= b.length || (i < a.length && longest[i + 1][j] >= longest[i][j + 1])) {
      pairs.push([a[i++], undefined]);
    } else pairs.push([undefined, b[j++]]);
  }
  return pairs;
}

function compareTwo(stored: Output, fresh: Output, rules: Rules): Difference[] {
  if (stored.output_type === 'stream' && fresh.output_type === 'stream') {
    const details = diffText(textOf(stored.text), textOf(fresh.text), rules);
    if (details.length === 0) return [];
    return [{ kind: 'changed-text', message: `${stored.name} differs`, details, stored, fresh }];
  }
  if (stored.output_type === 'error' && fresh.output_type === 'error') {
    // Tracebacks hold paths and line numbers of libraries: name and message are what counts.
    const [before, after] = [stored, fresh].map(({ ename, evalue }) => `${ename}: ${evalue}`);
    const details = diffText(before, after, rules);
    if (details.length === 0) return [];
    return [{ kind: 'changed-error', message: 'another error', details, stored, fresh }];
  }
  if (!('data' in stored) || !('data' in fresh)) return [];
  const [first, ...others] = compareBundles(stored.data, fresh.data, rules);
  if (first === undefined) return [];
  const also = others.length === 0 ? '' : ` (and ${others.map(({ mime }) => mime).join(', ')})`;
  const message = `${first.mime} differs${also}`;
  return [{ kind: first.kind, message, details: first.details, stored, fresh }];
}

function describe(output: Output): string {
  if (output.output_type === 'stream') {
    const [line = ''] = textOf(output.text).trim().split('\n');
    return `text on ${output.name}: ${JSON.stringify(line.slice(0, 80))}`;
  }
  if (output.output_type === 'error') return `the error ${output.ename}: ${output.evalue}`;
  return `an output with ${Object.keys(output.data).join(', ')}`;
}
