import { readFileSync } from 'node:fs';

/** The version of the TypeScript that checks the cells, without loading it. */
export function version(): string {
  const file = require.resolve('typescript/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
