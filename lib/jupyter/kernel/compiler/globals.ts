/** Types of what the kernel adds to Node's globals. */
export const GLOBALS = `
/** Asks the reader of the notebook and waits for the answer; an empty one gives \`preset\`. */
declare function prompt(message?: string, preset?: string): string | null;
`;

/**
 * Names that mean something to every module. A cell that declares one of them gets it under
 * another name, so that `const URL = 'https://…'` does not break the libraries that use URL.
 */
const SHARED = new Set(
  Object.getOwnPropertyNames(globalThis).filter((name) => !/^(undefined|NaN|Infinity)$/.test(name)),
);

export function isShared(name: string): boolean {
  return SHARED.has(name);
}

/** The name in V8 of a name in a cell. */
export function runtimeName(name: string): string {
  return SHARED.has(name) ? `${name}$` : name;
}
