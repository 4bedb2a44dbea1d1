import { inspect, types } from 'node:util';
import { codeFrame } from '../code-frame';
import { bold, dim, red } from '../colours';
import type { Failure } from './protocol';
import type { Place } from './stack';
import { placesOfError } from './stack';

const MESSAGE_LIMIT = 20_000;
const CAUSES_LIMIT = 5;

/** What was thrown last without being an error, which would know where it comes from. */
let lastThrown: { value: unknown; at: Error } | undefined;

/** Stands before what a cell throws. */
export function noteThrown<T>(value: T): T {
  lastThrown = types.isNativeError(value) ? undefined : { value, at: new Error() };
  return value;
}

/** An exception as a front end shows it: name, message, the cell's own lines, the way there. */
export function describe(thrown: unknown): Failure {
  const isNoted = lastThrown !== undefined && Object.is(lastThrown.value, thrown);
  const at = isNoted ? placesOfError(lastThrown?.at)[0] : undefined;
  try {
    return types.isNativeError(thrown) || thrown instanceof Error
      ? describeError(thrown)
      : describeValue(thrown, at);
  } catch (error) {
    const evalue = `the thrown value cannot be shown: ${messageOf(error)}`;
    return { ename: 'Error', evalue, traceback: [red(`Error: ${evalue}`)] };
  }
}

function messageOf(error: unknown): string {
  try {
    return String((error as Error).message);
  } catch {
    return 'its message cannot be read';
  }
}

function describeError(error: Error): Failure {
  const ename = nameOf(error);
  const evalue = cut(String(error.message ?? ''));
  return { ename, evalue, traceback: [...traceback(error), ...causes(error)] };
}

function nameOf(error: Error): string {
  const { name } = error;
  return typeof name === 'string' && name !== '' ? name : 'Error';
}

/** One error: head, code frame, frames, what else it carries. */
function traceback(error: Error): string[] {
  const [place] = placesOfError(error);
  const { stack } = error;
  const frames = typeof stack === 'string' ? stack.split('\n').filter(isFrame) : [];
  const head = cut(String(error.message ?? ''));
  return [
    bold(red(`${nameOf(error)}${head === '' ? '' : `: ${head}`}`)),
    ...(place ? codeFrame(place.source, place, place.label) : []),
    ...frames.map((frame) => dim(frame)),
    ...extras(error),
  ];
}

const isFrame = (line: string) => /^ {4}at /.test(line);

/** What the error carries besides its message, such as `code: 'ENOENT'`. */
function extras(error: Error): string[] {
  const own = Object.keys(error).filter(
    (key) => !['stack', 'message', 'name', 'cause'].includes(key),
  );
  if (own.length === 0) return [];
  const picked: Record<string, unknown> = {};
  for (const key of own) {
    try {
      picked[key] = (error as unknown as Record<string, unknown>)[key];
    } catch {
      picked[key] = '[cannot be read]';
    }
  }
  return [cut(inspect(picked, { depth: 2, maxArrayLength: 10, maxStringLength: 1000 }))];
}

function causes(error: Error): string[] {
  const lines: string[] = [];
  let { cause } = error as { cause?: unknown };
  for (let i = 0; i < CAUSES_LIMIT && cause !== undefined && cause !== null; i += 1) {
    lines.push('', dim('caused by'));
    if (!types.isNativeError(cause)) {
      lines.push(cut(inspect(cause, { depth: 2 })));
      break;
    }
    lines.push(...traceback(cause));
    cause = cause.cause;
  }
  const { errors } = error as { errors?: unknown };
  if (Array.isArray(errors)) {
    for (const inner of errors.slice(0, CAUSES_LIMIT)) {
      lines.push(
        '',
        dim('one of'),
        ...(types.isNativeError(inner) ? traceback(inner) : [inspect(inner)]),
      );
    }
  }
  return lines;
}

/** Something thrown that is not an error. */
function describeValue(value: unknown, at?: Place): Failure {
  const evalue = cut(typeof value === 'string' ? value : inspect(value, { depth: 2 }));
  const ename = 'Uncaught';
  const frame = at ? codeFrame(at.source, at, at.label) : [];
  return { ename, evalue, traceback: [bold(red(`${ename}: ${evalue}`)), ...frame] };
}

function cut(text: string): string {
  if (text.length <= MESSAGE_LIMIT) return text;
  return `${text.slice(0, MESSAGE_LIMIT)} … cut: ${text.length.toLocaleString('en')} characters in all`;
}
