import { bareLines, BYTE_ORDER_MARK } from './log-lines';
import { isTraceLine, traceFromText } from './stack-trace-text';
import { traceFromObject, TraceError, type StackTrace } from './trace';

/**
 * Reads a trace: JSON in the schema of the published traces, or the text of ftrace's stack_trace, also as
 * logs and mails quote it.
 *
 * @throws TraceError that says what was expected and found
 */
export function parseTrace(text: string): StackTrace {
  const plain = text.replace(BYTE_ORDER_MARK, '').trimStart();
  if (plain.startsWith('{')) return traceFromObject(json(plain));
  const lines = bareLines(text);
  if (lines.some(isTraceLine)) return traceFromText(lines);
  throw new TraceError(
    'trace: expected JSON or the text of /sys/kernel/tracing/stack_trace with lines like ' +
      '"  0)     2928     224   update_sd_lb_stats+0xbc/0x4ac", found neither',
  );
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TraceError(`trace: expected JSON, but ${(error as Error).message}`);
  }
}
