import type { JsonObject } from '../protocol/message';
import { isObject } from '../protocol/message';

/** Reading what a front end sent, which may be anything. */

export function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** @throws TypeError that names the field */
export function text(content: JsonObject, field: string): string {
  const value = content[field];
  if (typeof value !== 'string') {
    throw new TypeError(
      `${field}: expected a string, got ${value === null ? 'null' : typeof value}`,
    );
  }
  return value;
}

/** A whole number, or what stands for it. */
export function integer(content: JsonObject, field: string, otherwise: number): number {
  const value = content[field];
  return typeof value === 'number' && Number.isInteger(value) ? value : otherwise;
}
