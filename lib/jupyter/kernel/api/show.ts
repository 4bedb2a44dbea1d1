import { display } from './display';
import { DISPLAY } from './symbol';

/** Something that shows itself. */
export interface Displayable {
  [DISPLAY](): Record<string, unknown>;
}

/** Images that `image` can name the type of. */
export type ImageType = 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp' | 'image/svg+xml';

const as =
  (mime: string) =>
  (first: string | TemplateStringsArray, ...values: unknown[]): Displayable => {
    const text = typeof first === 'string' ? first : String.raw({ raw: first }, ...values);
    return { [DISPLAY]: () => ({ [mime]: text, 'text/plain': text }) };
  };

/** HTML as a cell's result or for `display`: html`<b>${text}</b>` or html('…'). Nothing is escaped. */
export const html = as('text/html');
/** Markdown, with formulas between dollar signs. */
export const md = as('text/markdown');
/** LaTeX, in dollar signs. */
export const latex = as('text/latex');
/** An SVG picture, as its source. */
export const svg = as('image/svg+xml');
/** JavaScript for the browser; JupyterLab runs it only in a trusted notebook. */
export const javascript = as('application/javascript');

/** A value as a tree to unfold. */
export function json(value: unknown): Displayable {
  return { [DISPLAY]: () => ({ 'application/json': value }) };
}

/**
 * A picture. With `alt`, it is shown through HTML, which alone carries a text for those who do
 * not see it.
 */
export function image(
  bytes: Uint8Array,
  { type = 'image/png', alt }: { type?: ImageType; alt?: string } = {},
): Displayable {
  const data = Buffer.from(bytes).toString('base64');
  const shown = type === 'image/svg+xml' ? Buffer.from(bytes).toString('utf8') : data;
  const text = alt ?? `${type}, ${bytes.length.toLocaleString('en')} bytes`;
  if (alt === undefined) return { [DISPLAY]: () => ({ [type]: shown, 'text/plain': text }) };
  const tag = `<img src="data:${type};base64,${data}" alt="${escapeHtml(alt)}">`;
  return { [DISPLAY]: () => ({ 'text/html': tag, 'text/plain': text }) };
}

/** A plotly figure: `{ data, layout }`, JSON throughout. */
export function plotly(figure: { data: unknown[]; layout?: object; config?: object }): Displayable {
  const full = { layout: {}, ...figure };
  return {
    [DISPLAY]: () => ({ 'application/vnd.plotly.v1+json': full, 'text/plain': 'plotly figure' }),
  };
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character]);
}

/** Several at once, in order. */
export function displayAll(...values: unknown[]): void {
  for (const value of values) display(value);
}
