import { isClose, type Rules } from './rules';
import type { Token } from './markup';

/** More differences than these are counted, not shown. */
const SHOWN = 6;

interface Table {
  readonly rows: readonly (readonly string[])[];
}

/** Tables cut out of markup, and what is left of it. */
interface Cut {
  readonly tables: readonly Table[];
  readonly rest: string;
}

/**
 * How the tables in two pieces of HTML differ, cell by cell: one line for each, which names row and column.
 * Undefined if it is not the tables that differ, or not only they.
 */
export function compareTables(
  stored: readonly Token[],
  fresh: readonly Token[],
  rules: Rules,
): string[] | undefined {
  const [before, after] = [cut(stored), cut(fresh)];
  const comparable = before.rest === after.rest && before.tables.length === after.tables.length;
  if (!comparable || before.tables.length === 0) return undefined;
  const lines = before.tables.flatMap((table, i) => {
    const name = before.tables.length === 1 ? 'table' : `table ${i + 1}`;
    return tableLines(name, table, after.tables[i], rules);
  });
  if (lines.length <= SHOWN) return lines;
  return [...lines.slice(0, SHOWN), `… and ${lines.length - SHOWN} more differences`];
}

function cut(tokens: readonly Token[]): Cut {
  const tables: { rows: string[][] }[] = [];
  const rest: string[] = [];
  let depth = 0;
  for (const token of tokens) {
    const tag = token.kind === 'text' ? undefined : token.tag;
    if (tag === 'table') {
      if (token.kind === 'open' && depth === 0) {
        tables.push({ rows: [] });
        rest.push('<table>');
      }
      depth = Math.max(0, depth + (token.kind === 'open' ? 1 : -1));
      continue;
    }
    if (depth === 0) {
      rest.push(token.text);
      continue;
    }
    const { rows } = tables[tables.length - 1];
    if (token.kind === 'open' && tag === 'tr') rows.push([]);
    else if (token.kind === 'open' && (tag === 'td' || tag === 'th')) rows.at(-1)?.push('');
    else if (token.kind === 'text') {
      const row = rows.at(-1);
      if (row && row.length > 0)
        row[row.length - 1] += `${row.at(-1) === '' ? '' : ' '}${token.text}`;
    }
  }
  return { tables, rest: rest.join('\n') };
}

function tableLines(name: string, stored: Table, fresh: Table, rules: Rules): string[] {
  const lines: string[] = [];
  if (stored.rows.length !== fresh.rows.length) {
    lines.push(`${name}: ${stored.rows.length} rows stored, ${fresh.rows.length} new`);
  }
  const [headings = []] = fresh.rows;
  for (let i = 0; i < Math.min(stored.rows.length, fresh.rows.length); i += 1) {
    const [before, after] = [stored.rows[i], fresh.rows[i]];
    for (let j = 0; j < Math.max(before.length, after.length); j += 1) {
      if (isSameCell(before[j], after[j], rules)) continue;
      const column = headings[j] ? `column "${headings[j]}"` : `column ${j + 1}`;
      const told = (cell: string | undefined) => (cell === undefined ? 'nothing' : `"${cell}"`);
      lines.push(`${name}, row ${i}, ${column}: stored ${told(before[j])}, got ${told(after[j])}`);
    }
  }
  return lines;
}

function isSameCell(a: string | undefined, b: string | undefined, { tolerance }: Rules): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a === '' || b === '') return false;
  return isClose(Number(a), Number(b), tolerance);
}
