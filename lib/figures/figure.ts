import { svgDataUri } from './preview/data-uri';
import { preview } from './preview/preview';

/** A table as data: what a figure was drawn from. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** MIME type → content, as Jupyter's display_data has it. */
export type MimeBundle = Readonly<Record<string, unknown>>;

/** One trace or the layout of plotly, as JSON. Plotly's own types need the DOM and stay out of the library. */
export type PlotlyObject = Readonly<Record<string, unknown>>;

export interface FigureSpec {
  readonly title: string;
  /** What to see in it, one or two sentences. */
  readonly caption: string;
  /** For those who can't see it: type, axes, trend. */
  readonly alt: string;
  /**
   * Traces. `customdata` of a trace holds the table's row of each point, so that what is drawn can be
   * looked up; a trace without it only draws a line to compare with (`meta.reference`).
   */
  readonly data: readonly PlotlyObject[];
  readonly layout: PlotlyObject;
  readonly table: Table;
  /** The command that makes the figure's data again. */
  readonly command: string;
}

/** Objects with this method show themselves in a notebook: it returns a MIME bundle. */
export const MIME_BUNDLE: unique symbol = Symbol.for('jupyter.mimebundle') as never;

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** Rows of the table that the static text shows; the command gives all of them. */
const ROWS_SHOWN = 150;

/** Plotly data and layout, with a caption, alt text and the data as a table. */
export class Figure implements FigureSpec {
  readonly title: string;
  readonly caption: string;
  readonly alt: string;
  readonly data: readonly PlotlyObject[];
  readonly layout: PlotlyObject;
  readonly table: Table;
  readonly command: string;

  /** @throws TypeError for a figure without title, caption or alt text */
  constructor(spec: FigureSpec) {
    for (const part of ['title', 'caption', 'alt', 'command'] as const) {
      if (spec[part].trim() === '') throw new TypeError(`${part}: expected text, got none`);
    }
    this.title = spec.title;
    this.caption = spec.caption;
    this.alt = spec.alt;
    this.data = spec.data;
    this.table = spec.table;
    this.command = spec.command;
    this.layout = {
      ...spec.layout,
      title: { text: spec.title, yref: 'container', y: 1, yanchor: 'top', pad: { t: 14 } },
      meta: { alt: spec.alt, caption: spec.caption, command: spec.command },
    };
  }

  /**
   * Plotly where it can be drawn; elsewhere a still picture, by itself and, since GitHub and nbconvert prefer
   * HTML, in a captioned figure with the data.
   */
  [MIME_BUNDLE](): MimeBundle {
    const picture = preview(this.data, this.layout, this.alt);
    return {
      'application/vnd.plotly.v1+json': { data: this.data, layout: this.layout },
      ...(picture !== undefined && { 'image/svg+xml': picture }),
      'text/html': this.toHtml(picture),
      'text/plain': this.toString(),
    };
  }

  /**
   * Picture, caption, alt text and data without any script.
   *
   * @param picture the figure as SVG; left out where there is none
   */
  toHtml(picture?: string): string {
    const image =
      picture === undefined
        ? ''
        : `<img alt="${escapeHtml(this.alt)}" src="${svgDataUri(picture)}">\n`;
    return (
      `<figure>${image}<figcaption><strong>${escapeHtml(this.title)}.</strong> ${escapeHtml(this.caption)}</figcaption>` +
      (picture === undefined ? `<p>${escapeHtml(this.alt)}</p>` : '') +
      `<details><summary>The data (${this.table.rows.length} rows)</summary>${tableHtml(this.table, ROWS_SHOWN)}</details>` +
      `<p>Made by <code>${escapeHtml(this.command)}</code></p></figure>`
    );
  }

  toString(): string {
    return `Figure: ${this.title}\n${this.caption}\nMade by: ${this.command}`;
  }

  [INSPECT](): string {
    return this.toString();
  }
}

/** A table in HTML; rows after the first `most` are counted, not shown. */
export function tableHtml({ columns, rows }: Table, most: number = Infinity): string {
  const head = columns.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join('');
  const body = rows
    .slice(0, most)
    .map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(String(cell))}</td>`).join('')}</tr>`);
  if (rows.length > most) {
    body.push(`<tr><td colspan="${columns.length}">… and ${rows.length - most} more</td></tr>`);
  }
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

export function escapeHtml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}
