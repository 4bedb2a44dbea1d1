import type { StoredNotebook } from './notebook-file';

/**
 * A notebook as text, byte for byte as Jupyter's nbformat writes it, so that saving it in JupyterLab changes
 * nothing: keys sorted, one blank of indentation, texts split into lines.
 */
export function serialise(notebook: StoredNotebook): string {
  const cells = notebook.cells.map((cell) => ({
    ...cell,
    source: inLines(cell.source),
    ...(cell.cell_type === 'code' && {
      execution_count: cell.execution_count ?? null,
      outputs: (cell.outputs ?? []).map(splitOutput),
    }),
  }));
  return `${JSON.stringify(sorted({ ...notebook, cells }), null, 1)}\n`;
}

type Fields = Readonly<Record<string, unknown>>;

function splitOutput(output: object): Fields {
  const fields = output as Fields;
  if (fields.output_type === 'stream') return { ...fields, text: inLines(fields.text) };
  if (typeof fields.data !== 'object' || fields.data === null) return fields;
  const data = Object.entries(fields.data).map(([mime, content]) => [
    mime,
    isText(mime) ? inLines(content) : content,
  ]);
  return { ...fields, data: Object.fromEntries(data) };
}

const isText = (mime: string) =>
  mime.startsWith('text/') || mime === 'application/javascript' || mime === 'image/svg+xml';

/** Lines with their ends, as the notebook format keeps text. */
function inLines(text: unknown): unknown {
  return typeof text === 'string' ? (text.match(/[^\n]*\n|[^\n]+$/g) ?? []) : text;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
