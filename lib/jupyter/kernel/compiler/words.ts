const WORD = /[\p{ID_Continue}$\u200c\u200d]*$/u;

/** The part of an identifier that stands before `position`. */
export function identifierBefore(code: string, position: number): string {
  return WORD.exec(code.slice(0, position))?.[0] ?? '';
}
