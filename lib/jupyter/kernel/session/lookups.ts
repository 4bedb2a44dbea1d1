import type { CompilerClient } from '../compiler/client';
import type { JsonObject } from '../protocol/message';
import { toCodePoints, toUnits } from './code-points';
import { integer, text } from './content';

/** Answers what front ends ask about code that is being written. */
export class Lookups {
  constructor(private readonly compiler: CompilerClient) {}

  async complete(content: JsonObject): Promise<JsonObject> {
    const code = text(content, 'code');
    const position = this.position(content, code);
    const { matches, start, end } = await this.compiler.ask('complete', code, position);
    const cursorStart = toCodePoints(code, start);
    const cursorEnd = toCodePoints(code, end);
    const types = matches.map((match) => ({ ...match, start: cursorStart, end: cursorEnd }));
    return {
      status: 'ok',
      matches: matches.map((match) => match.text),
      cursor_start: cursorStart,
      cursor_end: cursorEnd,
      metadata: { _jupyter_types_experimental: types },
    };
  }

  async inspect(content: JsonObject): Promise<JsonObject> {
    const code = text(content, 'code');
    const detail = integer(content, 'detail_level', 0);
    const found = await this.compiler.ask('inspect', code, this.position(content, code), detail);
    const data = found ? { 'text/plain': found.plain, 'text/markdown': found.markdown } : {};
    return { status: 'ok', found: found !== null, data, metadata: {} };
  }

  async isComplete(content: JsonObject): Promise<JsonObject> {
    const { status, indent } = await this.compiler.ask('isComplete', text(content, 'code'));
    return status === 'incomplete' ? { status, indent: indent ?? '' } : { status };
  }

  private position(content: JsonObject, code: string): number {
    const position = integer(content, 'cursor_pos', Number.MAX_SAFE_INTEGER);
    return toUnits(code, Math.max(0, position));
  }
}
